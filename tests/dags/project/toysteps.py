"""Components for tests of the DAGs: a mean as the model, real artifact kinds, no heavy library."""

import csv
import hashlib
import json
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from kilnworks.components.sources.window import Window
from kilnworks.schemas.artifacts import CheckedExamples, Deployment, Evaluation, Model, Servable
from kilnworks.schemas.champion import ChampionRecord, champion_path, write_champion
from kilnworks.schemas.config import Config
from kilnworks.schemas.context import Progress, RunContext
from kilnworks.schemas.decision import Comparand, DecisionRecord
from kilnworks.schemas.errors import DataInvalid, ServerUnavailable, StepSkipped


class Lines(Config):
    """CSV files with a column ``value``."""

    kind: Literal["lines"] = "lines"
    path: str
    """File, or folder of files."""

    def files(self) -> list[Path]:
        path = Path(self.path)
        return sorted(path.glob("*.csv")) if path.is_dir() else [path]

    def identity(self) -> dict[str, Any]:
        return {"bytes": [hashlib.sha256(f.read_bytes()).hexdigest() for f in self.files()]}


class RowsConfig(Config):
    source: Lines
    split: Literal["hash", "time"] = "hash"
    """How rows are parted."""
    window: Window | None = None
    """Stretch of time."""


class Mean(Config):
    """All values count."""

    kind: Literal["mean"] = "mean"


class Trimmed(Config):
    """The lowest and highest values do not count."""

    kind: Literal["trimmed"] = "trimmed"
    share: float = Field(default=0.1, ge=0, lt=0.5)
    """Share of the values that is left out at each end."""


class LearnConfig(Config):
    method: Annotated[Mean | Trimmed, Field(discriminator="kind")] = Mean()
    epochs: int = Field(default=2, ge=1, le=50)
    """Passes over the rows."""
    rate: float | None = Field(default=None, gt=0)
    """Learning rate; None: chosen."""
    seconds: float = 0.0
    """Seconds that an epoch takes."""
    fail: Literal["", "data", "server", "once", "crash"] = ""
    """How it goes wrong."""
    words: tuple[str, ...] = ("", "NA")
    """Texts, one of them empty."""


class JudgeConfig(Config):
    minimum: dict[str, float] = Field(default_factory=dict)
    """Least value of each metric."""


class PlainConfig(Config):
    keep: int = Field(default=3, ge=1)
    """Versions kept."""


def rows(config: RowsConfig, out: Path) -> CheckedExamples:
    """Read the values."""
    found = [r for f in config.source.files() for r in csv.DictReader(f.read_text().splitlines())]
    try:
        values = [float(r["value"]) for r in found if config.window is None or inside(config.window, r["time"])]
    except ValueError as error:
        raise DataInvalid(f"column value: {error}", "numbers", "mend the file") from None
    (out / "values.json").write_text(json.dumps(values))
    splits = {"train": {"rows": len(values), "files": []}}
    (out / "examples.json").write_text(json.dumps({"contract": {}, "splits": splits}))
    return CheckedExamples(out)


def inside(window: Window, text: str) -> bool:
    return window.start <= datetime.fromisoformat(text).replace(tzinfo=UTC) < window.end


def learn(config: LearnConfig, examples: CheckedExamples, out: Path, context: RunContext) -> Model:
    """Take the mean, an epoch at a time; what was done survives a crash."""
    trouble(config.fail, context)
    values = json.loads((examples.path / "values.json").read_text())
    context.work.mkdir(parents=True, exist_ok=True)
    done = sorted(context.work.glob("epoch-*"))
    history = ["epoch,loss,val_loss"]
    for epoch in range(len(done) + 1, config.epochs + 1):
        time.sleep(config.seconds)
        (context.work / f"epoch-{epoch:04d}").touch()
        context.progress(Progress(epoch, config.epochs, f"epoch {epoch} loss {1 / epoch:.3f}"))
        history.append(f"{epoch},{1 / epoch:.3f},{1 / epoch + 0.1:.3f}")
        (out / "history.csv").write_text("\n".join(history) + "\n")
    kept = middle(values, config.method.share if isinstance(config.method, Trimmed) else 0.0)
    (out / "model.json").write_text(json.dumps(sum(kept) / len(kept)))
    (out / "training.json").write_text(json.dumps({"epochs_run": config.epochs, "parameters": 1, "resumed": len(done)}))
    return Model(out)


def middle(values: list[float], share: float) -> list[float]:
    """The values without that share of them at each end."""
    cut = int(len(values) * share)
    return sorted(values)[cut : len(values) - cut]


def judge(config: JudgeConfig, model: Model, out: Path) -> Evaluation:
    """Hold the mean against its limit."""
    value = json.loads((model.path / "model.json").read_text())
    (out / "evaluation.json").write_text(
        json.dumps({"metrics": {"mean": {"value": value, "low": value, "high": value}}})
    )
    checks = tuple(
        Comparand(name=n, measured=value, comparison=">=", wanted=w, passed=value >= w)
        for n, w in config.minimum.items()
    )
    record = DecisionRecord(gate="evaluation", passed=all(c.passed for c in checks), rule="limits", checks=checks)
    record.write(out)
    if not record.passed:
        raise StepSkipped(record.headline, record.rule, "", record.record())
    return Evaluation(out)


def pack(config: PlainConfig, model: Model, evaluation: Evaluation, out: Path) -> Servable:
    """Copy the model."""
    (out / "servable.json").write_text(json.dumps({"bytes": 8, "value": (model.path / "model.json").read_text()}))
    return Servable(out)


def publish(config: PlainConfig, servable: Servable, out: Path, context: RunContext) -> Deployment:
    """Give it the next version and make it the champion."""
    base = context.store / "serving" / context.pipeline
    version = 1 + max((int(p.name) for p in base.glob("[0-9]*")), default=0)
    path = base / str(version)
    path.mkdir(parents=True)
    (path / "saved_model.pb").write_text((servable.path / "servable.json").read_text())
    record = ChampionRecord(context.pipeline, context.run_id, context.pipeline, version, str(path), "now")
    write_champion(context.store, record, context.decide())
    champion = str(champion_path(context.store, context.pipeline))
    described = {"model": context.pipeline, "version": version, "path": str(path), "champion": champion}
    (out / "deployment.json").write_text(json.dumps(described))
    return Deployment(out)


def trouble(kind: str, context: RunContext) -> None:
    if kind == "data":
        raise DataInvalid("column value holds 150", "0 to 120", "mend the file")
    if kind == "server":
        raise ServerUnavailable("no server", "one", "start it")
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    flag = context.store / "failed-once"
    if kind == "once" and not flag.exists():
        flag.touch()
        raise ServerUnavailable("no server yet", "one", "wait")
