"""A diagnosis in a store: a learning curve, each point a run up to the training, and a closer look at the last one.

::

    STORE/diagnoses/<pipeline>/<name>/diagnosis.json, results.json, report.html
    STORE/runs/<pipeline>/diagnoses-<name>-25/           the run on 25 % of the training rows

The validation rows are the same at every point, and the test rows are not read. So that a point is judged by its rows
alone, a training on fewer rows has more epochs: as many steps as that on all rows.
"""

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kilnworks.components.cutting.settings import Share
from kilnworks.components.diagnosing.facts import Facts, Point
from kilnworks.components.diagnosing.sides import Sides
from kilnworks.components.diagnosing.verdicts import doubling, looked_for, verdicts
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.inputs import inputs_of
from kilnworks.pipelines.core.space import trained_step
from kilnworks.pipelines.core.store import Run
from kilnworks.pipelines.craft.cuts import contract_of, trained, with_cut
from kilnworks.pipelines.craft.work import Work
from kilnworks.schemas.artifacts import CheckedExamples, Model
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import read_json

MEASURED = "diagnosis.json"
"""What a training leaves of its losses on both splits."""
IN_EPOCHS = (
    "epochs", "early_stopping.patience", "early_stopping.start_from_epoch", "reduce_on_plateau.patience",
    "reduce_on_plateau.cooldown", "schedule.warmup_epochs",
)  # fmt: skip
"""Settings of a training that count epochs: the fewer rows one has, the more of them make as many steps."""


@dataclass(frozen=True)
class Diagnosis(Work):
    """A diagnosis in a store: ``settings``, ``shares`` and ``seed`` are asked for."""

    FOLDER = "diagnoses"
    RECORD = "diagnosis.json"
    COMMAND = "diagnose"
    TITLE = "diagnosis"


def checked(pipeline: Pipeline, shares: Sequence[float]) -> list[float]:
    """The shares, rising, all rows among them. Raises ``ConfigError`` where the pipeline has no such curve."""
    bad = [share for share in shares if not 0 < share <= 1]
    if bad:
        raise ConfigError(f"--shares with {bad[0]:g}", "shares of the training rows, above 0 up to 1", "correct it")
    for share in shares:
        with_cut(pipeline, Share(share=share))
    step = trained_step(pipeline)
    if getattr(step.config, "health", "auto") == "none":
        raise ConfigError(
            f"a diagnosis with {step.name}.health=none", "auto or every: the losses are measured with it",
            f"leave it out, or --set {step.name}.health=auto",
        )  # fmt: skip
    _refuse_unmeasured(pipeline)
    return sorted({*shares, 1.0})


def _refuse_unmeasured(pipeline: Pipeline) -> None:
    """Raise ``ConfigError`` where a training would leave no losses that can be compared."""
    from kilnworks.components.tasks.choose import choose

    config, contract = trained_step(pipeline).config, contract_of(pipeline)
    of_model = getattr(getattr(config, "model", None), "task", None)
    why = "batches of one's own" if getattr(config, "data", None) else ""
    if contract is not None:
        task = choose(contract, getattr(config, "task", None), of_model)
        why = why or ("" if task.targeted else f"the task {task.kind} learns by what the model says of itself")
    if why:
        raise ConfigError(
            f"a diagnosis of {pipeline.name}: {why}",
            "rows that are learned from as they are, by a loss against a target",
            "see the report of a run, which shows what there is for this kind of model",
        )


def _refuse_without_validation(examples: CheckedExamples) -> None:
    if "val" not in examples.splits or not examples.rows("val"):
        raise ConfigError(
            "a diagnosis without validation rows", "rows in split 'val'", "make that split in the ingest step"
        )


def on_share(pipeline: Pipeline, share: float, seed: int) -> Pipeline:
    """The pipeline on a share of its training rows, with as many steps; on all of them as it is, without a refit."""
    step = trained_step(pipeline)
    settings: dict[str, Any] = {f"{step.name}.refit": 0} if getattr(step.config, "refit", 0) else {}
    if share == 1:
        return pipeline.configured(settings)
    for name in IN_EPOCHS:
        count = _setting(step.config, name)
        if isinstance(count, int | float):
            settings[f"{step.name}.{name}"] = math.ceil(count / share) if isinstance(count, int) else count / share
    return with_cut(pipeline.configured(settings), Share(share=share, seed=seed))


