"""What a kind of source gives: rows over two periods, and where the first ends."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Rng = np.random.Generator


@dataclass(frozen=True)
class Series:
    """Rows in the order of time over two periods.

    Attributes:
        frame: the rows.
        label: the column to be predicted, if any.
        cut: rows of the first period.
        at: the moment of each row, [n]; left out where the rows have none, or one for each period.
        ordered: some column says nothing without the order of the rows.
        sort: the column that each file is sorted by, if not by time.
    """

    frame: pd.DataFrame
    label: str | None
    cut: int
    at: np.ndarray | None = None
    ordered: bool = False
    sort: str = ""

    @property
    def first(self) -> pd.DataFrame:
        """The rows of the first period."""
        return self.sorted(self.frame.iloc[: self.cut])

    def between(self, begin: float, end: float) -> pd.DataFrame:
        """Rows of the second period, from and to as shares of its time (or rows); moments are not torn apart."""
        n = len(self.frame) - self.cut
        places = np.arange(n) / n
        if self.at is not None:
            places = np.searchsorted(self.at[self.cut :], self.at[self.cut :], side="left") / n
        later = self.frame.iloc[self.cut :][(places >= begin) & (places < end)]
        return self.sorted(later)

    def sorted(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows as a file has them."""
        return frame.sort_values(self.sort, kind="stable") if self.sort else frame


FOUND: dict[str, dict[str, Callable[[Rng], Series]]] = {}
"""Kinds by module and name."""


def kind(f: Callable[[Rng], Series]) -> Callable[[Rng], Series]:
    """Enter a kind into the list of its module, under the name of its function."""
    FOUND.setdefault(f.__module__, {})[f.__name__] = f
    return f


def by_year(frame: pd.DataFrame, at: pd.Series, label: str | None, border: str = "2025-01-01", **more: str) -> Series:
    """Rows sorted by ``at``, the second period from ``border`` on."""
    order = np.argsort(at.to_numpy(), kind="stable")
    frame, at = frame.iloc[order].reset_index(drop=True), at.iloc[order].reset_index(drop=True)
    return Series(frame, label, int((at < pd.Timestamp(border)).sum()), at.to_numpy(), **more)


def moments(r: Rng, rows: int, start: str = "2024-01-01", days: int = 731, unit: str = "s") -> pd.Series:
    """Sorted random moments over two years."""
    seconds = np.sort(r.integers(0, days * 86400, rows))
    return pd.Series(pd.Timestamp(start) + pd.to_timedelta(seconds, unit="s")).dt.floor(unit)


def season(at: pd.Series) -> np.ndarray:
    """From -1 in mid January to 1 in mid July."""
    return -np.cos(2 * np.pi * (at.dt.day_of_year.to_numpy() - 15) / 365.25)


def odds(r: Rng, z: np.ndarray, yes: object = 1, no: object = 0) -> np.ndarray:
    """A label whose logarithm of odds is ``z``."""
    return np.where(r.random(len(z)) < 1 / (1 + np.exp(-z)), yes, no)
