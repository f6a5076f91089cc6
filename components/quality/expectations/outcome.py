"""What came of a rule on a split: kept, broken, or could not be checked."""

from collections.abc import Iterable
from typing import Any

from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Severity
from kilnworks.schemas.words import named, shown

SHOWN = 5


class Outcome(Config):
    """One rule on one split."""

    rule: str
    """Name of the rule, e.g. ``tenure: range``."""
    text: str
    """The rule in words, e.g. ``is between 0 and 120 months``."""
    expectation: str
    """Its name in Great Expectations."""
    column: str | None = None
    """The column of the contract; none for the table."""
    split: str
    """The split, or ``all`` for the whole data set."""
    severity: Severity
    success: bool
    """Whether the rule holds. False where it could not be checked."""
    could_not_check: bool = False
    """Whether the check itself crashed; then nothing is known about the data."""
    exception: str | None = None
    """What the crashed check said."""
    unexpected: int | None = None
    """Rows that break the rule; none for rules that are not about single rows."""
    checked: int | None = None
    """Rows that were looked at."""
    samples: tuple[Any, ...] = ()
    """Some of the values that break the rule; masked for sensitive columns."""
    lacking: tuple[Any, ...] = ()
    """What should be there and is not, such as a class, or rows of a split."""
    observed: Any = None
    """What was found, for rules on the whole column."""
    description: str = ""

    @property
    def share(self) -> float | None:
        """Share of the rows that break the rule, 0 to 1."""
        if self.unexpected is None or not self.checked:
            return None
        return self.unexpected / self.checked

    @property
    def failed_critically(self) -> bool:
        """Whether this outcome stops the pipeline."""
        return not self.success and self.severity == "critical"

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-serializable values, the share with it."""
        return {**self.model_dump(mode="json"), "share": self.share}

    def line(self) -> str:
        """The outcome in one line of an error message."""
        where = f"{named(self.column) if self.column else 'table'} [{self.split}]"
        if self.could_not_check:
            return f"{where}: could not check that it {self.text}: {self.exception}"
        found = [f"{self.unexpected:,} of {self.checked:,} rows break it"] if self.unexpected and self.checked else []
        found += [f"found {', '.join(map(_shown, self.samples[:SHOWN]))}"] if self.samples else []
        found += [f"lacking: {', '.join(map(_shown, self.lacking[:SHOWN]))}"] if self.lacking else []
        if self.observed is not None and not found:
            found = [f"found {_shown(self.observed)}"]
        return f"{where}: {self.text}" + (f" ({'; '.join(found)})" if found else "")


def _shown(value: Any) -> str:
    return shown(value) if isinstance(value, str) else shown(repr(value))[1:-1]


def failures(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Broken critical rules as ``DataInvalid`` lists them."""
    return [
        {
            "split": outcome.split,
            "column": outcome.column,
            "rule": outcome.text,
            "severity": outcome.severity,
            "unexpected": outcome.unexpected,
            "checked": outcome.checked,
            "samples": list(outcome.samples),
            "lacking": list(outcome.lacking),
            "could_not_check": outcome.could_not_check,
        }
        for outcome in outcomes
        if outcome.failed_critically
    ]
