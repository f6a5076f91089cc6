"""The signature ``explain`` of a SavedModel, loaded as a server loads it, against the trained model's."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kilnworks.components.exporting.signatures import EXPLAIN
from kilnworks.components.serving.loading.saved_model import load_saved_model
from kilnworks.components.tasks.differences import of_numbers
from kilnworks.schemas.errors import SkewDetected

if TYPE_CHECKING:
    from kilnworks.components.explaining.attributions import Attributions

Array = np.ndarray
ROWS = 64
"""Rows that are compared: the first ones."""
TIMES = 100
"""How much less exact a gradient is than an answer: it is a sum of differences that nearly cancel."""


def check_explained(
    saved_model: Path, explainer: "Attributions", raw: Mapping[str, Array], encoded: Mapping[str, Array],
    tolerance: float,
) -> float:  # fmt: skip
    """The largest difference of attributions, absolute up to 1 and relative above.

    Args:
        saved_model: directory of the SavedModel.
        explainer: what was exported.
        raw: rows as a client sends them, arrays by feature name, [n, ...].
        encoded: the same rows encoded, [n, ...] by tensor name.
        tolerance: of answers.

    Raises:
        SkewDetected: they differ by more than ``TIMES`` the tolerance.
    """
    import tensorflow as tf

    run = tf.function(explainer.answers, autograph=False)  # traced once: 64 gradients, one after the other, are slow
    wanted = run({name: tf.constant(values[:ROWS]) for name, values in encoded.items()})
    model = load_saved_model(str(saved_model))
    try:
        signature = model.signature_defs[EXPLAIN]
        feeds = {info.name: raw[name][:ROWS] for name, info in signature.inputs.items()}
        got = model.session.run({name: info.name for name, info in signature.outputs.items()}, feeds)
    finally:
        model.close()
    worst = max(
        float(of_numbers(got[name], np.asarray(wanted[name])).max(initial=0.0))
        for name in ("attributions", "value", "baseline")
    )
    if not worst <= TIMES * tolerance:
        raise SkewDetected(
            f"signature {EXPLAIN!r}: the exported model credits features otherwise than the trained, by {worst:.3g}",
            f"the same within {TIMES * tolerance:g}",
            "leave explain out of the settings of the export; this is worth reporting",
        )
    return worst
