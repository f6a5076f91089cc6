"""The ``evaluate`` step: measure a model on unseen rows, and close the gate when it is not good enough."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from schemas.artifacts import Artifact, CheckedExamples, Evaluation, Model
from schemas.config import Config
from schemas.contract import Contract
from schemas.errors import ConfigError, StepFailed, StepSkipped, UnknownName
from schemas.files import read_json, write_json

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray


def _known(limits: dict[str, float]) -> dict[str, float]:
    """Refuse metric names that no task has, before anything runs."""
    from components.judging.gate import check_limits

    check_limits(limits)
    return limits


Limits = Annotated[dict[str, FiniteFloat], AfterValidator(_known)]


class EvaluateConfig(Config):
    """How a model is measured and what it has to reach."""

    split: str = "test"
    """The split to measure on."""
    min: Limits = Field(default_factory=dict)
    """Smallest value that passes, inclusive, by metric, e.g. ``{"auc": 0.8}``."""
    max: Limits = Field(default_factory=dict)
    """Largest value that passes, inclusive, by metric, e.g. ``{"log_loss": 0.5}``."""
    use: Literal["value", "low"] = "value"
    """What the gate judges: the measured ``value``, or with ``low`` the worse end of its 95 % interval."""
    resamples: int = Field(default=1000, ge=100, le=100_000)
    """Bootstrap resamples behind each interval."""
    seed: int = Field(default=0, ge=0)
    """Seed of the resampling."""
    top_k: int = Field(default=3, ge=1)
    """``top_<k>_accuracy`` of a multiclass task counts a row as right when its class is among the k most probable."""
    slices: tuple[str, ...] = ()
    """Features with few values; the metrics are measured again for each value."""
    slice_min_rows: int = Field(default=30, ge=1)
    """A slice with fewer rows is not measured."""

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
    contract = model.contract
    _check(config, contract, examples)
    frame, predicted = _predictions(model, examples, config)
    inputs = {"model": fingerprint_of(model), "examples": fingerprint_of(examples)}
    return conclude(config, contract, frame, predicted, {k: v for k, v in inputs.items() if v}, out)


def conclude(
    config: EvaluateConfig,
    contract: Contract,
    frame: "pl.DataFrame",
    predicted: "NDArray[np.floating]",
    inputs: dict[str, str],
    out: Path,
) -> Evaluation:
    """``evaluate`` from predictions on: measure, decide, write.

    Args:
        config: as for ``evaluate``.
        contract: says what the label is and what may be sliced.
        frame: the label and the columns to slice by, [N] rows.
        predicted: probabilities [N, K] or values [N].
        inputs: fingerprints for the decision record.
        out: a directory to write to.
    """
    from components.judging.gate import decide
    from components.judging.judge import judge
    from components.judging.slices import measure_slices

    truth, classes = _truth(frame, contract, config.split)
    _check_predictions(predicted, len(truth), len(classes))
    results = judge(contract.task, truth, predicted, classes, config.top_k, config.resamples, config.seed)
    record = decide(results["metrics"], config.min, config.max, config.use, inputs, config.split)
    sliced = measure_slices(
        frame,
        config.slices,
        contract,
        contract.task,
        truth,
        predicted,
        min_rows=config.slice_min_rows,
        top_k=config.top_k,
        resamples=config.resamples,
        seed=config.seed,
    )
    head = {
        "task": contract.task,
        "split": config.split,
        "rows": len(truth),
        "label": contract.label.name if contract.label else "",
    }
    write_json(out / "evaluation.json", {**head, **results, "slices": sliced, "gate": record.record()})
    record.write(out)
    if not record.passed:
        raise StepSkipped(record.headline, record.rule, record.next_action, record.record())
    return Evaluation(out)


def fingerprint_of(artifact: Artifact) -> str:
    """The fingerprint in the manifest of a finished artifact; empty where it has none."""
    manifest = artifact.path / "manifest.json"
    return str(read_json(manifest).get("fingerprint", "")) if manifest.is_file() else ""


def _check(config: EvaluateConfig, contract: Contract, examples: CheckedExamples) -> None:
    """Refuse settings that do not fit the data before the model is opened."""
    from components.judging.gate import check_limits
    from components.judging.slices import check_columns

    if config.split not in examples.splits:
        raise UnknownName("split", config.split, examples.splits)
    if examples.rows(config.split) == 0:
        raise StepFailed(f"split {config.split!r} has no rows", "rows to measure on", "change the split or its shares")
    theirs = examples.contract.label
    if (
        contract.label is None
        or theirs is None
        or (contract.label.name, contract.label.classes) != (theirs.name, theirs.classes)
    ):
        raise ConfigError(
            "the model was trained on another label than the examples have",
            f"label {contract.label.name if contract.label else None!r} with the same classes on both sides",
            "train on these examples, or evaluate on those that the model was made for",
        )
    check_limits({**config.min, **config.max}, contract.task, config.top_k)
    check_columns(config.slices, contract)


def _predictions(
    model: Model, examples: CheckedExamples, config: EvaluateConfig
) -> tuple["pl.DataFrame", "NDArray[np.floating]"]:
    """The label and slice columns of the split, and the model's predictions, a few rows at a time."""
    import keras
    import numpy as np
    import polars as pl

    from components.features.transform import FeatureTransform
    from components.learning.arrays import Encoder
    from components.learning.predict import forward, outputs, piece_rows, probabilities

    transform = FeatureTransform.load(model.transform)
    encoder = Encoder(transform)
    run = forward(keras.saving.load_model(model.keras_path, compile=False), transform)
    label = model.contract.label
    columns = list(dict.fromkeys((*([label.name] if label else []), *config.slices)))
    frames, parts = [], []
    for file in examples.files(config.split):
        for frame in encoder.frames([file], piece_rows(transform)):
            parts.append(probabilities(model.contract.task, outputs(run, encoder.encode(frame))))
            frames.append(frame.select(columns))
    return pl.concat(frames), np.concatenate(parts)


