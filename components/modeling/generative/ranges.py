"""Numbers between 0 and 1 for units that are on or off, and what such units look at in an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kilnworks.components.features.encoded import IMAGE, EncodedTensor

MOST = 40
"""Hidden units whose kernels are drawn."""


def between_0_and_1(plan: Any) -> Any:
    """The plan of a number with ``scale: minmax`` as 0 to 1 instead of -1 to 1; any other plan as it is.

    A missing number becomes 0, the smallest one.
    """
    from kilnworks.components.features.kinds.scalars import NumberPlan

    if not isinstance(plan, NumberPlan) or plan.scale != "minmax":
        return plan
    return plan.model_copy(update={"mean": plan.mean - math.sqrt(plan.variance), "variance": 4 * plan.variance})


def filters(kernel: Any, encoded: Sequence[EncodedTensor]) -> dict[str, Any]:
    """``{"filters": {"strip", "units"}}`` of a kernel [D, H units]; empty where rows are no grey image.

    Bright is what turns a unit on, dark what turns it off.
    """
    import numpy as np

    from kilnworks.components.judging.codes.strips import strip

    if len(encoded) != 1 or encoded[0].kind != IMAGE or encoded[0].shape[2] != 1:
        return {}
    values = np.array(kernel.numpy())
    strong = np.argsort(-(values**2).sum(axis=0), kind="stable")[:MOST]
    height, width, _ = encoded[0].shape
    pictures = values[:, strong].T.reshape(-1, height, width)
    limit = float(np.quantile(np.abs(pictures), 0.98)) or 1.0
    return {"filters": {"strip": strip(0.5 + pictures / limit / 2, 10), "units": int(values.shape[1])}}
