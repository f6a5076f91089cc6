"""What a contract says of a series: rows are moments, one step apart, and what lies ahead is to be forecast."""

import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from kilnworks.schemas.config import Config

DAY = 86_400
WEEK = 7 * DAY
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": DAY}


class Series(Config):
    """``series: {step: 1h, window: 168, horizon: 24, ahead: [temperature]}``."""

    step: str
    """From one row to the next: a whole number and a unit, ``30min``, ``1h`` or ``1d``."""
    window: int = Field(ge=1, le=100_000)
    """Steps of history that a forecast looks back on."""
    horizon: int = Field(ge=1, le=10_000)
    """Steps that are forecast at once."""
    group: str | None = None
    """Feature that says which series a row belongs to, where there are several."""
    ahead: tuple[str, ...] = ()
    """Features that are known for the forecast steps beforehand, such as a weather forecast or a price; of all others
    only the past is looked at."""

    @field_validator("step")
    @classmethod
    def _a_duration(cls, value: str) -> str:
        if not re.fullmatch(r"[1-9]\d{0,5}(s|min|h|d)", value):
            raise ValueError(f"step {value!r} is no duration; write a number and s, min, h or d, such as 30min or 1h")
        return value

    @model_validator(mode="after")
    def _group_is_not_ahead(self) -> Self:
        if self.group in self.ahead:
            raise ValueError(f"{self.group!r} is the group, which never changes; take it out of ahead")
        return self

    @property
    def seconds(self) -> int:
        """The step in seconds."""
        count, unit = re.fullmatch(r"(\d+)(\w+)", self.step).groups()  # type: ignore[union-attr]
        return int(count) * SECONDS[unit]

    @property
    def season(self) -> int:
        """Steps after which a series is expected to repeat: a week or a day where the window holds one, else 1."""
        for period in (WEEK, DAY):
            if period % self.seconds == 0 and self.window >= period // self.seconds > 1:
                return period // self.seconds
        return 1

    @property
    def day(self) -> int:
        """Steps of a day; 1 where a step is no whole part of a day, or is one."""
        return max(1, DAY // self.seconds) if DAY % self.seconds == 0 else 1
