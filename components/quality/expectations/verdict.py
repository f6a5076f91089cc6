"""What outcomes mean for a pipeline: the content of ``validation.json``, and the error for broken critical rules."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from kilnworks.components.quality.expectations.outcome import Outcome, failures
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid


def report(
    outcomes: Sequence[Outcome],
    contract: Contract,
    rows: Mapping[str, int],
    engine: str,
    quarantine: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Content of ``validation.json``: ``rows`` by split that were checked, ``engine`` that checked them."""
    failed = [outcome for outcome in outcomes if not outcome.success]
    return {
        "success": not any(outcome.failed_critically for outcome in outcomes),
        "contract": contract.name,
        "engine": f"great_expectations {version('great_expectations')}, {engine}",
        "rows": dict(rows),
        "quarantine": quarantine,
        "counts": {
            "rules": len(outcomes),
            "kept": len(outcomes) - len(failed),
            "critical": sum(o.severity == "critical" and not o.could_not_check for o in failed),
            "warning": sum(o.severity == "warning" and not o.could_not_check for o in failed),
            "could_not_check": sum(o.could_not_check for o in failed),
        },
        "outcomes": [outcome.record() for outcome in outcomes],
    }


def refuse_broken(outcomes: Sequence[Outcome], contract: Contract, shown: int, note: str = "") -> None:
    """Raise ``DataInvalid`` where a critical rule is broken or could not be checked.

    Args:
        outcomes: of all rules.
        contract: the contract that they are of.
        shown: most rules that the message lists.
        note: what else stands in its first line.
    """
    critical = [outcome for outcome in outcomes if outcome.failed_critically]
    if not critical:
        return
    broken = [outcome for outcome in critical if not outcome.could_not_check]
    unchecked = [outcome for outcome in critical if outcome.could_not_check]
    parts = [f"{len(broken)} critical rule(s) of contract {contract.name!r} broken"] if broken else []
    parts += [f"{len(unchecked)} critical rule(s) could not be checked"] if unchecked else []
    parts += [note] if note else []
    listed = [outcome.line() for outcome in [*broken, *unchecked]]
    more = [f"... and {len(listed) - shown} more"] if len(listed) > shown else []
    fix = (
        "correct the data, or the contract where it is wrong"
        if broken
        else "correct the check in the contract; the data was not judged"
    )
    raise DataInvalid(
        "; ".join(parts) + ":\n    " + "\n    ".join([*listed[:shown], *more]),
        "data that meets every critical rule",
        f"{fix}; the whole report lies in the step's folder: validation.json, profile.json, data_docs/index.html",
        failures(critical),
    )
