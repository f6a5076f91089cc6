"""Step 2: the gate. Every rule of the contract is checked on every split, before anything is trained.

The examples pass on by hard link. Reports are written in any case: ``validation.json``, ``profile.json`` and
``data_docs/index.html``.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from schemas.artifacts import CheckedExamples, Examples
from schemas.config import Config
from schemas.context import Progress, RunContext
from schemas.contract import Contract
from schemas.errors import DataInvalid
from schemas.files import write_json

if TYPE_CHECKING:
    from components.quality.outcome import Outcome


class ValidateConfig(Config):
    """What is written beside the verdict; the rules themselves stand in the contract."""

    data_docs: bool = True
    """Whether to write the Great Expectations site ``data_docs/index.html``."""
    shown: int = Field(default=20, ge=1)
    """Most broken rules that the error message lists; the reports hold all."""


def validate(
    config: ValidateConfig, examples: Examples, out: Path, context: RunContext | None = None
) -> CheckedExamples:
    """Check the examples against their contract and pass them on.

    Raises:
        DataInvalid: a critical rule is broken, or could not be checked; the reports lie in ``out`` by then.
        ContractError: a check of the contract does not fit Great Expectations.
    """
    from components.quality.frames import read_split
    from components.quality.profile import profile_splits
    from components.quality.run_gx import check_splits, suites_of

    contract, splits = examples.contract, examples.splits
    suites = suites_of(contract, splits)
    _tell(context, 0, "reading")
    frames = {split: read_split(examples.files(split), contract) for split in splits}
    _tell(context, 1, "checking rules")
    checked = check_splits(frames, contract, suites)
    del frames
    outcomes = [outcome for one in checked for outcome in one.outcomes]
    write_json(out / "validation.json", _report(outcomes, examples))
    _tell(context, 2, "statistics")
    write_json(out / "profile.json", profile_splits({split: examples.files(split) for split in splits}, contract))
    if config.data_docs:
        from components.quality.data_docs import write_data_docs

        _tell(context, 3, "data docs")
        write_data_docs(checked, contract, out / "data_docs")
    _raise_if_broken(outcomes, contract, config)
    _pass_on(examples, out)
    return CheckedExamples(out)


def _tell(context: RunContext | None, done: int, note: str) -> None:
    if context is not None:
        context.progress(Progress(done, 4, note))


def _report(outcomes: Sequence["Outcome"], examples: Examples) -> dict[str, Any]:
    """Content of ``validation.json``."""
    from importlib.metadata import version

    failed = [outcome for outcome in outcomes if not outcome.success]
    return {
        "success": not any(outcome.failed_critically for outcome in outcomes),
        "contract": examples.contract.name,
        "engine": f"great_expectations {version('great_expectations')}, pandas",
        "rows": {split: examples.rows(split) for split in examples.splits},
        "counts": {
            "rules": len(outcomes),
            "kept": len(outcomes) - len(failed),
            "critical": sum(o.severity == "critical" and not o.could_not_check for o in failed),
            "warning": sum(o.severity == "warning" and not o.could_not_check for o in failed),
            "could_not_check": sum(o.could_not_check for o in failed),
        },
        "outcomes": [outcome.record() for outcome in outcomes],
    }


def _raise_if_broken(outcomes: Sequence["Outcome"], contract: Contract, config: ValidateConfig) -> None:
    from components.quality.outcome import failures

    critical = [outcome for outcome in outcomes if outcome.failed_critically]
    if not critical:
        return
    broken = [outcome for outcome in critical if not outcome.could_not_check]
    unchecked = [outcome for outcome in critical if outcome.could_not_check]
    parts = [f"{len(broken)} critical rule(s) of contract {contract.name!r} broken"] if broken else []
    parts += [f"{len(unchecked)} critical rule(s) could not be checked"] if unchecked else []
    listed = [outcome.line() for outcome in [*broken, *unchecked]]
    more = [f"... and {len(listed) - config.shown} more"] if len(listed) > config.shown else []
    fix = (
        "correct the data, or the contract where it is wrong"
        if broken
        else "correct the check in the contract; the data was not judged"
    )
    raise DataInvalid(
        "; ".join(parts) + ":\n    " + "\n    ".join([*listed[: config.shown], *more]),
        "data that meets every critical rule",
        f"{fix}; the whole report lies in the step's folder: validation.json, profile.json, data_docs/index.html",
        failures(critical),
    )


def _pass_on(examples: Examples, out: Path) -> None:
    """Link the shards and ``examples.json`` into ``out``; copy where the file system does not link."""
    names = ["examples.json", *(str(f.relative_to(examples.path)) for s in examples.splits for f in examples.files(s))]
    for name in names:
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(examples.path / name, target)
        except OSError:
            shutil.copyfile(examples.path / name, target)
