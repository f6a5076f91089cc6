"""What the engine reports to while it works, each a small protocol with a ``None`` or silent default.

The concrete classes are in ``metrics.py``, ``prediction_log/writer.py`` and ``request_check.py``.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kilnworks.components.serving.wire.values import Classified, Predicted, Regressed

if TYPE_CHECKING:
    import numpy as np


class Metrics(Protocol):
    """Counters and histograms of the server; every method may be called from any thread."""

    def request(self, model: str, status: str) -> None:
        """Count a finished request; ``status`` is a code's name, e.g. ``"OK"``."""

    def latency(self, model: str, api: str, entrypoint: str, microseconds: float) -> None:
        """Whole time of a request that succeeded; ``entrypoint`` is ``"GRPC"`` or ``"REST"``."""

    def runtime(self, model: str, api: str, microseconds: float) -> None:
        """Time until the graph had run for a request, a wait for its batch included.

        ``api`` is ``"Predict"``, ``"Classify"`` or ``"Regress"``.
        """

    def examples(self, model: str, count: int) -> None:
        """Number of examples in a Classify, Regress or MultiInference request."""

    def warmup(self, model_path: str, status: str, records: int, microseconds: float) -> None:
        """One version's warm-up is over; ``status`` is a code's name."""


class PredictionLogSink(Protocol):
    """Where sampled requests and answers are written. Must not block for long and must not raise."""

    def sample(self) -> bool:
        """Whether the next request is to be written."""

    def log_predict(self, inputs: Mapping[str, "np.ndarray[Any, Any]"], predicted: Predicted) -> None:
        """Write a Predict request and its answer."""

    def log_classify(self, examples: Sequence[bytes], classified: Classified) -> None:
        """Write a Classify request (serialized Examples) and its answer."""

    def log_regress(self, examples: Sequence[bytes], regressed: Regressed) -> None:
        """Write a Regress request (serialized Examples) and its answer."""

    def close(self) -> None:
        """Finish the file that is open."""


class RequestCheck(Protocol):
    """Checks the inputs of a request against the contract of the data that the model was trained on."""

    def __call__(
        self, model: str, version: int, path: str, signature_name: str, inputs: Mapping[str, "np.ndarray[Any, Any]"]
    ) -> None:
        """Raise ``ServingError(INVALID_ARGUMENT)`` naming the column, the rule and the value.

        ``path`` is the version directory (the contract may lie in its ``assets.extra``). Serialized Examples come
        as the string input of their signature.
        """
