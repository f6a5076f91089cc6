"""A cross-validation in a store: each fold is a run up to the training, taken from the store where it is finished.

::

    STORE/crossval/<pipeline>/<name>/crossval.json      what was asked for
                                    /lock               held by the process that works on it
                                    /outer1/            the search inside an outer fold, as ``tuning/`` has it
                                    /results.json       numbers of every fold
                                    /report.html
    STORE/runs/<pipeline>/crossval-<name>-f1/           the run of a fold

A process that is killed leaves finished folds and the backup of a training behind; the same work done again takes both.
"""

import csv
import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kilnworks.components.cutting.settings import Fold
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.space import trained_step
from kilnworks.pipelines.craft.cuts import trained, with_cut
from kilnworks.pipelines.craft.work import Work
from kilnworks.schemas.config import Config


@dataclass(frozen=True)
class Crossval(Work):
    """A cross-validation in a store: ``settings``, ``fold`` (a ``Fold``) and ``trials`` are asked for."""

    FOLDER = COMMAND = "crossval"
    RECORD = "crossval.json"
    TITLE = "cross-validation"

    @property
    def fold(self) -> Fold:
        """The folds; which of them is not said."""
        return Fold.model_validate(self.record["fold"])


def cut_by(pipeline: Pipeline, folds: Fold, **which: int) -> Pipeline:
    """The pipeline on one fold; its training keeps the weights of the best epoch, without a refit on all rows."""
    step = trained_step(pipeline)
    once: Config = step.config.updated({"refit": 0}) if getattr(step.config, "refit", 0) else step.config
    settings = {f"{step.name}.refit": 0} if once is not step.config else {}
    return with_cut(pipeline.configured(settings), Fold.model_validate({**folds.model_dump(), **which}))


def train_fold(crossval: Crossval, pipeline: Pipeline, run_id: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train on one fold, and tell what came of it.

    Returns:
        ``rows``, ``best_epoch``, ``epochs``, ``seconds``, ``monitor``, ``numbers`` of the best epoch and ``curve``, the
        monitored number by epoch.

    Raises:
        KilnworksError: the fold cannot be cut, or does not train.
    """
    step, run = trained_step(pipeline).name, crossval.store.run(crossval.pipeline, run_id)
    told = trained(
        pipeline, run, f"kilnworks crossval {crossval.pipeline} --resume", settings, f"cross-validation {crossval.name}"
    )
    history = list(csv.DictReader((run.step_path(step) / "history.csv").read_text().splitlines()))
    monitor = told["monitor"]
    return {
        "run_id": run_id,
        "rows": told["rows"],
        "best_epoch": told["best_epoch"],
        "epochs": told["epochs_run"],
        "seconds": told["seconds"],
        "monitor": monitor,
        "numbers": {k: v for k, v in told["best"].items() if not k.startswith("learning_rate")},
        "curve": [[int(row["epoch"]), float(row[monitor])] for row in history if row.get(monitor)],
    }


def cross_validate(
    crossval: Crossval, pipeline: Pipeline, heard: Callable[[int, dict[str, Any]], None]
) -> dict[str, Any]:
    """Train on every fold. Returns ``folds`` and ``summary``. Raises ``KilnworksError`` as ``train_fold``."""
    folds = []
    for place in range(crossval.fold.folds):
        cut = cut_by(pipeline, crossval.fold, fold=place)
        folds.append(train_fold(crossval, cut, crossval.run_id(f"f{place + 1}"), crossval.record["settings"]))
        heard(place, folds[-1])
    return {"folds": folds, "summary": summary([fold["numbers"] for fold in folds])}


def summary(folds: list[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Of each number that every fold has: mean, standard deviation over folds (n - 1), least and most."""
    names = [name for name in folds[0] if all(name in fold for fold in folds)]
    told = {}
    for name in names:
        values = [float(fold[name]) for fold in folds]
        spread = statistics.stdev(values) if len(values) > 1 else math.nan
        told[name] = {"mean": statistics.fmean(values), "sd": spread, "low": min(values), "high": max(values)}
    return told
