"""The model server without its transports: what is served, and where a request's costs, counts and logs go.

``predict`` and ``example_inference`` answer requests with it, for gRPC and REST alike. Every method may be called from
any thread. Errors are ``ServingError`` with the contract's code and text.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.inference.metrics import PrometheusMetrics
from kilnworks.components.serving.inference.request_check import ContractCheck
from kilnworks.components.serving.prediction_log.private_inputs import Private, private_of
from kilnworks.components.serving.prediction_log.writer import PredictionLogWriter
from kilnworks.components.serving.versions.core import ServerCore
from kilnworks.components.serving.wire.tensor_budget import TensorBudget
from kilnworks.components.serving.wire.values import VERSIONS_KEPT, Metadata, ModelSpecRef


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
        private: what a prediction log leaves out of the requests of a version directory.
    """

    core: ServerCore
    metrics: PrometheusMetrics
    prediction_log: PredictionLogWriter | None = None
    request_check: ContractCheck | None = None
    check_method_names: bool = False
    batches: BatchScheduler = field(default_factory=BatchScheduler)
    budget: TensorBudget = field(default_factory=TensorBudget)
    private: Callable[[str], Private] = field(default_factory=lambda: lru_cache(VERSIONS_KEPT)(private_of))

    def metadata(self, spec: ModelSpecRef) -> Metadata:
        """Signatures of a version."""
        with self.core.acquire(spec) as handle:
            return Metadata(handle.name, handle.version, handle.loaded.signature_defs)
