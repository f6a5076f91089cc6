"""A fresh batch that a fault spoils, and what several faults need."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

FORMS = {"admitted": "%d.%m.%Y", "measured_at": "%Y-%m-%dT%H:%M:%S", "sold_on": "%Y-%m-%d"}
"""How columns of dates that are texts are written."""
Spoiled = pd.DataFrame | bytes | None
FOUND: dict[str, dict[str, Callable[["Batch"], Spoiled]]] = {}
"""Faults by module and name, in the order in which they stand there."""


@dataclass
class Batch:
    """A fresh batch with what a fault may need.

    ``key`` and ``times`` name columns; ``measures`` are numbers with many values, ``categories`` texts with few.
    """

    frame: pd.DataFrame
    clean: pd.DataFrame
    label: str
    r: np.random.Generator

    @property
    def key(self) -> str | None:
        for c in self.frame.columns:
            if c.endswith(("_id", "_no", "ID")):
                return c
        return None

    @property
    def times(self) -> list[str]:
        return [c for c in self.frame.columns if c.endswith(("_at", "_on")) or c == "admitted"]

    @property
    def measures(self) -> list[str]:
        f = self.clean
        numbers = [c for c in f.columns if pd.api.types.is_numeric_dtype(f[c]) and c not in (self.label, self.key)]
        return [c for c in numbers if f[c].nunique() > 30]

    @property
    def categories(self) -> list[str]:
        f = self.clean
        texts = [c for c in f.columns if not pd.api.types.is_numeric_dtype(f[c]) and c not in (self.label, self.key)]
        return [c for c in texts if 1 < f[c].nunique() <= 40 and c not in self.times]

    @property
    def free_text(self) -> str | None:
        return next((c for c in ("note", "name", "title", "review") if c in self.frame.columns), None)

    @property
    def lost(self) -> np.ndarray:
        """Flags of a tenth of the rows, the same each time."""
        return np.random.default_rng(17).random(len(self.frame)) < 0.1

    def moments(self, c: str) -> pd.Series:
        return pd.to_datetime(self.frame[c], format=FORMS.get(c))

    def with_moments(self, c: str, moments: pd.Series) -> pd.DataFrame:
        """The batch with other moments, written as they were."""
        return self.frame.assign(**{c: moments.dt.strftime(FORMS[c]) if c in FORMS else moments})

    def measure(self) -> str | None:
        """The measure with the most different values: what a mistake would hurt the most."""
        return max(self.measures, key=lambda c: self.clean[c].nunique(), default=None)

    def category(self) -> str | None:
        return self.categories[0] if self.categories else None

    def some(self, share: float) -> np.ndarray:
        """Flags of a random part of the rows."""
        return self.r.random(len(self.frame)) < share


def fault(f: Callable[[Batch], Spoiled]) -> Callable[[Batch], Spoiled]:
    """Enter a fault into the list of its module, under the name of its function."""
    FOUND.setdefault(f.__module__, {})[f.__name__] = f
    return f


def as_csv(frame: pd.DataFrame, **options: object) -> bytes:
    return frame.to_csv(index=False, **options).encode()  # type: ignore[call-overload]


def places_of(s: pd.Series) -> int:
    return next((d for d in range(6) if np.allclose(s.dropna(), s.dropna().round(d))), 6)
