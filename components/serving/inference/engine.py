"""The model server without its transports: gRPC and REST both call this, with the same errors and order of checks.

Inference is computed in ``steps``: where requests are put together, it pauses until the batch has run. Every method may
be called from any thread. Errors are ``ServingError`` with the contract's code and text. ``timeout_seconds`` None = no
limit; a run that takes longer is cancelled and answered with DEADLINE_EXCEEDED.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kilnworks.components.serving.batching.resumable import Steps
from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.errors import invalid_argument
from kilnworks.components.serving.inference.example_inference import (
    ExampleSignature,
    classes_of,
    example_tensor,
    find_signature,
    fit_classify,
    fit_method,
    fit_regress,
    run_example_signatures,
    unknown_task,
    values_of,
)
from kilnworks.components.serving.inference.hooks import Metrics, PredictionLogSink, RequestCheck
from kilnworks.components.serving.inference.predict import (
    CLASSIFY_METHOD,
    check_method_name,
    input_arrays,
    output_aliases,
    run_signature,
)
from kilnworks.components.serving.prediction_log.private_inputs import PrivateInputs
from kilnworks.components.serving.versions.core import ServerCore
from kilnworks.components.serving.versions.servable import Servable
from kilnworks.components.serving.wire.tensor_budget import TensorBudget, needed, texts_needed
from kilnworks.components.serving.wire.values import (
    DEFAULT_SIGNATURE,
    Classified,
    InferenceTask,
    Metadata,
    ModelSpecRef,
    Predicted,
    Regressed,
    Signature,
    VersionStatus,
)

if TYPE_CHECKING:
    import numpy as np

Handle = Servable
"""A loaded version that stays loaded while it is held: ``name``, ``version``, ``path``, ``signatures``,
``signature(name)``."""


@dataclass
class Engine:
    """Inference on the served models, and questions about them.

    Attributes:
        core: which versions are served.
        metrics: where counts and times go.
        prediction_log: where sampled requests are written; None = nowhere.
        request_check: checks inputs against the data contract; None = no check.
        check_method_names: refuse signatures whose method name does not belong to the call.
        batches: where runs of several requests wait for the requests that a transport has at hand.
        budget: what the tensors of requests may take.
    """

    core: ServerCore
    metrics: Metrics
    prediction_log: PredictionLogSink | None = None
    request_check: RequestCheck | None = None
    check_method_names: bool = False
    batches: BatchScheduler = field(default_factory=BatchScheduler)
    budget: TensorBudget = field(default_factory=TensorBudget)
    _private: PrivateInputs = field(default_factory=PrivateInputs)

    def acquire(self, spec: ModelSpecRef) -> Handle:
        """Resolve and hold a version: ``with engine.acquire(spec) as handle``. NOT_FOUND or INVALID_ARGUMENT."""
        return self.core.acquire(spec)

    def predict_on(
        self,
        handle: Handle,
        signature_name: str,
        inputs: Mapping[str, Any],
        output_filter: Sequence[str] = (),
        timeout_seconds: float | None = None,
        decode: Callable[[Any], Any] = lambda value: value,
    ) -> Steps[Predicted]:
        """Run a signature of a held version; string inputs are object arrays of bytes.

        Dtypes must match, shapes are not checked. ``decode`` makes an array of an input's value; gRPC passes tensors
        that are decoded only when it is their turn.
        """
        signature = handle.signature(signature_name)
        if self.check_method_names:
            check_method_name(signature)
        with self.budget.hold(needed(inputs)):
            return (yield from self._predict(handle, signature, inputs, output_filter, timeout_seconds, decode))

    def _predict(
        self,
        handle: Handle,
        signature: Signature,
        inputs: Mapping[str, Any],
        output_filter: Sequence[str],
        timeout_seconds: float | None,
        decode: Callable[[Any], Any],
    ) -> Steps[Predicted]:
        """Decode, check, run and log."""
        arrays = input_arrays(signature, inputs, decode)
        aliases = output_aliases(signature, output_filter)
        if self.request_check is not None:
            self.request_check(handle.name, handle.version, handle.path, signature.name, arrays)
        started = time.perf_counter()
        outputs = yield from run_signature(handle, signature, arrays, aliases, timeout_seconds)
        self.metrics.runtime(handle.name, "Predict", (time.perf_counter() - started) * 1e6)
        predicted = Predicted(handle.name, handle.version, signature.name, dict(zip(aliases, outputs, strict=True)))
        if self.prediction_log is not None and self.prediction_log.sample():
            private = self._private.of(handle.path)
            answer = replace(predicted, outputs={}) if private.label else predicted
            self.prediction_log.log_predict(private.inputs(arrays), answer)
        return predicted

    def classify(
        self, spec: ModelSpecRef, examples: Sequence[bytes], timeout_seconds: float | None = None
    ) -> Steps[Classified]:
        """Classify serialized Examples (a context is already put in front of each)."""
        with self.core.acquire(spec) as handle:
            fitted = find_signature(
                handle.signatures,
                spec.signature_name,
                "No signature was found with the name: ",
                lambda signature: fit_classify(signature, self.check_method_names),
            )
            path = handle.path
            [outputs] = yield from self._run_examples(handle, "Classify", [fitted], examples, timeout_seconds)
            result = Classified(handle.name, handle.version, fitted.name, classes_of(outputs, len(examples)))
        if self.prediction_log is not None and self.prediction_log.sample():
            private = self._private.of(path)
            answer = replace(result, classifications=()) if private.label else result
            self.prediction_log.log_classify(private.examples(examples), answer)
        return result

    def regress(
        self, spec: ModelSpecRef, examples: Sequence[bytes], timeout_seconds: float | None = None
    ) -> Steps[Regressed]:
        """Regress serialized Examples."""
        with self.core.acquire(spec) as handle:
            fitted = find_signature(
                handle.signatures,
                spec.signature_name,
                "No signature was found with the name: ",
                lambda signature: fit_regress(signature, self.check_method_names),
            )
            path = handle.path
            [outputs] = yield from self._run_examples(handle, "Regress", [fitted], examples, timeout_seconds)
            result = Regressed(handle.name, handle.version, fitted.name, values_of(outputs, len(examples)))
        if self.prediction_log is not None and self.prediction_log.sample():
            private = self._private.of(path)
            answer = replace(result, values=()) if private.label else result
            self.prediction_log.log_regress(private.examples(examples), answer)
        return result

    def multi_inference(
        self, tasks: Sequence[InferenceTask], examples: Sequence[bytes], timeout_seconds: float | None = None
    ) -> Steps[list[Classified | Regressed]]:
        """Several classifications and regressions of one model in one run, on the version of the first spec."""
        with self.core.acquire(tasks[0].spec if tasks else ModelSpecRef("")) as handle:
            fitted = self._fit_tasks(handle, tasks)
            outputs = yield from self._run_examples(handle, "MultiInference", fitted, examples, timeout_seconds)
            return [
                _result(handle, task, found, tensors, len(examples))
                for task, found, tensors in zip(tasks, fitted, outputs, strict=True)
            ]

    def _fit_tasks(self, handle: Handle, tasks: Sequence[InferenceTask]) -> list[ExampleSignature]:
        fitted: list[ExampleSignature] = []
        seen: set[str] = set()
        for task in tasks:
            name = task.spec.signature_name or DEFAULT_SIGNATURE
            if not task.spec.name:
                raise invalid_argument("Found ModelSpec with an empty model name.")
            if task.spec.name != handle.name:
                raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
            if name in seen:
                raise invalid_argument(f"Duplicate evaluation of signature: {name}")
            seen.add(name)
            if name not in handle.signatures:
                raise unknown_task(name)
            fitted.append(fit_method(task.method_name, self.check_method_names)(handle.signatures[name]))
        return fitted

    def _run_examples(
        self,
        handle: Handle,
        api: str,
        fitted: Sequence[ExampleSignature],
        examples: Sequence[bytes],
        timeout_seconds: float | None,
    ) -> Steps[list[dict[str, "np.ndarray[Any, Any]"]]]:
        """One run for all signatures, checked and counted."""
        if self.request_check is not None and examples:
            tensor = example_tensor(examples)
            for found in fitted:
                self.request_check(handle.name, handle.version, handle.path, found.name, {"inputs": tensor})
        started = time.perf_counter()
        with self.budget.hold(texts_needed(examples)):
            outputs = yield from run_example_signatures(handle, fitted, examples, timeout_seconds)
        self.metrics.runtime(handle.name, api, (time.perf_counter() - started) * 1e6)
        self.metrics.examples(handle.name, len(examples))
        return outputs

    def metadata(self, spec: ModelSpecRef) -> Metadata:
        """Signatures of a version."""
        with self.core.acquire(spec) as handle:
            return Metadata(handle.name, handle.version, handle.loaded.signature_defs)

    def status(self, spec: ModelSpecRef) -> tuple[VersionStatus, ...]:
        """States of a model's versions, newest first; of one version when the spec names it. Labels are ignored."""
        return self.core.status(spec)

    def ready(self) -> bool:
        """Whether every configured model has an AVAILABLE version."""
        return self.core.ready()


def _result(
    handle: Handle, task: InferenceTask, found: ExampleSignature, outputs: dict[str, Any], count: int
) -> Classified | Regressed:
    if task.method_name == CLASSIFY_METHOD:
        return Classified(handle.name, handle.version, found.name, classes_of(outputs, count))
    return Regressed(handle.name, handle.version, found.name, values_of(outputs, count))
