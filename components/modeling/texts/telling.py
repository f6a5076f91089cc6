"""Which n-grams tell the most, by class, of a trained bag; for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kilnworks.components.features.kinds.text import TextPlan
from kilnworks.components.features.plan import TransformPlan

MOST = 12
"""N-grams that are named for each side of an output."""
LEAST_LETTERS = 3
"""N-grams of characters that are shorter say little to a reader."""


def telling(model: Any, plan: TransformPlan, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """For each text with a vocabulary, output and kind of n-gram, those that push the output most.

    Args:
        model: a trained ``Bag``.
        plan: of the preprocessing, which names the n-grams. One of a sensitive text names none.
        classes: names of the outputs; empty for a number.

    Returns:
        ``[{"feature", "of": "words" | "characters", "towards": class, "terms": [[term, effect], ...]}, ...]``; the
        effect is what the term adds to the output before the activation, in a text that holds it alone, in the mean
        over the members that see it.
    """
    from kilnworks.components.features.encoded import keras_name
    from kilnworks.components.modeling.base import scope_name
    from kilnworks.components.modeling.texts.ngrams import NgramEffects

    layers = {layer.name: layer for layer in model.layers if isinstance(layer, NgramEffects)}
    found: list[dict[str, Any]] = []
    for name, one in plan.features.items():
        layer = layers.get(f"effects_{scope_name(keras_name(name))}")
        if layer is None or not isinstance(one, TextPlan) or not (one.words or one.pieces):
            continue
        weights, ratio = np.asarray(layer.embeddings), np.asarray(layer.ratio)
        effects = (weights[:, : layer.outputs] + weights[:, layer.outputs :] * ratio) / 2
        first, middle = layer.first, layer.first_piece
        blocks = {"words": (one.words, effects[first:middle]), "characters": (one.pieces, effects[middle:])}
        for kind, (terms, values) in blocks.items():
            for output in range(layer.outputs if terms else 0):
                found += _sides(name, kind, terms, values[:, output], _towards(classes, output, layer.outputs))
    return found


def _towards(classes: tuple[str, ...], output: int, outputs: int) -> dict[int, str]:
    """What a positive (1) and a negative (-1) effect speaks for; several classes have the positive side alone."""
    if outputs == 1:
        return {1: classes[1], -1: classes[0]} if len(classes) == 2 else {1: "larger", -1: "smaller"}
    return {1: classes[output] if output < len(classes) else str(output)}


def _sides(
    name: str, kind: str, terms: tuple[str, ...], effects: np.ndarray, towards: Mapping[int, str]
) -> list[dict[str, Any]]:
    kept = [i for i, term in enumerate(terms) if kind == "words" or len(term.strip()) >= LEAST_LETTERS]
    found = []
    for sign, side in towards.items():
        ranked = sorted(kept, key=lambda i: -sign * float(effects[i]))[:MOST]
        pairs = [[terms[i], round(float(effects[i]), 4)] for i in ranked if sign * effects[i] > 0]
        found.append({"feature": name, "of": kind, "towards": side, "terms": pairs})
    return found
