"""The decision record: what a gate decided, by which rule, on which numbers, and what comes next.

Every gate leaves one as ``decision.json`` (a closed gate writes it before it raises ``StepSkipped``)::

    record = DecisionRecord(gate="evaluation", passed=False, rule="auc at least 0.8", checks=(...,), next_action="...")
    record.write(out)
    raise StepSkipped(record.headline, record.rule, record.next_action, record.record())
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kilnworks.schemas.config import Config
from kilnworks.schemas.files import read_json, write_json
from kilnworks.schemas.words import figure

Comparison = Literal[">=", "<=", "==", "is"]

FILE_NAME = "decision.json"

_KEPT = {">=": "at least", "<=": "at most", "==": "equal to", "is": "as wanted:"}
_MISSED = {">=": "below", "<=": "above", "==": "not", "is": "not"}


class Comparand(Config):
    """One number held against one limit."""

    name: str
    """What was measured, e.g. ``auc``."""
    measured: float | str | None
    """The number that was judged; None where it is undefined."""
    comparison: Comparison
    """How ``measured`` is held against ``wanted``."""
    wanted: float | str
    """The limit, in the unit of ``measured``."""
    passed: bool
    """Whether the limit was kept."""
    note: str = ""
    """Anything a reader needs beside the numbers, such as the interval or why a number is undefined."""

    @property
    def text(self) -> str:
        """The comparison as a clause, e.g. ``auc 0.71 is below 0.8``."""
        note = f" ({self.note})" if self.note else ""
        if self.measured is None:
            return f"{self.name} is undefined and should be {_KEPT[self.comparison]} {_plain(self.wanted)}{note}"
        words = (_KEPT if self.passed else _MISSED)[self.comparison]
        return f"{self.name} {_plain(self.measured)} is {words} {_plain(self.wanted)}{note}"


class DecisionRecord(Config):
    """What a gate decided. Numbers are finite or None; nothing in it depends on the clock."""

    gate: str
    """Which gate, e.g. ``evaluation`` or ``deployment``."""
    passed: bool
    """True: what follows may run. False: it does not."""
    rule: str
    """The rule in force, in words."""
    checks: tuple[Comparand, ...] = ()
    """Every number that the rule looked at, whether it passed or not."""
    reason: str = ""
    """Why, where the checks do not say it themselves."""
    next_action: str = ""
    """What the reader, or the pipeline, does now."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Fingerprints of what was judged, by name; those that are known."""
    details: dict[str, Any] = Field(default_factory=dict)
    """Further values for machines; JSON-serializable."""

    @property
    def headline(self) -> str:
        """The decision in one line for a person."""
        state = "passed" if self.passed else "closed"
        failed = [check.text for check in self.checks if not check.passed]
        why = "; ".join(failed) or self.reason or "; ".join(check.text for check in self.checks) or self.rule
        return f"{self.gate} gate {state}: {why}"

    def record(self) -> dict[str, Any]:
        """The content of ``decision.json``: the headline first."""
        return {"headline": self.headline, **self.model_dump(mode="json")}

    def write(self, out: Path) -> Path:
        """Write ``decision.json`` below ``out`` and return its path."""
        path = out / FILE_NAME
        write_json(path, self.record())
        return path


def read_decision(directory: Path) -> DecisionRecord:
    """The record that a gate left in ``directory``. Raises ``FileNotFoundError`` where there is none."""
    content = dict(read_json(directory / FILE_NAME))
    content.pop("headline", None)
    return DecisionRecord.model_validate(content)


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else figure(value)
