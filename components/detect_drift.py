"""Has the data moved? Two sets of examples, or the requests of a model and the data that it learned from.

``kilnworks drift NAME`` does it for a file or for the server's log. Not part of the supervised chain: give it to a
pipeline that watches a model, with the live model's data as baseline::

    Step("drift", detect_drift, DriftConfig(), {"examples": "examples", "baseline": Champion("churn", "checked")})
    Step("drift", detect_drift_in_file, FileDriftConfig(file=...), {"baseline": Champion("churn", "checked")})
    Step("skew", detect_drift_in_log, LogDriftConfig(log=...), {"baseline": Champion("churn", "checked")})
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from kilnworks.components.sources import AnySource, Source, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.prediction_log import PredictionLogSource
from kilnworks.schemas.artifacts import DriftReport, Examples
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, StepSkipped
from kilnworks.schemas.files import write_json
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    from kilnworks.components.quality.rows.batches import Rows


class _Judged(Config):
    """What both comparisons take."""

    baseline_split: str = "train"
    """Split of the baseline that is compared with."""
    rows: int = Field(default=200_000, ge=100)
    """Most rows of either side, evenly spread over all."""
    classifier: bool = True
    """Whether a small model tries to tell the two apart, which sees features that move together; takes seconds."""
    most_drifted: int | None = Field(default=None, ge=0)
    """Most features that may have drifted; with more, or when the small model tells the two apart, what follows is
    skipped. None: drift is only reported. Thresholds stand in the contract (``drift``)."""


class DriftConfig(_Judged):
    """Which rows are compared, and what follows from drift."""

    split: str = "train"
    """Split of the new examples."""


class FileDriftConfig(_Judged):
    """Which file is compared, and what follows from drift."""

    path_fields: ClassVar[tuple[str, ...]] = ("file",)

    file: str
    """CSV, JSON lines, Parquet or ``.npz``; the label may be absent."""
    like: AnySource | None = None
    """How the training data were read; a file of the same kind is read so, too (separator, encoding, ...)."""


class LogDriftConfig(_Judged):
    """Which log is compared, and what follows from drift."""

    log: PredictionLogSource
    """The prediction log of the server."""


def detect_drift(config: DriftConfig, examples: Examples, baseline: Examples, out: Path) -> DriftReport:
    """Compare new examples with those that a model learned from; writes ``drift.json`` and ``decision.json``.

    Raises:
        ConfigError: a split is not there or empty.
        StepSkipped: more has drifted than ``most_drifted`` allows.
    """
    names = (f"{config.split} of the new examples", f"{config.baseline_split} of the baseline")
    return _judge(config, _rows(examples, config.split), baseline, names, out, with_label=True)


def detect_drift_in_file(config: FileDriftConfig, baseline: Examples, out: Path) -> DriftReport:
    """Compare the rows of a file with the examples that a model learned from.

    Raises:
        DataUnreadable: the file is missing, empty, of an unknown kind or broken.
        DataInvalid: a feature's column is missing.
        ConfigError: the split is not there or empty.
        StepSkipped: more has drifted than ``most_drifted`` allows.
    """
    from kilnworks.components.predicting.rows import file_source

    contract = baseline.contract
    source = file_source(Path(config.file), config.like, list(contract.features))
    labelled = contract.label is not None and contract.label.name in source.column_names()
    wanted = [*contract.features, *([contract.label.name] if contract.label and labelled else [])]
    names = (Path(config.file).name, f"{config.baseline_split} of the baseline")
    return _judge(config, _all_rows(source, wanted, contract), baseline, names, out, with_label=labelled)


def detect_drift_in_log(config: LogDriftConfig, baseline: Examples, out: Path) -> DriftReport:
    """Compare the requests that a server logged with the examples that its model learned from.

    Raises:
        DataUnreadable: the log is missing, broken or holds no request.
        ConfigError: the split is not there or empty.
        StepSkipped: more has drifted than ``most_drifted`` allows.
    """
    names = ("requests", f"{config.baseline_split} of the baseline")
    contract = _logged(config.log, baseline.contract)
    rows = _all_rows(config.log, list(contract.features), contract)
    sampled = config.log.sampled()
    told = {"sampling": {**asdict(sampled), "words": sampled.words()}}
    return _judge(config, rows, baseline, names, out, with_label=False, told=told, contract=contract)


def _logged(source: Source, contract: Contract) -> Contract:
    """The contract without the sensitive features that a server did not write to its log."""
    there = set(source.column_names())
    features = {name: f for name, f in contract.features.items() if name in there or not f.sensitive}
    return contract if len(features) == len(contract.features) else contract.model_copy(update={"features": features})


def _all_rows(source: Source, names: list[str], contract: Contract) -> "Rows":
    """These columns of every row of a source, in contract dtypes."""
    import polars as pl

    from kilnworks.components.quality.rows.batches import rows_of_frame

    columns = {n: c for n, c in contract_columns(contract).items() if n in names}
    frames = [frame.select(list(columns)) for frame in source.frames(Wanted(columns, any_extra=True))]
    return rows_of_frame(pl.concat(frames))


def _rows(examples: Examples, split: str) -> "Rows":
    from kilnworks.components.quality.rows.batches import rows_of_files

    if split not in examples.splits or not examples.rows(split):
        filled = ", ".join(s for s in examples.splits if examples.rows(s))
        raise ConfigError(f"no rows in split {split!r}", f"one of {filled}", "name another split")
    return rows_of_files(examples.files(split), examples.contract)


def _judge(
    config: _Judged,
    new: "Rows",
    baseline: Examples,
    names: tuple[str, str],
    out: Path,
    *,
    with_label: bool,
    told: Mapping[str, Any] | None = None,
    contract: Contract | None = None,
) -> DriftReport:
    """Compare, keep what was found and what is ``told`` beside it, and decide."""
    from kilnworks.components.quality.drift.report import FILE, moved
    from kilnworks.schemas.decision import Comparand, DecisionRecord

    reference = _rows(baseline, config.baseline_split)
    settings: dict[str, Any] = {"rows": config.rows, "classifier": config.classifier, "with_label": with_label}
    found = {**moved(new, reference, contract or baseline.contract, names, **settings), **(told or {})}
    write_json(out / FILE, {"comparisons": [found]})
    count, limit, domain = len(found["drifted"]), config.most_drifted, found["domain"]
    few = limit is None or count <= limit
    alike = not (domain is not None and domain["drifted"] and limit is not None)
    checks = [Comparand(name="drifted features", measured=count, comparison="<=", wanted=limit or 0, passed=few)]
    if domain is not None and limit is not None:
        wanted = found["thresholds"]["domain_classifier"]
        checks.append(
            Comparand(name="domain classifier", measured=domain["auc"], comparison="<=", wanted=wanted, passed=alike)
        )
    record = DecisionRecord(
        gate="drift",
        passed=few and alike,
        rule="drift is only reported" if limit is None else f"at most {limit} features have drifted",
        checks=() if limit is None else tuple(checks),
        reason=f"{count} of {len(found['features'])} features have drifted: {listed(found['drifted']) or 'none'}",
        next_action="" if few and alike else "look at the features that moved, and train again on newer data",
    )
    record.write(out)
    if not record.passed:
        raise StepSkipped(record.headline, record.rule, record.next_action, record.record())
    return DriftReport(out)