def _setting(config: Any, name: str) -> Any:
    """A setting by its dotted name; None where the config, or what is above it, has none."""
    for part in name.split("."):
        config = getattr(config, part, None)
    return config


def diagnose(
    this: Diagnosis, pipeline: Pipeline, heard: Callable[[float, dict[str, Any]], None], looking: Callable[[], None]
) -> dict[str, Any]:
    """Train on every share, look at the model of all rows, and judge.

    Args:
        this: what was asked for.
        pipeline: configured.
        heard: told a share and its point, as they end.
        looking: told that the closer look begins.

    Returns:
        ``points``, ``training``, ``history``, ``health``, ``leans``, ``confident``, ``simple``, ``doubling``,
        ``verdicts`` and ``looked_for``, as JSON-serializable values.

    Raises:
        ConfigError: the training measures no losses that could be compared.
        KilnworksError: a training fails.
    """
    points, runs = [], []
    for share, run in _runs(this):
        cut = on_share(pipeline, share, this.record["seed"])
        points.append(_point(cut, run, this, share))
        runs.append((cut, run))
        heard(share, points[-1])
    cut, run = runs[-1]
    looking()
    seen = _looked(cut, run, this.record["seed"])
    told = {"points": points, **_training(cut, run), **seen}
    facts = facts_of(this, trained_step(cut).name, told)
    twice = doubling(facts)
    return {
        **told,
        "doubling": twice.record() if twice else None,
        "verdicts": [one.record() for one in verdicts(facts)],
        "looked_for": looked_for(facts),
    }


def facts_of(this: Diagnosis, step: str, told: dict[str, Any]) -> Facts:
    """What ``diagnose`` has found, as what verdicts are made of."""
    points = [(one, Sides.read(one["sides"])) for one in told["points"]]
    return Facts(
        this.pipeline,
        step,
        told["training"],
        this.record["settings"],
        told["history"],
        Sides.read(told["points"][-1]["sides"]),
        told["health"],
        [Point(one["share"], one["rows"], sides) for one, sides in points if sides is not None],
        told["leans"],
        told["confident"],
        told["simple"],
    )


def _runs(this: Diagnosis) -> Iterator[tuple[float, Run]]:
    for share in this.record["shares"]:
        yield share, this.store.run(this.pipeline, this.run_id(f"{100 * share:g}".replace(".", "_")))


def _point(cut: Pipeline, run: Run, this: Diagnosis, share: float) -> dict[str, Any]:
    command, why = f"kilnworks diagnose {this.pipeline} --resume", f"diagnosis {this.name}"
    told = trained(cut, run, command, this.record["settings"], why, _refuse_without_validation)
    path = run.step_path(trained_step(cut).name) / MEASURED
    sides = read_json(path) if path.is_file() else {}
    both = Sides.read(sides)
    if both is None or both.val is None:
        raise ConfigError(
            f"{this.pipeline} trains without losses of training and validation rows that can be compared",
            "rows that are learned from as they are, by a finite loss against a target, and a validation split",
            "see the report of a run, which shows what there is for this kind of model",
        )
    return {
        "share": share,
        "rows": told["rows"]["train"],
        "best_epoch": told["best_epoch"],
        "seconds": told["seconds"],
        "run_id": run.run_id,
        "sides": sides,
    }


def _training(cut: Pipeline, run: Run) -> dict[str, Any]:
    folder = run.step_path(trained_step(cut).name)
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    health = folder / "health.json"
    return {
        "training": {k: v for k, v in read_json(folder / "training.json").items() if k in KEPT},
        "history": {name: [row.get(name) for row in rows] for name in (rows[0] if rows else {})},
        "health": read_json(health)["findings"] if health.is_file() else [],
    }


KEPT = ("best_epoch", "epochs_run", "monitor", "rows", "seconds", "config", "task")
"""Of ``training.json``."""


def _looked(cut: Pipeline, run: Run, seed: int) -> dict[str, Any]:
    from kilnworks.components.diagnosing.validation_rows import look

    step = trained_step(cut)
    given = inputs_of(step, run)[0].values()
    examples = next(one for one in given if isinstance(one, CheckedExamples))
    return look(Model(run.step_path(step.name)), examples, seed)
