"""Starts the gRPC server: the direct one, or the portable one where grpcio's inner interface is another."""

import logging
from collections.abc import Mapping

from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.grpc.methods import Method
from kilnworks.components.serving.grpc.options import GrpcOptions
from kilnworks.components.serving.settings.options import RunningServer

_LOG = logging.getLogger(__name__)


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
    if not portable:
        try:
            from kilnworks.components.serving.grpc.direct import DirectServer
        except (ImportError, AttributeError) as error:
            _LOG.warning("the portable gRPC server is used, for this grpcio is another: %s", error)
        else:
            return DirectServer(methods, watches, options, batches)
    from kilnworks.components.serving.grpc.portable import PortableServer

    return PortableServer(methods, watches, options)
