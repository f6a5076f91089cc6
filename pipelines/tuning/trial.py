"""One trial: a run of the pipeline with other settings, up to the step that trains."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kilnworks.pipelines.core.events import StepEvent
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.promotion import NEVER, wish
from kilnworks.pipelines.core.space import Space, trained_step
from kilnworks.pipelines.tuning.study import Study, Taken
from kilnworks.schemas.errors import KilnworksError, StepSkipped, StoreError, UnknownName
from kilnworks.schemas.files import read_json


class TrialStopped(StepSkipped):
    """A trial lags behind others at the same epoch."""


@dataclass(frozen=True)
class TrialOutcome:
    """What a trial came to.

    Attributes:
        number: of the trial, from 0.
        overrides: its settings that differ from the definition.
        value: of the objective; None where it was stopped or failed.
        reason: why it failed, or was stopped.
        failed: whether it failed.
        epochs: that were run in this process.
    """

    number: int
    overrides: dict[str, Any]
    value: float | None
    reason: str = ""
    failed: bool = False
    epochs: int = 0


def run_trial(study: Study, taken: Taken, space: Space) -> TrialOutcome:
    """Train with the settings of a trial, and tell the study what came of it.

    A training that breaks down counts as a trial without a value. What would break every other one as well, such as a
    full disk, or settings of the definition itself that do not train, ends the search.

    Raises:
        KilnworksError: the trial with the settings of the definition failed, or the store did.
    """
    overrides: dict[str, Any] = {}
    watch = _Watch(study, taken, trained_step(space.pipeline).name)
    try:
        overrides = {} if taken.is_default else space.overrides(taken.value)
        value = _trained(study, taken, space.pipeline.configured(overrides), overrides, watch)
    except KilnworksError as error:
        if taken.is_default or isinstance(error, StoreError):
            raise
        study.tell(taken, None, overrides, error.got)
        return TrialOutcome(taken.number, overrides, None, error.got, True, watch.epochs)
    study.tell(taken, value, overrides)
    stopped = f"stopped after epoch {watch.epochs}" if value is None else ""
    return TrialOutcome(taken.number, overrides, value, stopped, False, watch.epochs)


def _trained(
    study: Study, taken: Taken, pipeline: Pipeline, overrides: dict[str, Any], watch: "_Watch"
) -> float | None:
    """The objective of the best epoch; None where the trial was stopped before its end."""
    run = study.store.run(pipeline.name, study.run_id(taken.number))
    settings = {**study.record["settings"], **overrides}
    command = f"kilnworks tune {pipeline.name} --study {study.name}"
    live = {"live": wish(NEVER, "", f"trial {taken.number} of search {study.name}")}
    selected = pipeline.between(None, watch.step)
    run.begin(command, settings, trigger=f"search {study.name}", steps=pipeline.outline(selected), **live)
    outcome = run_all(pipeline, run, selected=selected, listener=watch)
    if outcome[watch.step] == "skipped":
        return None
    return objective_of(read_json(run.step_path(watch.step) / "training.json"), watch.objective)


def objective_of(training: dict[str, Any], name: str) -> float:
    """A number of the best epoch. Raises ``UnknownName``."""
    return number_of(training["best"], name)


def number_of(numbers: Mapping[str, float], name: str) -> float:
    """One of the numbers of an epoch. Raises ``UnknownName``."""
    if name not in numbers:
        raise UnknownName("number of an epoch to search by", name, numbers)
    return float(numbers[name])


@dataclass
class _Watch:
    """Tells the study the number of each epoch, and stops the trial where it lags behind.

    Epochs count from the first that is judged: Hyperband compares trials at the same epoch, and one whose first phase
    learns without the label would be as far with its first number as others with their tenth.
    """

    study: Study
    taken: Taken
    step: str
    epochs: int = field(default=0, init=False)

    @property
    def objective(self) -> str:
        return str(self.study.record["objective"])

    def __call__(self, event: StepEvent) -> None:
        progress = event.progress if event.step == self.step else None
        judged = round(progress.done) - progress.unjudged if progress is not None else 0
        if progress is None or self.objective not in progress.numbers or judged <= self.epochs:
            return
        self.epochs = judged
        trial = self.taken.trial
        trial.report(progress.numbers[self.objective], judged)
        if not self.taken.is_default and trial.should_prune():
            raise TrialStopped(
                f"trial {self.taken.number} lags behind others at epoch {self.epochs}",
                "a number among the better ones",
                "nothing: its settings are not tried any longer",
            )
