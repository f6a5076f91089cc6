"""What MLflow is told of a run, in its terms."""

import calendar
import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kilnworks.components.charts.svg import standalone
from kilnworks.components.reporting.reading import RunRecord, StepRecord, read_history, read_object, read_run
from kilnworks.components.reporting.sections.evaluation import pictures
from kilnworks.components.reporting.sections.training import learning_curves
from kilnworks.schemas.json_values import as_dict, as_number

ALIAS = "champion"
RUN_TAG = "kilnworks.run_id"
STATE_TAG = "kilnworks.state"
"""Tag of a run: what it was like when it was sent, to see whether it went on since."""
CHAMPION_TAG = "kilnworks.champion"
"""Tag of the run whose model is live; no other run of the pipeline has it."""
PATH_TAG = "kilnworks.path"
"""Tag of a model version: the directory that it is served from. A version is known again by it."""
WORDING = 1
"""Raised whenever runs are described in other terms, so that those that were sent are sent again."""

KEY_LENGTH, VALUE_LENGTH = 250, 6000
PARAMS = 500
"""Most parameters of a run; the rest is in the manifests."""
COLUMNS = {"int": "long", "float": "double", "bool": "boolean", "datetime": "datetime", "string": "string"}
"""Dtype of a feature -> what MLflow calls it."""

Status = Literal["RUNNING", "FINISHED", "FAILED"]


@dataclass(frozen=True)
class Measured:
    """One value of a metric; ``step`` is the epoch, ``timestamp`` milliseconds since 1970."""

    key: str
    value: float
    step: int
    timestamp: int


@dataclass(frozen=True)
class Version:
    """A published model: ``source`` is the directory that it is served from."""

    model: str
    number: int
    source: str


@dataclass(frozen=True)
class DataSet:
    """What a run learned from: ``digest`` changes with the rows, ``schema`` and ``profile`` are JSON for MLflow."""

    name: str
    digest: str
    kind: str
    source: str
    schema: str
    profile: str


@dataclass(frozen=True)
class TrackedRun:
    """A run in MLflow's terms.

    Attributes:
        experiment: the pipeline's name.
        name: the run id; it names one MLflow run, so that tracking again replaces what is there.
        started, ended: milliseconds since 1970; ``ended`` is None while the run goes on.
        artifacts: path below the run's artifacts -> content.
        data: what it learned from; None while no rows have been read.
        version: the model that this run has published; None where it has none.
        champion: where the live model of the pipeline is served from; empty where there is none.
    """

    experiment: str
    name: str
    status: Status
    started: int
    ended: int | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: tuple[Measured, ...]
    artifacts: Mapping[str, bytes]
    data: DataSet | None
    version: Version | None
    champion: str


def collect(run_dir: Path) -> TrackedRun:
    """Read a run directory, in any state, into MLflow's terms."""
    run = read_run(run_dir)
    pipeline = str(run.run.get("pipeline") or run_dir.parent.name)
    started = milliseconds(str(run.run.get("started") or ""))
    stamps = [milliseconds(str(step.record.get("at") or "")) for step in run.steps]
    pointer = read_object(run_dir.parents[2] / "champions" / f"{pipeline}.json")
    return TrackedRun(
        experiment=pipeline,
        name=str(run.run.get("run_id") or run_dir.name),
        status={"failed": "FAILED", "running": "RUNNING"}.get(run.outcome, "FINISHED"),  # type: ignore[arg-type]
        started=started,
        ended=None if run.outcome == "running" else max([started, *stamps]),
        params=_params(run),
        tags=_tags(run, pipeline),
        metrics=tuple(_metrics(run, started)),
        artifacts=dict(_artifacts(run)),
        data=_data(run),
        version=_version(run),
        champion=str(pointer.get("path") or ""),
    )


def state(run: RunRecord) -> str:
    """A short text that changes when a run goes on, or is described in other terms."""
    ended = [(s.name, s.outcome, s.fingerprint, str(s.record.get("at") or "")) for s in run.steps]
    return hashlib.sha256(repr((WORDING, ended)).encode()).hexdigest()[:16]


def milliseconds(stamp: str) -> int:
    """An instant such as ``2026-01-02T03:04:05.678Z`` in milliseconds since 1970; 0 for anything else."""
    try:
        seconds = calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return 0
    fraction = re.match(r"\.(\d{1,3})", stamp[19:])
    return seconds * 1000 + (int(fraction[1].ljust(3, "0")) if fraction else 0)


def key(name: str) -> str:
    """A name that MLflow accepts as a key."""
    return re.sub(r"[^\w\-. :/]", "_", name)[:KEY_LENGTH]


def metric_key(name: str) -> str:
    """A name that a search takes without quotes, as in ``metrics.test_auc > 0.9``."""
    return re.sub(r"\W", "_", name)[:KEY_LENGTH]


