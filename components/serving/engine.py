"""The model server without its transports: gRPC and REST both call this, with the same errors and order of checks."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from components.serving.hooks import Metrics, PredictionLogSink, RequestCheck
from components.serving.values import (
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


class Handle(Protocol):
    """A loaded version that stays loaded while the handle is held."""

    name: str
    version: int
    path: str
    signatures: Mapping[str, Signature]

    def signature(self, name: str) -> Signature:
        """A signature by name ("" = ``serving_default``).

        Raises: ServingError FAILED_PRECONDITION ``Serving signature key "S" not found.``
        """


class Engine(Protocol):
    """Inference on and management of the served models. Every method may be called from any thread.

    Errors are ``ServingError`` with the contract's code and text. ``timeout_seconds`` None = no limit; a run that
    takes longer is cancelled and answered with DEADLINE_EXCEEDED.
    """

    metrics: Metrics
    prediction_log: PredictionLogSink | None
    request_check: RequestCheck | None

    def acquire(self, spec: ModelSpecRef) -> AbstractContextManager[Handle]:
        """Resolve and hold a version: ``with engine.acquire(spec) as handle``. NOT_FOUND or INVALID_ARGUMENT."""

    def predict(
        self,
        spec: ModelSpecRef,
        inputs: Mapping[str, "np.ndarray[Any, Any]"],
        output_filter: Sequence[str] = (),
        timeout_seconds: float | None = None,
    ) -> Predicted:
        """Run a signature. String inputs are object arrays of bytes; dtypes must match, shapes are not checked."""

    def predict_on(
        self,
        handle: Handle,
        signature_name: str,
        inputs: Mapping[str, "np.ndarray[Any, Any]"],
        output_filter: Sequence[str] = (),
        timeout_seconds: float | None = None,
    ) -> Predicted:
        """As ``predict``, on a version that the caller holds (REST reads the signature before it reads the body)."""

    def classify(
        self, spec: ModelSpecRef, examples: Sequence[bytes], timeout_seconds: float | None = None
    ) -> Classified:
        """Classify serialized Examples (a context is already put in front of each)."""

    def regress(self, spec: ModelSpecRef, examples: Sequence[bytes], timeout_seconds: float | None = None) -> Regressed:
        """Regress serialized Examples."""

    def multi_inference(
        self, tasks: Sequence[InferenceTask], examples: Sequence[bytes], timeout_seconds: float | None = None
    ) -> list[Classified | Regressed]:
        """Several classifications and regressions of one model in one run."""

    def metadata(self, spec: ModelSpecRef) -> Metadata:
        """Signatures of a version."""

    def status(self, spec: ModelSpecRef) -> tuple[VersionStatus, ...]:
        """States of a model's versions, newest first; of one version when the spec names it. Labels are ignored."""

    def ready(self) -> bool:
        """Whether every configured model has an AVAILABLE version."""
