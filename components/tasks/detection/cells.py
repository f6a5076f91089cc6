"""From the cells of a label to boxes as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kilnworks.schemas.boxes import read
from kilnworks.schemas.contract import Label

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


def boxes_of(label: Label, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Boxes as ``Detection.encode`` gives them, and rows that are missing or break a rule, [rows]."""
    import numpy as np

    places = {str(c): i for i, c in enumerate(label.classes or ())}
    most = label.boxes or 0
    found = np.full((len(series), most, 5), -1.0, np.float32)
    bad = np.zeros(len(series), bool)
    for row, text in enumerate(series.to_list()):
        boxes = read(text) if text is not None else []
        wrong = any(box.outside or box.empty or box.name not in places for box in boxes)
        if text is None or wrong or len(boxes) > most:
            bad[row] = True
            continue
        for i, box in enumerate(boxes):
            found[row, i] = (*box[1:], places[box.name])
    return found, bad
