"""A small typed client for model servers: numpy in, numpy out; needs numpy, grpcio and protobuf, and nothing else.

``Client`` blocks, ``AsyncClient`` is its twin for asyncio. Both speak TensorFlow Serving's gRPC (``host:port``) and its
REST (``http://host:port``), with our server or with a stock one. Errors are those of ``kilnworks_client.errors``.

Names are loaded when they are first used: the model server itself takes only the codes and messages of this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kilnworks_client.calls import ModelMeta, Prediction, SignatureMeta, TensorMeta, VersionState
    from kilnworks_client.client import AsyncClient, Client
    from kilnworks_client.errors import ClientError, ConfigError, RequestInvalid, ServerUnavailable
    from kilnworks_client.options import Options, Tls
    from kilnworks_client.retry import Policy

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "ConfigError",
    "ModelMeta",
    "Options",
    "Policy",
    "Prediction",
    "RequestInvalid",
    "ServerUnavailable",
    "SignatureMeta",
    "TensorMeta",
    "Tls",
    "VersionState",
]

_PLACES = {
    "calls": ("ModelMeta", "Prediction", "SignatureMeta", "TensorMeta", "VersionState"),
    "client": ("AsyncClient", "Client"),
    "errors": ("ClientError", "ConfigError", "RequestInvalid", "ServerUnavailable"),
    "options": ("Options", "Tls"),
    "retry": ("Policy",),
}


def __getattr__(name: str) -> Any:
    """A public name, loaded on first use (PEP 562)."""
    for module, names in _PLACES.items():
        if name in names:
            found = getattr(import_module(f"kilnworks_client.{module}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module 'kilnworks_client' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Public names, for completion."""
    return sorted({*globals(), *__all__})
