"""What tells the rows of answers apart: the key of the contract where the file has it, else the number of the row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kilnworks.components.predicting.images import takes_images
from kilnworks.components.predicting.rows import file_source
from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.schemas.contract import Contract

if TYPE_CHECKING:
    import polars as pl

ROW = "row"
"""Column of the number of a row, from 1."""
FILE = "file"


def told_apart(
    answers: Iterable[pl.DataFrame], path: Path, contract: Contract, like: Source | None = None
) -> Iterator[pl.DataFrame]:
    """Answers with a first column that says which row each is of; those of images have the file already.

    Args:
        answers: in the order of the rows of the file.
        path: of the file.
        contract: of the model.
        like: how the training data were read.
    """
    import polars as pl

    keys, seen = None, 0
    for frame in answers:
        if takes_images(contract) and FILE in frame.columns:
            yield frame
            continue
        if not seen:
            keys = _keys(path, contract, like, frame.columns)
        if keys is not None:
            first = keys[seen : seen + frame.height]
        else:
            name = ROW if ROW not in frame.columns else f"{ROW}_number"
            first = pl.int_range(seen + 1, seen + frame.height + 1, eager=True).alias(name)
        seen += frame.height
        yield frame.select(first, *frame.columns)


def _keys(path: Path, contract: Contract, like: Source | None, taken: list[str]) -> pl.Series | None:
    """The key of every row; None where the file, or the contract, has none."""
    import polars as pl

    key = contract.key
    if key is None or key in taken:
        return None
    source = file_source(path, like, list(contract.features))
    if key not in source.column_names():
        return None
    wanted = Wanted({key: Column(key, "key")}, any_extra=True)
    return pl.concat([frame.get_column(key) for frame in source.frames(wanted)])
