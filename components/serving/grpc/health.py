"""``grpc.health.v1.Health``: SERVING for the server as a whole and for stock's two short service names."""

from collections.abc import Mapping

from grpc_health.v1 import health_pb2

from kilnworks.components.serving.errors import not_found
from kilnworks.components.serving.grpc.methods import Call, Method, parsed

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
_KNOWN = ("", "ModelService", "PredictionService")
_REQUEST = health_pb2.HealthCheckRequest
_RESPONSE = health_pb2.HealthCheckResponse


def health_methods() -> tuple[Mapping[str, Method], Mapping[str, Method]]:
    """(unary methods, methods that send one answer and keep the call open until one side goes)."""
    return {CHECK: _check}, {WATCH: _watch}


def _check(data: bytes, call: Call) -> bytes:
    if parsed(_REQUEST, data).service not in _KNOWN:
        raise not_found("service name unknown")
    return bytes(_RESPONSE(status=_RESPONSE.SERVING).SerializeToString())


def _watch(data: bytes, call: Call) -> bytes:
    status = _RESPONSE.SERVING if parsed(_REQUEST, data).service in _KNOWN else _RESPONSE.SERVICE_UNKNOWN
    return bytes(_RESPONSE(status=status).SerializeToString())
