"""A label of which a row may have many classes, as one text: ``"a;c"``, each class once, in the contract's order.

A cell of text between separators, a list, or a column of 0 and 1 for each class become the same. A class that the
contract does not know stays, at the end, so that validation finds it. No class at all is ``NO_CLASS``; missing is null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.label_texts import ABSENT
from kilnworks.schemas.columns import NO_CLASS
from kilnworks.schemas.contract import Label

if TYPE_CHECKING:
    import polars as pl


def spelled(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns as a source has them: a label that is written in several columns is replaced by these."""
    found: dict[str, Column] = {}
    for name, column in columns.items():
        if column.many is None or not column.many.columns:
            found[name] = column
            continue
        for part in column.many.columns:
            found[part] = Column(part, "bool", optional=column.optional)
    return found


def with_empty_cells(frame: pl.DataFrame, columns: Mapping[str, Column]) -> pl.DataFrame:
    """The frame with an empty text where a cell of such a label is null: of a source that cannot say more."""
    import polars as pl

    names = [name for name, column in columns.items() if column.many is not None and name in frame.columns]
    return frame.with_columns(pl.col(names).cast(pl.String).fill_null("")) if names else frame


def gathered(frame: pl.DataFrame, columns: Mapping[str, Column]) -> pl.DataFrame:
    """The frame with the labels of several columns as one, in the place of the first."""
    import polars as pl

    for column in columns.values():
        label = column.many
        if label is None or not label.columns or label.columns[0] not in frame.columns:
            continue
        parts = [frame.get_column(name) for name in label.columns]
        rows = zip(*parts, strict=True)
        texts = [None if None in row else _text(label, [c for c, has in zip(_names(label), row, strict=True) if has])
                 for row in rows]  # fmt: skip
        at = frame.columns.index(label.columns[0])
        frame = frame.insert_column(at, pl.Series(column.name, texts, dtype=pl.String)).drop(label.columns)
    return frame


def joined(found: pl.Series, label: Label) -> pl.Series:
    """A column of cells or of lists as one text a row. An empty cell, like an empty list, is no class."""
    import polars as pl

    rows = [_parts(value, label) for value in found.to_list()]
    keys = [None if row is None else tuple(part for part in row if part not in ("", NO_CLASS)) for row in rows]
    texts = {key: None if key is None else _text(label, list(key)) for key in set(keys)}
    return pl.Series(found.name, [texts[key] for key in keys], dtype=pl.String)


def _parts(value: object, label: Label) -> list[str] | None:
    """The classes in a cell, a list, or JSON as ``files.json_lines`` hands it out; None where it is missing."""
    if isinstance(value, dict):
        return _parts(None if value.get("json") is None else json.loads(value["json"]), label)
    if isinstance(value, list):
        return [str(part) for part in value]
    if isinstance(value, str):
        alone = value.strip()
        if alone and alone.lower() in ABSENT and alone not in _names(label):
            return None
        return [part.strip() for part in value.split(label.separator)]
    return None if value is None else [str(value)]


def _names(label: Label) -> list[str]:
    return [str(value) for value in label.classes or ()]


def _text(label: Label, classes: list[str]) -> str:
    order = {name: place for place, name in enumerate(_names(label))}
    once = sorted(dict.fromkeys(classes), key=lambda name: order.get(name, len(order)))
    return label.separator.join(once) or NO_CLASS
