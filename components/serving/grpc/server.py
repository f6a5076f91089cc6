"""Starts the gRPC server: the direct one, or the portable one where grpcio's inner interface is another."""

import logging
from collections.abc import Mapping

from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.grpc.methods import Method
from kilnworks.components.serving.grpc.options import GrpcOptions
from kilnworks.components.serving.settings.options import RunningServer

_LOG = logging.getLogger(__name__)
_NEEDED = (
    "CompletionQueue",
    "CompletionType",
    "ReceiveCloseOnServerOperation",
    "ReceiveMessageOperation",
    "SendInitialMetadataOperation",
    "SendMessageOperation",
    "SendStatusFromServerOperation",
    "Server",
)


def start_grpc(
    methods: Mapping[str, Method], options: GrpcOptions, batches: BatchScheduler, portable: bool = False
) -> RunningServer:
    """Listen and answer.

    Args:
        methods: unary methods by full name.
        options: how to listen; with ``health`` the health service is added.
        batches: batches that wait for the requests at hand.
        portable: use only grpcio's documented interface.

    Raises:
        OSError: an address cannot be bound.
    """
    watches: Mapping[str, Method] = {}
    if options.health:
        from kilnworks.components.serving.grpc.health import health_methods

        checks, watches = health_methods()
        methods = {**methods, **checks}
    if not portable and _direct_fits():
        from kilnworks.components.serving.grpc.direct import DirectServer

        return DirectServer(methods, watches, options, batches)
    from kilnworks.components.serving.grpc.portable import PortableServer

    return PortableServer(methods, watches, options)


def _direct_fits() -> bool:
    """Whether the installed grpcio has the parts that the direct server is built on."""
    try:
        from grpc._cython import cygrpc
    except ImportError:
        return False
    missing = [name for name in _NEEDED if not hasattr(cygrpc, name)]
    if missing:
        _LOG.warning("this grpcio lacks %s: the portable gRPC server is used", ", ".join(missing))
    return not missing