def flatten(tree: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Dotted path -> text for every leaf; lists are JSON."""
    if isinstance(tree, dict) and tree:
        for name, branch in tree.items():
            yield from flatten(branch, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(tree, str):
        yield key(prefix), tree[:VALUE_LENGTH]
    else:
        yield key(prefix), json.dumps(tree, default=str)[:VALUE_LENGTH]


def _params(run: RunRecord) -> dict[str, str]:
    """Settings of every finished step as ``step.field``: those that differ from the defaults, but for the contract.

    All of them where an earlier release made the step, which did not say which differ.
    """
    found: list[tuple[str, str]] = []
    for step in run.steps:
        chosen = step.manifest.get("not_default", step.manifest.get("config")) or {}
        found += [pair for pair in flatten(chosen, step.name) if not pair[0].startswith(f"{step.name}.contract.")]
    return dict([(name, value) for name, value in found if value != "{}"][:PARAMS])


def _tags(run: RunRecord, pipeline: str) -> dict[str, str]:
    reason = next((s.reason for s in run.steps if s.outcome in ("failed", "skipped") and s.reason), "")
    tags = {
        RUN_TAG: str(run.run.get("run_id") or run.path.name),
        STATE_TAG: state(run),
        "kilnworks.pipeline": pipeline,
        "kilnworks.outcome": run.outcome,
        "kilnworks.directory": str(run.path),
        "kilnworks.command": str(run.run.get("command") or ""),
        "mlflow.source.name": f"kilnworks run {pipeline}",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": reason,
    }
    tags |= {key(f"kilnworks.fingerprint.{s.name}"): s.fingerprint for s in run.steps if s.fingerprint}
    return {name: value[:VALUE_LENGTH] for name, value in tags.items() if value}


def _metrics(run: RunRecord, started: int) -> Iterator[Measured]:
    """Learning curves by epoch as Keras names them, the evaluation with its intervals, and seconds by step."""
    for step, path in run.holding("history.csv"):
        history, at = read_history(path), _ended(step, started)
        epochs = history.get("epoch", [])
        for name, column in history.items():
            for i, value in enumerate(column if name != "epoch" else []):
                epoch = int(epochs[i]) if i < len(epochs) and epochs[i] is not None else i  # type: ignore[arg-type]
                if value is not None:
                    yield Measured(metric_key(name), value, epoch, at + epoch)
        break
    for step, path in run.holding("evaluation.json"):
        evaluation, at = read_object(path), _ended(step, started)
        split = str(evaluation.get("split") or "test")
        for name, metric in as_dict(evaluation.get("metrics")).items():
            for part, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                value = as_number(as_dict(metric).get(part))
                if value is not None:
                    yield Measured(metric_key(f"{split}_{name}{suffix}"), value, 0, at)
        break
    for step in run.steps:
        if step.seconds is not None and step.outcome != "running":
            yield Measured(metric_key(f"seconds_{step.name}"), step.seconds, 0, _ended(step, started))


def _ended(step: StepRecord, started: int) -> int:
    """When a step ended, in milliseconds since 1970; of two values of a metric MLflow shows the later."""
    return milliseconds(str(step.record.get("at") or "")) or started


def _data(run: RunRecord) -> DataSet | None:
    """The rows that the run read: where from, their columns, and how many each split has."""
    for step, path in reversed(list(run.holding("examples.json"))):
        examples, source = read_object(path), as_dict(as_dict(step.manifest.get("config")).get("source"))
        contract = as_dict(examples.get("contract"))
        features = {name: as_dict(feature) for name, feature in as_dict(contract.get("features")).items()}
        columns = [_column(name, feature) for name, feature in features.items()]
        rows = {split: as_dict(part).get("rows") for split, part in as_dict(examples.get("splits")).items()}
        place = source.get("path")
        return DataSet(
            name=str(contract.get("name") or run.path.parent.name),
            digest=step.fingerprint[:12],
            kind="local" if place else str(source.get("kind") or "unknown"),
            source=json.dumps({"uri": place} if place else source, default=str),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps({f"{split}_rows": count for split, count in rows.items()}),
        )
    return None


def _column(name: str, feature: Mapping[str, Any]) -> dict[str, Any]:
    kind: Any = COLUMNS.get(str(feature.get("dtype")), "binary")
    if feature.get("shape"):
        kind = "array"
    return {"name": name, "type": kind, "required": not feature.get("nullable")}


def _artifacts(run: RunRecord) -> Iterator[tuple[str, bytes]]:
    """The figures as SVG files, and the small files that people look for."""
    for _, path in run.holding("history.csv"):
        best = as_number(run.find("training.json").get("best_epoch"))
        for name, picture in learning_curves(read_history(path), best):
            yield f"figures/training_{re.sub(r'[^A-Za-z0-9_]', '_', name)}.svg", standalone(picture).encode()
        break
    evaluation = run.find("evaluation.json")
    for name, picture in pictures(evaluation) if evaluation else []:
        yield f"figures/{name}.svg", standalone(picture).encode()
    for name in ("evaluation.json", "decision.json"):
        for _, path in run.holding(name):
            yield name, path.read_bytes()
            break
    report = run.path / "report.html"
    if report.is_file():
        yield "report.html", report.read_bytes()


def _version(run: RunRecord) -> Version | None:
    deployment = run.find("deployment.json")
    number = as_number(deployment.get("version"))
    if number is None or not deployment.get("model") or not deployment.get("path"):
        return None
    return Version(str(deployment["model"]), int(number), str(deployment["path"]))
