"""Which rows train and which validate in each fold; the splitters are scikit-learn's."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from kilnworks.schemas.errors import DataInvalid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kilnworks.components.cutting.settings import By

Pair = tuple["NDArray[np.int64]", "NDArray[np.int64]"]
"""Places of the rows that train and of those that validate, both rising."""


def folds_of(by: By, folds: int, seed: int, units: NDArray[Any], classes: NDArray[Any] | None = None) -> list[Pair]:
    """Places of training and validation rows for each fold.

    Args:
        by: what a fold follows.
        folds: how many, K.
        seed: of the shuffling.
        units: [N], what stays together: the key, the group or the moment of each row.
        classes: [N], of each row; needed for ``stratified``.

    Returns:
        K pairs of places, [train] and [val].

    Raises:
        DataInvalid: fewer units, or rows of a class, than folds.
    """
    found, first, member = np.unique(units, return_index=True, return_inverse=True)
    needed = folds + 1 if by == "time" else folds
    if len(found) < needed:
        noun = {"grouped": "groups", "time": "moments"}.get(by, "different rows")
        raise DataInvalid(
            f"{folds} folds of {len(found)} {noun}",
            f"at least {needed} {noun}",
            "ask for fewer folds, or bring more data",
        )
    member = member.reshape(-1)
    return [(_rows(member, train), _rows(member, val)) for train, val in _split(by, folds, seed, found, first, classes)]


def _split(
    by: By, folds: int, seed: int, found: NDArray[Any], first: NDArray[Any], classes: NDArray[Any] | None
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Places of units. ``first``: the first row of each."""
    from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

    places = np.arange(len(found))
    if by == "time":
        return list(TimeSeriesSplit(folds).split(places))
    order = np.argsort(first)  # as the rows come, so that nothing hangs on how units are written
    if by == "stratified":
        assert classes is not None
        of_unit = classes[first[order]]
        _refuse_rare(of_unit, folds)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pairs = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(places, of_unit))
    else:
        pairs = list(KFold(folds, shuffle=True, random_state=seed).split(places))
    return [(order[train], order[val]) for train, val in pairs]


def _refuse_rare(classes: NDArray[Any], folds: int) -> None:
    names, counts = np.unique(classes, return_counts=True)
    rarest = int(np.argmin(counts))
    if counts[rarest] < folds:
        raise DataInvalid(
            f"{folds} stratified folds, and class {names[rarest]!s} has {counts[rarest]} rows",
            f"at least {folds} rows of each class, one for each fold",
            "ask for fewer folds, use --by plain, or bring more rows of that class",
        )


def _rows(member: NDArray[Any], units: NDArray[Any]) -> NDArray[np.int64]:
    """Places of the rows of some units, rising."""
    return np.flatnonzero(np.isin(member, units)).astype(np.int64)


def refuse_one_class(classes: NDArray[Any], parts: dict[str, NDArray[Any]], words: str) -> None:
    """Raise ``DataInvalid`` where all rows of a part are of one class, of which nothing can be learned or told.

    Args:
        classes: [N], of each row.
        parts: name of a split -> places of its rows, [rows].
        words: which fold it is.
    """
    if len(np.unique(classes)) < 2:
        return
    for name, rows in parts.items():
        seen = np.unique(classes[rows])
        if len(seen) < 2:
            only = f"all {len(rows)} rows are of class {seen[0]!s}" if len(seen) else "there is no row"
            raise DataInvalid(
                f"{words}: in {name}, {only}",
                "rows of at least two classes in each part of a fold",
                "ask for fewer folds, or use --by stratified",
            )
