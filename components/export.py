"""export: preprocessing and model as one SavedModel for TensorFlow Serving, checked against the trained model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kilnworks.schemas.artifacts import CheckedExamples, Evaluation, Model, Servable
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import write_json
from kilnworks.schemas.wire import CONTRACT_FILE, INPUTS_FILE, TASK_FILE

if TYPE_CHECKING:
    from kilnworks.components.exporting.skew import Skew
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.tasks.base import Task


class ExportConfig(Config):
    """How a model is exported and checked."""

    split: str = "test"
    """Split whose rows are checked and put into the warm-up file."""
    skew_rows: int = Field(default=1000, ge=1, le=100_000)
    """Rows of the split to compare, at most."""
    tolerance: float = Field(default=1e-5, gt=0)
    """Largest difference between exported and trained model: absolute up to 1, relative above. Up to a hundred times as
    much is allowed where the least change of its inputs moves the trained model's own answers by a quarter of it."""
    keras_file: bool = True
    """Whether ``standalone.keras`` is written beside the SavedModel: the same for plain Keras, without this project."""
    explain: bool = False
    """Whether the served model has a signature ``explain``, too: how much each feature moved the answer (integrated
    gradients). It takes 64 gradients, each a pass through the model and back, and only when it is asked."""
    warmup_batches: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = (1, 8)
    """Rows of the warm-up requests, for each signature."""


def export(
    config: ExportConfig, model: Model, examples: CheckedExamples, evaluation: Evaluation, out: Path
) -> Servable:
    """Write the SavedModel, its warm-up file and ``servable.json``, and prove that it answers as the trained model.

    The SavedModel is an MLflow model too (``MLmodel``); beside it ``standalone.keras`` is the same for plain Keras.

    The served inputs are the raw features by name, the outputs the answers of the task, such as ``probabilities``
    [n, K], ``class`` and ``score``. See ``components/exporting/signatures.py`` for all signatures.

    Args:
        config: see ``ExportConfig``.
        model: the trained model with its preprocessing.
        examples: where the rows for the check come from.
        evaluation: that the model passed; its metrics are copied into ``servable.json``.
        out: directory to write into.

    Raises:
        SkewDetected: the SavedModel, loaded as a server does, answers differently; nothing is published.
        DataUnreadable: the split has no rows to check with.
        UnknownName: no such split.
        ConfigError: gradients are asked of a model whose weights are whole numbers.
    """
    from kilnworks.components.exporting.checked import checked_rows
    from kilnworks.components.exporting.history import write_history
    from kilnworks.components.exporting.inputs import described_inputs
    from kilnworks.components.exporting.keras_file import write_keras_file
    from kilnworks.components.exporting.mlflow_model import write_mlflow
    from kilnworks.components.exporting.probes import probed
    from kilnworks.components.exporting.signatures import save
    from kilnworks.components.exporting.skew import beyond_float32, check_skew, rounding_of
    from kilnworks.components.exporting.warmup import write_warmup
    from kilnworks.components.features.raw import raw_arrays
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.predict import forward, outputs
    from kilnworks.components.modeling.compact.int8 import as_stored
    from kilnworks.components.modeling.kept import load_trained
    from kilnworks.components.tasks.choose import task_of, write_task

    task = task_of(model)
    contract = task.served(model.contract)
    transform = FeatureTransform.load(model.transform)
    rows = probed(contract, task.requests(checked_rows(task, transform, examples, config.split, config.skew_rows)))
    raw = raw_arrays(contract, rows)
    trained = load_trained(model)
    stored = as_stored(model, trained)
    if config.explain and stored is not trained:
        raise ConfigError(
            "explain of a model with weights in int8",
            "weights in float32, through which gradients pass",
            "leave `explain` or the compression out",
        )
    servable = Servable(out)
    explainer = _explainer(task, transform, trained, examples) if config.explain else None
    save(task, transform, stored, servable.saved_model, explainer)
    run, encoded = forward(trained), task.encoded_rows(rows, transform)
    output = outputs(run, encoded)
    excused = beyond_float32(raw) | (model.training.get("precision", "float32") != "float32")
    skew = check_skew(
        servable.saved_model, task, contract, raw, output, config.tolerance, excused,
        lambda: rounding_of(task, lambda near: outputs(run, near), encoded, output),
    )  # fmt: skip
    if explainer is not None:
        from kilnworks.components.exporting.explained import check_explained

        skew.signatures["explain"] = check_explained(servable.saved_model, explainer, raw, encoded, skew.tolerance)
    write_warmup(servable.saved_model, contract, contract.name, raw, config.warmup_batches)
    write_json(servable.saved_model / CONTRACT_FILE, contract.model_dump(mode="json"))
    write_json(servable.saved_model / INPUTS_FILE, described_inputs(contract, examples.files("train")))
    write_task(task, (servable.saved_model / TASK_FILE).parent)
    if examples.contract.series is not None:
        write_history(servable.saved_model, examples)
    write_mlflow(servable.saved_model)
    described = {"task": task.kind, "parameters": trained.count_params()}
    if config.keras_file:
        described["keras"] = write_keras_file(task, transform, trained, raw, output, skew.tolerance, out)
    _describe(servable, described, contract, evaluation, skew)
    return servable


def _explainer(task: "Task", transform: "FeatureTransform", trained: Any, examples: CheckedExamples) -> Any:
    from kilnworks.components.explaining.attributions import Attributions, most_rows, training_rows

    rows = training_rows(examples, list(transform.contract.features), most_rows(transform))
    return Attributions(task, transform, trained, rows)


def _describe(
    servable: Servable, described: dict[str, Any], contract: Contract, evaluation: Evaluation, skew: "Skew"
) -> None:
    from kilnworks.components.exporting import describe

    files = describe.files(servable.saved_model)
    description: dict[str, Any] = {
        **described,
        "signatures": describe.signatures(servable.saved_model, contract),
        "files": files,
        "bytes": sum(files.values()),
        "skew": {
            "rows": skew.rows,
            "max_difference": skew.max_difference,
            "tolerance": skew.tolerance,
            "signatures": skew.signatures,
        },
        "metrics": evaluation.results["metrics"],
        "contract": contract.model_dump(mode="json"),
    }
    write_json(servable.path / "servable.json", description)
