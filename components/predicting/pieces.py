"""Many rows asked for in requests that the server takes, however many rows that are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kilnworks.schemas.errors import RequestInvalid

Arrays = Mapping[str, np.ndarray[Any, Any]]
Ask = Callable[[Arrays], Arrays]
"""Named inputs ``[n, *shape]`` to named outputs ``[n, ...]``."""

REFUSED = "INVALID_ARGUMENT"
"""The code of a request with more rows than the server's ``max_batch_size``, and of one with a wrong value."""


def in_pieces(ask: Ask, most: int) -> Ask:
    """``ask`` for any number of rows, of which each request has ``most`` or fewer.

    Where a request is refused, half as many rows are asked for from there on, also in later calls; where one row is
    refused alone, its number among all rows asked for so far is named.

    Raises (while asking):
        RequestInvalid: a row was refused alone.
    """
    return _Pieces(ask, most).ask


class _Pieces:
    """How many rows go into one request, and how many were answered so far."""

    def __init__(self, ask: Ask, most: int) -> None:
        self._ask, self._most, self._answered = ask, most, 0

    def ask(self, inputs: Arrays) -> Arrays:
        """Answers for all rows, in their order."""
        rows, start = _rows(inputs), 0
        answers: list[Arrays] = []
        while start < rows or not answers:
            end = min(start + self._most, rows)
            try:
                answers.append(self._ask({name: array[start:end] for name, array in inputs.items()}))
            except RequestInvalid as error:
                self._fewer(error, end - start)
                continue
            self._answered += end - start
            start = end
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    def _fewer(self, error: RequestInvalid, rows: int) -> None:
        """Half as many rows from now on. Raises the error where that does not help."""
        if error.details.get("code") != REFUSED or rows == 0:
            raise error
        if rows == 1:
            where = f"row {self._answered + 1}: "
            raise RequestInvalid(where + error.got, error.wanted, error.fix, error.details) from error
        self._most = (rows + 1) // 2


def _rows(inputs: Arrays) -> int:
    return max((len(array) for array in inputs.values()), default=0)
