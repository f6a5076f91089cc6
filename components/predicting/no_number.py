"""Answers that are no number: a model computes in float32, and a row far beyond what it learned from can overflow."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from kilnworks.schemas.errors import RequestInvalid
from kilnworks.schemas.magnitudes import plain


def refuse_no_number(rows: pl.DataFrame, answers: pl.DataFrame, place: Callable[[int], str]) -> None:
    """Raise where an answer is NaN or infinite.

    Args:
        rows: what was asked, a row an answer.
        answers: as ``answer_frame`` gives them.
        place: from a position among these rows to words such as ``row 17``.

    Raises:
        RequestInvalid: naming the first such row and its largest number.
    """
    numbers = [answers[name] for name in answers.columns if answers[name].dtype.is_float()]
    bad = pl.Series([False] * answers.height)
    for series in numbers:
        bad |= ~series.is_finite().fill_null(False)
    if not bad.any():
        return
    first = int(bad.arg_true()[0])
    largest = _largest(rows.row(first, named=True))
    cause = f"; its largest number is {largest[0]!r} = {plain(largest[1])}" if largest else ""
    raise RequestInvalid(
        f"the model's answer is not a finite number for {int(bad.sum())} of {answers.height} rows, first for "
        f"{place(first)}{cause}",
        "rows near those that the model learned from",
        "correct or leave out the row; a `max` for the column in the contract refuses such rows before they are asked",
    )


def _largest(row: dict[str, object]) -> tuple[str, float] | None:
    """Name and value of the number that lies farthest from 0."""
    numbers = {n: v for n, v in row.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    return max(numbers.items(), key=lambda item: abs(item[1])) if numbers else None
