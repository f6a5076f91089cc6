"""Which words and which pixels moved an answer, as a reader can see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kilnworks.components.features.encoded import IMAGE, keras_name
from kilnworks.components.features.graph import input_name, transform_model
from kilnworks.components.features.raw import raw_array
from kilnworks.components.features.text.tokens import FIRST, Tokens
from kilnworks.components.modeling.images.gradcam import grad_cam
from kilnworks.components.modeling.images.pictures import picture, warmed

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.components.features.transform import FeatureTransform

WORDS = 200
"""Words of a text that are shown, at most."""


def pictures(
    transform: FeatureTransform, trained: Any, rows: pl.DataFrame, within: Mapping[str, np.ndarray], classes: np.ndarray
) -> list[list[tuple[str, str]]]:
    """For each row (words, URL of a picture): as it is, its gradients, and Grad-CAM where the model has maps.

    ``within``: attributions by feature, [n, H, W, C]; ``classes``: whose logit Grad-CAM looks at, int [n].
    """
    found: list[list[tuple[str, str]]] = [[] for _ in range(rows.height)]
    contract = transform.contract
    images = [t for t in transform.encoded if t.kind == IMAGE]
    shown = [n for n, f in contract.features.items() if f.dtype == "image" and n in within and not f.sensitive]
    if len(images) != 1 or len(shown) != 1:
        return found
    name = shown[0]
    feature = contract.features[name]
    pixels = raw_array(name, feature, rows[name]).astype(np.float32) / np.float32(feature.max or 255.0)
    heat = np.abs(within[name]).sum(axis=-1)
    heat /= np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-12)
    cam = grad_cam(trained, transform.encode(rows), classes)
    for i in range(rows.height):
        found[i] += [("as it is", picture(pixels[i])), ("integrated gradients", picture(warmed(pixels[i], heat[i])))]
        found[i] += [("Grad-CAM", picture(warmed(pixels[i], cam[i])))] if cam is not None else []
    return found


def words(
    transform: FeatureTransform, encoded: Mapping[str, np.ndarray], within: Mapping[str, np.ndarray]
) -> list[list[tuple[str, float]]]:
    """For each row the words of its texts as they are read, with what each adds; of encoded texts [n, T]."""
    rows = len(next(iter(encoded.values())))
    found: list[list[tuple[str, float]]] = [[] for _ in range(rows)]
    for name, one in within.items():
        feature = transform.contract.features[name]
        numbers = encoded[keras_name(name)]
        layer = _reader(transform, name) if feature.text and not feature.sensitive else None
        if layer is None or numbers.shape != one.shape:
            continue
        for i in range(rows):
            kept = [(n, share) for n, share in zip(numbers[i], one[i], strict=True) if n > 0 and n != 2]
            found[i] += [(_word(layer, int(n)), float(share)) for n, share in kept[:WORDS]]
    return found


def _reader(transform: FeatureTransform, name: str) -> Tokens | None:
    """The layer that numbers the words of one text; None where it has no vocabulary."""
    model = transform_model(transform.plan)
    for layer in model.layers:
        if isinstance(layer, Tokens) and getattr(layer.input, "name", None) == input_name(name):
            return layer if layer.words and not layer.distinct else None
    return None


def _word(layer: Tokens, number: int) -> str:
    place = number - FIRST
    known = [*layer.words, *layer.pieces]
    return known[place] if 0 <= place < len(known) else "(unknown)"
