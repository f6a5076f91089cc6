"""Sequences that a person asks for by name, where a file alone does not say that numbers are steps of one course."""

from __future__ import annotations

from collections.abc import Mapping

from kilnworks.components.starting.open_data import Kind
from kilnworks.components.starting.recipe import Recipe
from kilnworks.components.starting.sequences.shapes import array_columns, sequence_columns
from kilnworks.components.starting.sequences.start import start_with_sequences, start_with_steps
from kilnworks.components.tasks.asked import Asked
from kilnworks.schemas.errors import ConfigError, UnknownName


def start_with_asked(
    name: str,
    data: str,
    kind: Kind,
    asked: tuple[str, ...],
    *,
    label: str | None = None,
    task: Asked | None = None,
    query: str | None = None,
    decimals: Mapping[str, str] | None = None,
    positive: str | None = None,
) -> Recipe:
    """A first pipeline for the sequences that were asked for; arguments as in ``start_with_steps``.

    In a NumPy archive they are arrays [N, T], a number a step; elsewhere columns with a number behind a word.

    Raises:
        UnknownName: there is no such array, or no columns are numbered so.
        ConfigError: the data hold pictures or environments, which have no columns of numbers.
    """
    if kind in ("images", "tfds"):
        raise ConfigError(
            f"--sequence {','.join(asked)}, and {data} holds no table", "a table or a .npz file", "leave --sequence out"
        )
    if kind != "npz":
        return start_with_steps(
            name, data, kind, asked, label=label, task=task, query=query, decimals=decimals, positive=positive
        )
    found = sequence_columns(data, kind)
    arrays = array_columns(data, kind)
    for one in asked:
        if one not in (*arrays, *found):
            raise UnknownName("array of sequences", one, [*found, *arrays])
    shapes = {one: found[one] if one in found else (arrays[one][0], 1) for one in asked}
    return start_with_sequences(name, data, kind, shapes, label=label, task=task, positive=positive)
