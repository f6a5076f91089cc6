"""Columns that stand side by side, and which of them are the pixels of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from kilnworks.components.features.encoded import IMAGE, EncodedTensor


class Columns(NamedTuple):
    """Columns ``start`` to ``end`` of [N, D]; with a ``shape``, [H, W, C], they are a picture."""

    start: int
    end: int
    shape: tuple[int, ...] = ()


def parts(encoded: Sequence[EncodedTensor], pictures: bool) -> list[Columns]:
    """What the columns of the tensors side by side are, in order; all that are no picture and neighbours, together.

    With ``pictures`` false, pixels are columns like others.
    """
    found: list[Columns] = []
    start = 0
    for tensor in encoded:
        end = start + math.prod(tensor.shape)
        if pictures and tensor.kind == IMAGE:
            found.append(Columns(start, end, tensor.shape))
        elif found and not found[-1].shape:
            found[-1] = Columns(found[-1].start, end)
        else:
            found.append(Columns(start, end))
        start = end
    return found


def taken(rows: Any, columns: Columns) -> Any:
    """The columns of rows [N, D]."""
    whole = columns.start == 0 and columns.end == rows.shape[-1]
    return rows if whole else rows[:, columns.start : columns.end]
