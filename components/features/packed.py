"""Images on their way to a training step: bytes until they are there, float32 only inside of it.

A pixel is one byte in the files and four once it is scaled. Held, copied and sent to the device as bytes, a split
takes a quarter of the memory; the scaling is the last operation before the model. Images that are resized become
float32 before, because the pixels in between are no whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilnworks.components.features.encoded import keras_name
from kilnworks.components.features.kinds.base import Plan
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.features.raw import raw_input


def packed_plans(plan: TransformPlan) -> dict[str, Plan]:
    """The encoded tensors that travel as they are sent, by name, with what finishes them."""
    return {keras_name(n): p for n, p in plan.features.items() if p.packs}


def packed_dtypes(plan: TransformPlan) -> dict[str, str]:
    """See ``FeatureTransform.packed_dtypes``."""
    packed = {keras_name(n): raw_input(plan.contract.features[n]).dtype for n, p in plan.features.items() if p.packs}
    return {t.name: packed.get(t.name, t.dtype) for t in plan.encoded}


def unpack(plan: TransformPlan, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Packed tensors as the model takes them, eagerly or inside a TensorFlow graph.

    The same operations as in ``columns`` of the kind, so the same numbers.
    """
    plans = packed_plans(plan)
    return {name: plans[name].unpack(value) if name in plans else value for name, value in tensors.items()}