def _truth(frame: "pl.DataFrame", contract: Contract, split: str) -> tuple["NDArray[Any]", list[str]]:
    """Class indices or values, and the names of the classes."""
    import polars as pl

    if contract.label is None:
        raise ConfigError("the contract has no label", "a label to compare predictions with", "add one to the contract")
    column = frame[contract.label.name]
    if contract.label.classes is None:
        truth = column.cast(pl.Float64)
        bad = truth.is_null() | ~truth.is_finite().fill_null(False)
    else:
        known = list(contract.label.classes)
        truth = column.replace_strict(known, range(len(known)), default=None, return_dtype=pl.Int64)
        bad = truth.is_null()
    if bad.any():
        samples = column.filter(bad).unique().head(3).to_list()
        raise StepFailed(
            f"{bad.sum()} labels of split {split!r} cannot be judged, e.g. {samples}",
            "a finite number" if contract.label.classes is None else f"one of {list(contract.label.classes)}",
            "check the label in the contract and in the source",
        )
    return truth.to_numpy(), [str(c) for c in contract.label.classes or ()]


def _check_predictions(predicted: "NDArray[np.floating]", rows: int, classes: int) -> None:
    import numpy as np

    shape = (rows, classes) if classes else (rows,)
    if predicted.shape != shape:
        raise StepFailed(
            f"predictions of shape {list(predicted.shape)}", f"shape {list(shape)}", "check the model's head"
        )
    lost = int((~np.isfinite(predicted)).reshape(rows, -1).any(axis=1).sum())
    if lost:
        raise StepFailed(
            f"{lost} of {rows} predictions are NaN or infinite",
            "a finite prediction for every row",
            "look at the learning curves; a lower learning rate or clipping usually helps",
        )
