"""Step 2: the gate. Every rule of the contract is checked on every split, before anything is trained.

The examples pass on by hard link; with ``on_bad_rows: quarantine`` without the rows that were set aside below
``quarantine/``. Reports are written in any case: ``validation.json``, ``profile.json`` and ``data_docs/index.html``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kilnworks.schemas.artifacts import CheckedExamples, Examples
from kilnworks.schemas.config import Config
from kilnworks.schemas.context import Progress, RunContext
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import link_or_copy, read_json, write_json

if TYPE_CHECKING:
    from kilnworks.components.quality.expectations.history import RunQuality
    from kilnworks.components.quality.expectations.run_gx import Checked
    from kilnworks.components.quality.rows.batches import Rows
    from kilnworks.components.quality.rows.quarantine import Quarantine


class ValidateConfig(Config):
    """What is written beside the verdict; the rules themselves stand in the contract."""

    engine: Literal["pandas", "spark"] = "pandas"
    """Where Great Expectations runs: here, in batches; or on Spark, for data that one machine does not hold."""
    spark_master: str = "local[2]"
    """Where Spark is: ``local[CORES]`` or ``spark://HOST:7077``; only with ``engine: spark``. The workers read the
    shards themselves, so the store lies on a file system that all of them have."""
    data_docs: bool = True
    """Whether to write the Great Expectations site ``data_docs/index.html``."""
    drift: bool = True
    """Whether to compare ``val`` and ``test`` with ``train``; what moved is reported and stops nothing."""
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
    from kilnworks.components.quality.expectations.run_gx import suites_of
    from kilnworks.components.quality.expectations.sample_rows import sample_rows
    from kilnworks.components.quality.expectations.verdict import refuse_broken, report
    from kilnworks.components.quality.rows.batches import rows_of_files

    contract, splits = examples.contract, examples.splits
    suites = suites_of(contract, splits)
    _tell(context, 0, "reading")
    aside = _set_aside(examples, out)
    files = aside.files if aside else {split: examples.files(split) for split in splits}
    rows = {split: rows_of_files(files[split], contract) for split in splits}
    _tell(context, 1, "checking rules")
    checked, profile = _judge(config, files, rows, contract, suites, context)
    outcomes = [outcome for one in checked for outcome in one.outcomes]
    counts = {split: one.height for split, one in rows.items()}
    record = aside.record() if aside else None
    write_json(out / "validation.json", report(outcomes, contract, counts, config.engine, record))
    shown = sample_rows(outcomes, rows, contract)
    write_json(out / "sample_rows.json", shown)
    write_json(out / "profile.json", profile)
    if config.drift:
        _compare_splits(rows, contract, out)
    if config.data_docs:
        from kilnworks.components.quality.expectations.data_docs import write_data_docs

        _tell(context, 3, "data docs")
        write_data_docs(checked, contract, out / "data_docs", shown, _history(out, context))
    refuse_broken(outcomes, contract, config.shown, _too_many(aside))
    _pass_on(examples, aside, out)
    return CheckedExamples(out)


def _judge(
    config: ValidateConfig,
    files: Mapping[str, Sequence[Path]],
    rows: Mapping[str, "Rows"],
    contract: Contract,
    suites: Mapping[str, Any],
    context: RunContext | None,
) -> tuple[list["Checked"], dict[str, Any]]:
    """Results of the rules, and the profile, by the engine that was asked for."""
    if config.engine == "pandas":
        from kilnworks.components.quality.expectations.run_gx import check_splits
        from kilnworks.components.quality.profile.profile import profile_rows

        checked = check_splits(rows, contract, suites)
        _tell(context, 2, "statistics")
        return checked, profile_rows(rows, contract)
    from kilnworks.components.quality.engines.spark_process import judge_on_spark

    heights = {split: one.height for split, one in rows.items()}
    return judge_on_spark(config.spark_master, files, heights, contract)


def _tell(context: RunContext | None, done: int, note: str) -> None:
    if context is not None:
        context.progress(Progress(done, 4, note))


def _compare_splits(rows: Mapping[str, "Rows"], contract: Contract, out: Path) -> None:
    """Each split against ``train``; a split that is an even draw of the same rows has not moved."""
    from kilnworks.components.quality.drift.report import FILE, moved

    filled = {split: one for split, one in rows.items() if one.height}
    others = [split for split in filled if split != "train"] if "train" in filled else []
    found = [moved(filled[split], filled["train"], contract, (split, "train")) for split in others]
    if found:
        write_json(out / FILE, {"comparisons": found})


def _history(out: Path, context: RunContext | None) -> list["RunQuality"]:
    """Earlier runs of the pipeline and, last, this one."""
    from kilnworks.components.quality.expectations.history import earlier_runs, quality_of

    if context is None:
        return []
    runs = earlier_runs(context.store / "runs" / context.pipeline, context.run_id)
    now = quality_of(context.run_id, out)
    return [*runs, *([now] if now else [])]


def _set_aside(examples: Examples, out: Path) -> "Quarantine | None":
    """Bad rows set aside where the contract asks for it."""
    if examples.contract.on_bad_rows == "fail":
        return None
    from kilnworks.components.quality.rows.quarantine import set_aside

    return set_aside(examples, out)


def _too_many(aside: "Quarantine | None") -> str:
    """Words for more bad rows than may be set aside; none where they may be."""
    if aside is None or aside.within:
        return ""
    return f"{aside.share:.2%} of the rows are bad and at most {aside.limit:.2%} may be set aside"


def _pass_on(examples: Examples, aside: "Quarantine | None", out: Path) -> None:
    """Link the shards into ``out`` unless they were written there, and describe them in ``examples.json``."""
    description = dict(read_json(examples.path / "examples.json"))
    for split in examples.splits:
        for file in examples.files(split):
            target = out / file.relative_to(examples.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                link_or_copy(file, target)
        description["splits"][split]["rows"] = aside.rows(split) if aside else examples.rows(split)
    write_json(out / "examples.json", description)
