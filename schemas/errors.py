"""Everything that Kilnworks raises on purpose.

::

    KilnworksError
    + ConfigError            a setting, name or file given by a person is wrong (exit code 2)
    |   + WiringError        the steps of a pipeline do not fit together
    |   + ContractError      a contract file is wrong: names the line and what is allowed there
    |   + UnknownName        no such pipeline, step, run or model: names the nearest that exists
    |   + ExtraMissing       a package is not installed: names the extra that brings it
    + StepSkipped            a gate is closed: nothing downstream runs (exit code 99)
    + StepFailed             a step ran and its result must not be used (exit code 1)
    |   + DataUnreadable     the source is missing, empty or broken
    |   + DataInvalid        rows break the contract: names column, rule, counts and samples
    |   + TrainingDiverged   the loss is not finite
    |   + SkewDetected       the exported model answers differently from the trained one
    |   + DeployFailed       the version did not become AVAILABLE
    + StoreError             the store is read-only, full, or an artifact in it is damaged (exit code 1)
    |   + NotTheOwner        another host publishes, approves, retrains and prunes in this store
    + RequestInvalid         rows of a prediction request break the contract (exit code 1)
    + ServerUnavailable      no model server answers, or not in time (exit code 1)

Every message says what was got, what was wanted, and what to do next.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kilnworks.schemas.masking import masked, masked_tree
from kilnworks.schemas.words import cut, listed

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_SKIPPED = 99
EXIT_INTERRUPTED = 130
LONGEST = 20_000
"""Most characters of each part of a message."""


class KilnworksError(Exception):
    """Base of every error that Kilnworks raises itself.

    Args:
        got: what was found, e.g. ``"examples.csv has no column 'age'"``.
        wanted: what should have been there, e.g. ``"the columns of the contract: age, income"``.
        fix: what the reader can do about it, as a full clause.
        details: values for machines (decision records, reports); JSON-serializable.

    Secrets in the texts are masked, and what is longer than ``LONGEST`` is cut: a library may repeat a whole file.
    """

    exit_code = EXIT_FAILED
    retry_helps = False
    """Whether the same call may succeed later with nothing changed by a person."""

    def __init__(self, got: str, wanted: str = "", fix: str = "", details: Mapping[str, Any] | None = None) -> None:
        got, wanted, fix = (masked(cut(text, LONGEST)) for text in (got, wanted, fix))
        self.got, self.wanted, self.fix = got, wanted, fix
        self.details: dict[str, Any] = masked_tree(dict(details or {}))
        wanted_text = f"\n  wanted: {wanted}" if wanted else ""
        fix_text = f"\n  to do:  {fix}" if fix else ""
        super().__init__(f"{got}{wanted_text}{fix_text}")

    def __reduce__(self) -> tuple[Any, ...]:
        """An error goes to another process as it is, whatever its own class takes."""
        return _made_again, (type(self), self.got, self.wanted, self.fix, self.details)

    def reworded(self, got: str) -> "KilnworksError":
        """The same error, with other words for what was found."""
        return _made_again(type(self), got, self.wanted, self.fix, self.details)

    def record(self) -> dict[str, Any]:
        """The error as JSON-serializable values."""
        return {
            "type": type(self).__name__,
            "got": self.got,
            "wanted": self.wanted,
            "fix": self.fix,
            "details": self.details,
            "retry_helps": self.retry_helps,
        }


def _made_again(kind: type[KilnworksError], got: str, wanted: str, fix: str, details: dict[str, Any]) -> KilnworksError:
    """The error of a class with these words."""
    error = kind.__new__(kind)
    KilnworksError.__init__(error, got, wanted, fix, details)
    return error


class ConfigError(KilnworksError):
    """A setting, name or file that a person gave is wrong; nothing has run."""

    exit_code = EXIT_USAGE


class WiringError(ConfigError):
    """The steps of a pipeline do not fit together; found when the pipeline is made."""


class ContractError(ConfigError):
    """A contract file is wrong."""


class UnknownName(ConfigError):
    """A name that does not exist; the message offers the nearest one that does.

    Args:
        what: kind of thing.
        name: what was asked for.
        known: names that exist.
        otherwise: what to do where none of them is near.
    """

    def __init__(self, what: str, name: str, known: Iterable[str], otherwise: str = "") -> None:
        have = sorted(known)
        near = difflib.get_close_matches(name, have, n=1, cutoff=0.5)
        advice = otherwise or ("choose one of these" if have else "make one first")
        super().__init__(
            f"no {what} {name!r}",
            f"one of {listed(have)}" if have else f"a {what} (there is none yet)",
            f"did you mean {near[0]!r}?" if near else advice,
            {"name": name, "known": have},
        )


class ExtraMissing(ConfigError):
    """A package that a command or a step needs is not installed; see ``schemas.extras``."""


class StepSkipped(KilnworksError):
    """A gate is closed. Not a failure: the decision record says why."""

    exit_code = EXIT_SKIPPED


class StepFailed(KilnworksError):
    """The step ran, and its result must not be used."""

    retry_helps = True


class DataUnreadable(StepFailed):
    """The source is missing, empty or cannot be decoded; it may be back later."""


class DataInvalid(StepFailed):
    """At least one critical rule of the contract is broken.

    ``details["failures"]`` lists them: ``{"split", "column", "rule", "severity", "unexpected", "checked", "samples"}``.
    """

    retry_helps = False

    def __init__(self, got: str, wanted: str = "", fix: str = "", failures: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(got, wanted, fix, {"failures": [dict(f) for f in failures]})


class TrainingDiverged(StepFailed):
    """The training loss became NaN or infinite."""

    retry_helps = False


class SkewDetected(StepFailed):
    """The exported model does not give the trained model's answers."""

    retry_helps = False


class DeployFailed(StepFailed):
    """The published version did not become AVAILABLE."""


class StoreError(KilnworksError):
    """The store cannot be written or read, or an artifact in it is damaged."""

    retry_helps = True


class NotTheOwner(StoreError):
    """Another host keeps the records of a remote store that only one host may keep."""

    retry_helps = False


class RequestInvalid(KilnworksError):
    """Rows of a prediction request break the contract."""


class ServerUnavailable(KilnworksError):
    """No model server answers, or not within the deadline."""

    retry_helps = True
