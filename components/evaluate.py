"""The ``evaluate`` step: measure a model on unseen rows, and close the gate when it is not good enough."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, FiniteFloat, NonNegativeFloat, model_validator

from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.predicting.of_split import encoded_rows, some_rows, split_answers
from kilnworks.components.tasks.choose import metric_named, metric_names, task_of
from kilnworks.schemas.artifacts import Artifact, CheckedExamples, Evaluation, Model
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, StepFailed, StepSkipped, UnknownName
from kilnworks.schemas.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl
    from numpy.typing import NDArray

    from kilnworks.components.tasks.base import Answers, Task


class EvaluateConfig(JudgeSettings):
    """How a model is measured and what it has to reach."""

    split: str = "test"
    """The split to measure on."""
    min: dict[str, FiniteFloat] = Field(default_factory=dict)
    """Smallest value that passes, inclusive, by metric, e.g. ``{"auc": 0.8}``."""
    max: dict[str, FiniteFloat] = Field(default_factory=dict)
    """Largest value that passes, inclusive, by metric, e.g. ``{"log_loss": 0.5}``."""
    use: Literal["value", "low"] = "value"
    """What the gate judges: the measured ``value``, or with ``low`` the worse end of its 95 % interval."""
    better_than: tuple[Literal["constant", "linear"], ...] = ()
    """Simple models, learned from the same training rows, that the gate holds the model against: ``constant`` (it must
    be shown to be better) and ``linear`` (it must not be shown to be worse), both beyond chance."""
    simple_rows: int = Field(default=50_000, ge=0)
    """Training rows that the simple models learn from, at most; 0: there are none."""
    slices: tuple[str, ...] = ()
    """Features with few values; the metrics are measured again for each value."""
    slice_min_rows: int = Field(default=30, ge=1)
    """A slice with fewer rows is not measured."""
    gap: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    """Largest difference between the slices of each column that passes, inclusive, by measure: ``selection_rate``,
    ``true_positive_rate``, ``false_positive_rate`` or ``equalized_odds`` (the larger of the two) of two classes, or a
    metric, e.g. ``{"true_positive_rate": 0.1}``."""

    @model_validator(mode="after")
    def _metrics_are_known(self) -> Self:
        """Names that no task has are refused before anything runs."""
        for name in self.metrics:
            if metric_named(name, own=False) is not None:
                raise ValueError(f"metrics: {name!r} is a metric of a task; give yours another name")
        for name in {**self.min, **self.max}:
            if metric_named(name) is None and name not in self.metrics:
                raise UnknownName("metric", name, [*self.metrics, *metric_names()])
        return self

    @model_validator(mode="after")
    def _simple_models_are_made(self) -> Self:
        if self.better_than and not self.simple_rows:
            raise ValueError("better_than needs simple models: leave simple_rows above 0")
        return self

    @model_validator(mode="after")
    def _gaps_are_between_slices(self) -> Self:
        if self.gap and not self.slices:
            raise ValueError(f"gap {dict(self.gap)} without slices: name the columns in `slices`")
        return self

    @model_validator(mode="after")
    def _limits_leave_room(self) -> Self:
        for name in self.min.keys() & self.max.keys():
            if self.min[name] > self.max[name]:
                raise ValueError(
                    f"{name}: the smallest value {self.min[name]:g} is above the largest {self.max[name]:g}"
                )
        return self


def evaluate(config: EvaluateConfig, model: Model, examples: CheckedExamples, out: Path) -> Evaluation:
    """Measure ``model`` on a split of ``examples``; write ``evaluation.json`` and ``decision.json`` below ``out``.

    Raises:
        StepSkipped: a limit is not kept; both files are written first.
        ConfigError: a split, metric or slice that this data does not have, or a model of another task.
        StepFailed: the split has no rows, a label is none of the classes, or a prediction is not finite.
    """
    task = task_of(model)
    _check(config, model.contract, task, examples)
    inputs = {"model": fingerprint_of(model), "examples": fingerprint_of(examples)}
    known = {k: v for k, v in inputs.items() if v}
    tried = _tried(model, task, examples, config)
    if tried is not None:
        return tried(known, out)
    found = split_answers(model, task, examples, config.split, config.slices, config)
    if found.looks:
        write_json(out / "looks.json", found.looks)
    others = partial(task.beside, partial(encoded_rows, model, task, examples), split=config.split)

    def beside(truth: "NDArray[Any]") -> dict[str, Any]:
        """What stands beside the metrics: other answers, explanations, and probabilities before calibration."""
        return {
            **others(truth=truth),
            "explained": found.explained,
            **_uncalibrated(task, truth, found.uncalibrated, config),
        }

    simple = _simple(model, task, examples, config.split, config.simple_rows)
    return conclude(config, task, model.contract, found.frame, found.answers, known, out, beside, simple)


def _tried(
    model: Model, task: "Task", examples: CheckedExamples, config: EvaluateConfig
) -> "Callable[[dict[str, str], Path], Evaluation] | None":
    """Concludes from what came of using the model; None where the task is judged by rows."""
    import polars as pl

    from kilnworks.components.learning.predict import forward
    from kilnworks.components.modeling.kept import load_trained
    from kilnworks.components.tasks.base import Beside, Task

    if type(task).tried is Task.tried:
        return None
    if config.slices:
        raise ConfigError(f"slices of a {task.kind}", "none: it is judged by trials, not by rows", "leave slices out")
    run = forward(load_trained(model))
    beside = Beside(model.path, config.split, partial(some_rows, model, task, examples))
    found = task.tried(lambda arrays: run(dict(arrays)), config, beside)
    if found is None:
        return None
    answers, told = found
    trials = pl.DataFrame({"trial": range(len(next(iter(answers.values()))))})
    return lambda inputs, out: conclude(config, task, model.contract, trials, answers, inputs, out, lambda truth: told)


def conclude(
    config: EvaluateConfig,
    task: "Task",
    contract: Contract,
    frame: "pl.DataFrame",
    answers: "Answers",
    inputs: dict[str, str],
    out: Path,
    beside: "Callable[[NDArray[Any]], dict[str, Any]]" = lambda truth: {},
    simple: "Mapping[str, Answers] | None" = None,
) -> Evaluation:
    """``evaluate`` from predictions on: measure, decide, write.

    Args:
        config: as for ``evaluate``.
        task: of the model.
        contract: says what may be sliced.
        frame: what the task judges by, such as the label, and the columns to slice by, [N] rows.
        answers: the judged answers of the task, such as ``probabilities`` [N, K].
        inputs: fingerprints for the decision record.
        out: a directory to write to.
        beside: from the truth to what other methods reach on the same rows.
        simple: what simple models answer to the same rows, by their names.
    """
    from kilnworks.components.challenging.simple import checks, compared
    from kilnworks.components.fairness.measured import checks as gap_checks
    from kilnworks.components.fairness.measured import of_columns
    from kilnworks.components.judging.gate import decide
    from kilnworks.components.judging.intervals import LEVEL
    from kilnworks.components.judging.slices import RESAMPLES, measure_slices, sliced
    from kilnworks.components.predicting.judgeable import check_answers, truth_of

    truth = truth_of(frame, task, contract, config.split)
    check_answers(task, answers, len(truth))
    method = {
        "level": LEVEL, "method": "Poisson bootstrap", "resamples": config.resamples, "seed": config.seed,
    }  # fmt: skip
    measured = _metrics(task, truth, answers, config)
    results: dict[str, Any] = {
        "metrics": measured, "interval": method, **task.described(truth, answers), **beside(truth),
        "simple": compared(task, truth, answers, simple or {}, config),
    }  # fmt: skip
    groups = sliced(frame, config.slices, contract, min_rows=config.slice_min_rows)
    gaps = of_columns(task, truth, answers, groups, task.all_metrics(config), [*config.gap], config)
    more = [
        *checks(task, results["simple"], config.better_than, measured),
        *gap_checks(gaps, config.gap, config.use),
    ]
    record = decide(measured, config.min, config.max, config.use, inputs, config.split, more)
    few = config.model_copy(update={"resamples": min(config.resamples, RESAMPLES)})
    slices = measure_slices(
        groups, lambda rows: _metrics(task, truth[rows], {n: a[rows] for n, a in answers.items()}, few)
    )
    head = {
        "task": task.kind,
        "split": config.split,
        "rows": len(truth),
        "label": task.label.name if task.label else "",
        **({} if task.unit == "rows" else {"unit": task.unit}),
    }
    write_json(
        out / "evaluation.json", {**head, **results, "slices": slices, "fairness": gaps, "gate": record.record()}
    )
    record.write(out)
    if not record.passed:
        raise StepSkipped(record.headline, record.rule, record.next_action, record.record())
    return Evaluation(out)


def fingerprint_of(artifact: Artifact) -> str:
    """The fingerprint in the manifest of a finished artifact; empty where it has none."""
    manifest = artifact.path / "manifest.json"
    return str(read_json(manifest).get("fingerprint", "")) if manifest.is_file() else ""


def _check(config: EvaluateConfig, contract: Contract, task: "Task", examples: CheckedExamples) -> None:
    """Refuse settings that do not fit the data before the model is opened."""
    from kilnworks.components.fairness.measured import measures
    from kilnworks.components.judging.slices import check_columns

    if config.split not in examples.splits:
        raise UnknownName("split", config.split, examples.splits)
    if examples.rows(config.split) == 0:
        raise StepFailed(f"split {config.split!r} has no rows", "rows to measure on", "change the split or its shares")
    ours, theirs = (label and (label.name, label.classes) for label in (contract.label, examples.contract.label))
    if ours != theirs:
        raise ConfigError(
            "the model was trained on another label than the examples have",
            f"label {ours[0] if ours else None!r} with the same classes on both sides",
            "train on these examples, or evaluate on those that the model was made for",
        )
    known = [metric.name for metric in task.all_metrics(config)]
    for name in {**config.min, **config.max}:
        if name not in known:
            raise UnknownName(f"metric of a {task.kind} task", name, known)
    for name in config.gap:
        if name not in measures(task, task.all_metrics(config)):
            raise UnknownName(f"measure of gaps of a {task.kind} task", name, measures(task, task.all_metrics(config)))
    check_columns(config.slices, contract)


def _uncalibrated(task: "Task", truth: "NDArray[Any]", plain: "Answers", settings: JudgeSettings) -> dict[str, Any]:
    """Reliability and the metrics that calibration changes, before it; empty where there is none."""
    if task.plain is task:
        return {}
    names = [name for name in ("log_loss", "brier") if task.metric(name) is not None]
    values = {name: task.plain.measured(name, truth, plain, settings) for name in names}
    return {"uncalibrated": {"calibration": task.plain.described(truth, plain)["calibration"], "metrics": values}}


def _simple(model: Model, task: "Task", examples: CheckedExamples, split: str, most: int) -> "Mapping[str, Answers]":
    """What simple models, learned from at most so many training rows, answer to the same rows; none for windows."""
    if not (most and "train" in examples.splits) or model.contract.series is not None:
        return {}
    from kilnworks.components.challenging.simple import simple_answers
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.arrays import Encoder
    from kilnworks.components.learning.predict import piece_rows

    transform = FeatureTransform.load(model.transform)
    encoder, rows = Encoder(transform, type(task)), piece_rows(transform)
    return simple_answers(
        task,
        transform,
        lambda split: encoder.frames(examples.files(split), rows),
        split,
        examples.rows("train"),
        most,
    )


def _metrics(task: "Task", truth: "NDArray[Any]", answers: "Answers", settings: JudgeSettings) -> dict[str, Any]:
    """Every metric with its interval, in the order of the report."""
    from kilnworks.components.judging.resampled import resampled

    found = dict(task.scores(truth, answers, settings))
    metrics = task.all_metrics(settings)
    for metric in metrics:
        if metric.of is not None:
            found[metric.name] = resampled(metric, truth, answers, settings.resamples, settings.seed)
    own = [metric for metric in metrics if metric_named(metric.name, own=False) is None]
    words = {metric.name: {"title": metric.title, "meaning": metric.meaning} for metric in own}
    return {metric.name: {**found[metric.name].record(), **words.get(metric.name, {})} for metric in metrics}
