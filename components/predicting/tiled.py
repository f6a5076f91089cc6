"""Answers for a photograph whose tiles a model of boxes is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kilnworks.components.features.raw import raw_arrays
from kilnworks.components.predicting.images import FILE, SIZE
from kilnworks.components.predicting.pieces import Ask
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.tiles import read_tile

if TYPE_CHECKING:
    import polars as pl

AT_ONCE = 16
"""Tiles of one request."""


def of_photograph(rows: pl.DataFrame, contract: Contract, ask: Ask, task: Task) -> pl.DataFrame:
    """One row for the tiles of a photograph: its name, and the boxes in shares of it, put together from all tiles.

    Args:
        rows: of its tiles, with ``file`` as ``schemas/tiles.py`` writes it, and the columns of ``SIZE``.
        contract: of the model.
        ask: the model.
        task: of the model, one of boxes.
    """
    import numpy as np
    import polars as pl

    tiles = [tile for name in rows[FILE] if (tile := read_tile(name)) is not None]
    told = [ask(raw_arrays(contract, some)) for some in rows.iter_slices(AT_ONCE)]
    answers = {name: np.concatenate([one[name] for one in told]) for name in told[0]}
    height, width = (int(rows[name][0]) for name in SIZE)
    together = task.of_whole(answers, tiles, (height, width))
    return pl.concat([pl.DataFrame({FILE: [tiles[0].photo]}), task.table(together)], how="horizontal")
