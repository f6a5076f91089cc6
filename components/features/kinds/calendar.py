"""Datetimes as several numbers: month, day, weekday, time of the day, and the moment itself where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from kilnworks.components.features.calendar import PARTS, CalendarPart, calendar_part
from kilnworks.components.features.kinds.base import Observer, Plan
from kilnworks.components.features.kinds.built_in import BuiltIn, Encoding
from kilnworks.components.features.kinds.dropped import DroppedPlan
from kilnworks.components.features.kinds.number import AllNumbers
from kilnworks.components.features.kinds.scalars import Number, NumberPlan, ScalarsPlan
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import polars as pl


class AllDatetimes(Config):
    """What can be set of all datetimes at once."""

    datetimes: Literal["numeric", "calendar", "moment"] = "numeric"
    """What ``encode: auto`` means for datetimes."""


class CalendarSettings(Config):
    """What can be set of one datetime."""

    parts: tuple[CalendarPart, ...] | None = Field(default=None, min_length=1)
    """The parts that ``calendar`` and ``moment`` give, of ``moment``, ``month``, ``day``, ``weekday`` and
    ``time of day``; None: all of them. A part that runs out of what was seen, as the month does where the rows span
    less than a year, is better left out."""


class CalendarPlan(ScalarsPlan):
    """A datetime as several numbers; the first has the indicator."""

    kind: Literal["calendar"] = "calendar"
    parts: dict[CalendarPart, NumberPlan] = Field(min_length=1)

    def numbers(self, name: str) -> dict[str, Number]:
        """``since`` for the moment, ``since (month)`` for a part."""
        return {
            name if part == "moment" else f"{name} ({part})": Number(name, part, number)
            for part, number in self.parts.items()
        }


class Calendar(BuiltIn):
    """Datetimes by ``calendar`` or ``moment``."""

    takes: ClassVar[str] = "a datetime"

    moment: bool = False
    """Whether the moment itself comes too."""
    parts: tuple[CalendarPart, ...] | None = None
    """See ``CalendarSettings``."""
    indicator: bool = True
    """See ``AllNumbers.missing_indicator``."""
    shares: bool = False
    """See ``AllNumbers``."""

    @classmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """Parts alone, or with the moment."""
        return frozenset({"calendar", "moment"} if feature.dtype == "datetime" else ())

    @classmethod
    def of(cls, feature: Feature, encode: Encoding, own: CalendarSettings, every: AllNumbers) -> Self:
        """Which parts, by ``encode``; the rest for all numbers."""
        return cls(moment=encode == "moment", parts=own.parts, indicator=every.missing_indicator, shares=every.shares)

    def observer(self, name: str, feature: Feature) -> Observer:
        """Moments and quantiles of every part."""
        return CalendarObserver(self, feature)


class CalendarObserver(Observer):
    """Each part as a number."""

    def __init__(self, kind: Calendar, feature: Feature) -> None:
        self._kind, self._feature = kind, feature
        self._parts: dict[CalendarPart, Any] = {}

    def look(self, values: pl.Series) -> None:
        """See ``Observer``."""
        import numpy as np
        import polars as pl

        from kilnworks.components.features.kinds.learned import SeenNumbers

        seconds = values.drop_nulls().cast(pl.Datetime("us")).dt.epoch("s").to_numpy()
        parts: tuple[CalendarPart, ...] = ("moment", *PARTS) if self._kind.moment else PARTS
        wanted = self._kind.parts
        for part in parts if wanted is None else [part for part in parts if part in wanted]:
            seen = self._parts.setdefault(part, SeenNumbers())
            seen.look(pl.Series(part, calendar_part(seconds, part).astype(np.float64)), quantiles=True)
            seen.moments.missing += values.null_count()

    def plan(self) -> Plan:
        """The parts that vary; all but the first without an indicator.

        The moment itself is a share of the training moments, so that later ones count as the last, and no trend goes
        on.
        """
        from kilnworks.components.features.kinds.learned import number_plan

        plans: dict[CalendarPart, NumberPlan] = {}
        for part, seen in self._parts.items():
            if seen.moments.count and seen.moments.low < seen.moments.high:
                missing = self._kind.indicator and self._feature.nullable and seen.moments.missing > 0
                scale: Literal["quantile", "standard"] = "quantile" if part == "moment" else "standard"
                plans[part] = number_plan(self._feature, scale, seen, missing and not plans, self._kind.shares)
        return CalendarPlan(parts=plans) if plans else DroppedPlan(reason="no moment that varies in the training split")
