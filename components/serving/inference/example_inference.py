"""Classify, Regress and MultiInference: serialized Examples in, classes and values out. Counted and logged."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from kilnworks.components.serving.batching.turns import Later, answered, stay
from kilnworks.components.serving.errors import invalid_argument
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.inference.example_signatures import (
    CLASSES,
    OUTPUTS,
    SCORES,
    UNKNOWN_TASK,
    Classes,
    ExampleSignature,
    fit,
)
from kilnworks.components.serving.inference.predict import CLASSIFY_METHOD, REGRESS_METHOD
from kilnworks.components.serving.versions.servable import LoadedServable
from kilnworks.components.serving.wire import dtypes
from kilnworks.components.serving.wire.tensor_budget import texts_needed
from kilnworks.components.serving.wire.values import (
    DEFAULT_SIGNATURE,
    Classified,
    InferenceTask,
    ModelSpecRef,
    Regressed,
)

Array = np.ndarray[Any, Any]
Outputs = list[dict[str, Array]]
"""Of each signature, by alias."""
Result = TypeVar("Result")
APIS = {CLASSIFY_METHOD: "Classify", REGRESS_METHOD: "Regress"}


def example_tensor(examples: Sequence[bytes]) -> Array:
    """Serialized Examples as one string tensor [n]. Raises ``ServingError`` when there is none."""
    if not examples:
        raise invalid_argument("Input is empty.")
    tensor = np.empty(len(examples), object)
    tensor[:] = examples
    return tensor


def classes_of(outputs: dict[str, Array], count: int) -> Classes:
    """(label, score) pairs of each example from ``classes`` and ``scores`` [n, k]; "" and 0 for what is not there."""
    labels, scores = outputs.get(CLASSES), outputs.get(SCORES)
    for alias, tensor, number in ((CLASSES, labels, dtypes.STRING), (SCORES, scores, dtypes.FLOAT)):
        if tensor is not None:
            _check_matrix(alias, tensor, number, count)
    if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    width = next(tensor.shape[1] for tensor in (labels, scores) if tensor is not None)
    label_rows = [[b""] * width] * count if labels is None else labels.tolist()
    score_rows = [[0.0] * width] * count if scores is None else scores.tolist()
    return [list(zip(names, values, strict=True)) for names, values in zip(label_rows, score_rows, strict=True)]


def _check_matrix(alias: str, tensor: Array, number: int, count: int) -> None:
    if tensor.ndim != 2:
        raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(tensor)}")
    if dtypes.number_of(tensor.dtype) != number:
        raise invalid_argument(f"Expected {alias} Tensor of {dtypes.proto_name(number)}. Got: {_dtype(tensor)}")
    if tensor.shape[0] != count:
        raise invalid_argument(f"Expected {alias} output batch size of {count}. Got: {tensor.shape[0]}")


def values_of(outputs: dict[str, Array], count: int) -> list[float]:
    """One value for each example from ``outputs`` [n] or [n, 1]."""
    tensor = outputs[OUTPUTS]
    if tensor.ndim != 1 and not (tensor.ndim == 2 and tensor.shape[1] == 1):
        raise invalid_argument(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(tensor)}"
        )
    if tensor.shape[0] != count:
        raise invalid_argument(f"Input batch size did not match output batch size: {count} vs. {tensor.shape[0]}")
    if dtypes.number_of(tensor.dtype) != dtypes.FLOAT:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {_dtype(tensor)}")
    values: list[float] = tensor.ravel().tolist()
    return values


def _shape(tensor: Array) -> str:
    return f"[{','.join(map(str, tensor.shape))}]"


def _dtype(tensor: Array) -> str:
    return dtypes.proto_name(dtypes.number_of(tensor.dtype))


def run_example_signatures(
    servable: LoadedServable,
    fitted: Sequence[ExampleSignature],
    examples: Sequence[bytes],
    timeout_seconds: float | None = None,
    step_back: Callable[[], None] = stay,
) -> Outputs | Later[Outputs]:
    """One run that feeds the same Examples to every signature; outputs by alias for each. Raises ``ServingError``."""
    tensor = example_tensor(examples)
    inputs = {found.input.name: found.input for found in fitted}
    names = sorted({info.name for found in fitted for info in found.outputs.values()})
    feeds = [(inputs[name], tensor) for name in sorted(inputs)]

    def by_alias(values: list[Array]) -> Outputs:
        by_name = dict(zip(names, values, strict=True))
        return [{alias: by_name[info.name] for alias, info in found.outputs.items()} for found in fitted]

    return answered(lambda: servable.runner.begin(feeds, names, timeout_seconds, step_back), by_alias)


def _answered(
    engine: Engine,
    spec: ModelSpecRef,
    api: str,
    fits: Callable[[LoadedServable], list[ExampleSignature]],
    write: Callable[[LoadedServable, list[ExampleSignature], Outputs], Result],
    examples: Sequence[bytes],
    timeout_seconds: float | None,
    step_back: Callable[[], None],
) -> Result | Later[Result]:
    """What ``write`` makes of one run of the signatures that ``fits`` finds, checked and counted."""
    servable = engine.core.acquire(spec)
    hold: AbstractContextManager[None] | None = None
    fitted: list[ExampleSignature] = []
    started = 0.0

    def begin() -> Outputs | Later[Outputs]:
        nonlocal hold, started
        fitted.extend(fits(servable))
        if engine.request_check is not None and examples:
            tensor = example_tensor(examples)
            for found in fitted:
                engine.request_check(servable.name, servable.version, servable.path, found.name, {"inputs": tensor})
        started = time.perf_counter()
        taken = engine.budget.hold(texts_needed(examples))
        taken.__enter__()
        hold = taken
        return run_example_signatures(servable, fitted, examples, timeout_seconds, step_back)

    def finish(outputs: Outputs) -> Result:
        """The answer from the outputs of the run."""
        engine.metrics.runtime(servable.name, api, (time.perf_counter() - started) * 1e6)
        engine.metrics.examples(servable.name, len(examples))
        return write(servable, fitted, outputs)

    def over(error: BaseException | None) -> None:
        if hold is not None:
            hold.__exit__(None, None, None)
        servable.release()

    return answered(begin, finish, over)


def infer(
    engine: Engine,
    spec: ModelSpecRef,
    method: str,
    examples: Sequence[bytes],
    timeout_seconds: float | None = None,
    step_back: Callable[[], None] = stay,
) -> Classified | Regressed | Later[Classified | Regressed]:
    """Classify or regress serialized Examples (a context is already put in front of each). See ``predict``.

    ``method`` is ``CLASSIFY_METHOD`` or ``REGRESS_METHOD``.
    """

    def fits(servable: LoadedServable) -> list[ExampleSignature]:
        return [fit(servable.signatures, spec.signature_name, method, engine.check_method_names)]

    def write(servable: LoadedServable, fitted: list[ExampleSignature], outputs: Outputs) -> Classified | Regressed:
        """The answer from the outputs of the run; logged where it is sampled."""
        result = _result(servable, method, fitted[0], outputs[0], len(examples))
        if engine.prediction_log is not None and engine.prediction_log.sample():
            private = engine.private(servable.path)
            answer = _without_values(result) if private.label else result
            engine.prediction_log.log_examples(private.examples(examples), answer)
        return result

    return _answered(engine, spec, APIS[method], fits, write, examples, timeout_seconds, step_back)


def multi_inference(
    engine: Engine,
    tasks: Sequence[InferenceTask],
    examples: Sequence[bytes],
    timeout_seconds: float | None = None,
    step_back: Callable[[], None] = stay,
) -> list[Classified | Regressed] | Later[list[Classified | Regressed]]:
    """Several classifications and regressions of one model in one run, on the version of the first spec."""

    def write(
        servable: LoadedServable, fitted: list[ExampleSignature], outputs: Outputs
    ) -> list[Classified | Regressed]:
        """The answers of the tasks, in their order."""
        return [
            _result(servable, task.method_name, found, tensors, len(examples))
            for task, found, tensors in zip(tasks, fitted, outputs, strict=True)
        ]

    spec = tasks[0].spec if tasks else ModelSpecRef("")
    fits = lambda servable: _fit_tasks(engine, servable, tasks)  # noqa: E731
    return _answered(engine, spec, "MultiInference", fits, write, examples, timeout_seconds, step_back)


def _fit_tasks(engine: Engine, servable: LoadedServable, tasks: Sequence[InferenceTask]) -> list[ExampleSignature]:
    fitted: list[ExampleSignature] = []
    seen: set[str] = set()
    for task in tasks:
        name = task.spec.signature_name or DEFAULT_SIGNATURE
        if not task.spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        if task.spec.name != servable.name:
            raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        if name in seen:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        fitted.append(fit(servable.signatures, name, task.method_name, engine.check_method_names, UNKNOWN_TASK))
    return fitted


def _result(
    servable: LoadedServable, method: str, found: ExampleSignature, outputs: dict[str, Array], count: int
) -> Classified | Regressed:
    if method == CLASSIFY_METHOD:
        return Classified(servable.name, servable.version, found.name, classes_of(outputs, count))
    return Regressed(servable.name, servable.version, found.name, values_of(outputs, count))


def _without_values(result: Classified | Regressed) -> Classified | Regressed:
    return replace(result, classifications=()) if isinstance(result, Classified) else replace(result, values=())
