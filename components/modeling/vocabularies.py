"""Vocabularies that layers have adapted to, kept so that they come back as they were.

Keras writes such a vocabulary as a text file with a token a line. One that holds an empty text, as a missing one is
sent, or a text with a line break is read back as another. It is written into the configuration of its layer instead,
where Keras writes those that were given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kilnworks.components.modeling.inside import inside


@contextmanager
def exact_vocabularies(model: Any) -> Iterator[None]:
    """While this holds, saving the model keeps every token.

    Sets ``input_vocabulary`` of ``StringLookup``, which Keras reads in ``get_config`` and in ``save_assets``.
    """
    changed = [layer for layer in _adapted(model) if not _lines_hold(layer.get_vocabulary())]
    for layer in changed:
        layer.input_vocabulary = layer.get_vocabulary(include_special_tokens=False)
    try:
        yield
    finally:
        for layer in changed:
            layer.input_vocabulary = None


def _adapted(model: Any) -> list[Any]:
    """Lookups of texts without a vocabulary of their configuration; weighted ones hold more than that."""
    import keras

    lookups = [one for one in inside(model) if isinstance(one, keras.layers.StringLookup)]
    return [one for one in lookups if one.input_vocabulary is None and one.output_mode != "tf_idf"]


def _lines_hold(tokens: list[str]) -> bool:
    lines = "\n".join(tokens).splitlines()
    while lines and lines[-1] == "":
        lines.pop()
    return lines == tokens
