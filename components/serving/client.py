"""The client inside Kilnworks: that of ``kilnworks_client``, raising the errors of ``schemas.errors``.

The package ``kilnworks_client`` is a distribution of its own and knows nothing of ours. Here, and nowhere else, its
errors become those that the command line prints and steps catch; programs that were written with this path go on.
"""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import kilnworks_client
from kilnworks.schemas import errors
from kilnworks_client import (
    ModelMeta,
    Options,
    Policy,
    Prediction,
    SignatureMeta,
    TensorMeta,
    Tls,
    VersionState,
    calls,
    examples,
    messages,
    tensors,
)
from kilnworks_client.errors import ClientError, ConfigError, RequestInvalid, ServerUnavailable

__all__ = [
    "AsyncClient",
    "Client",
    "ModelMeta",
    "Options",
    "Policy",
    "Prediction",
    "SignatureMeta",
    "TensorMeta",
    "Tls",
    "VersionState",
    "calls",
    "examples",
    "messages",
    "our_errors",
    "tensors",
]

P = ParamSpec("P")
R = TypeVar("R")

_OURS: dict[type[ClientError], type[errors.KilnworksError]] = {
    ConfigError: errors.ConfigError,
    RequestInvalid: errors.RequestInvalid,
    ServerUnavailable: errors.ServerUnavailable,
}


@contextmanager
def our_errors() -> Iterator[None]:
    """Errors of the client as ours, with the same words and details."""
    try:
        yield
    except ClientError as error:
        raise _OURS[type(error)](error.got, error.wanted, error.fix, error.details) from error


def _ours(method: Callable[P, R]) -> Callable[P, R]:
    @wraps(method)
    def raising(*args: P.args, **kwargs: P.kwargs) -> R:
        with our_errors():
            return method(*args, **kwargs)

    return raising


def _awaited(method: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    @wraps(method)
    async def raising(*args: P.args, **kwargs: P.kwargs) -> R:
        with our_errors():
            return await method(*args, **kwargs)

    return raising


class Client(kilnworks_client.Client):
    """``kilnworks_client.Client`` with our errors."""

    __init__ = _ours(kilnworks_client.Client.__init__)
    predict = _ours(kilnworks_client.Client.predict)
    classify = _ours(kilnworks_client.Client.classify)
    regress = _ours(kilnworks_client.Client.regress)
    metadata = _ours(kilnworks_client.Client.metadata)
    status = _ours(kilnworks_client.Client.status)
    run = _ours(kilnworks_client.Client.run)
    wait_until_available = _ours(kilnworks_client.Client.wait_until_available)


class AsyncClient(kilnworks_client.AsyncClient):
    """``kilnworks_client.AsyncClient`` with our errors."""

    __init__ = _ours(kilnworks_client.AsyncClient.__init__)
    predict = _awaited(kilnworks_client.AsyncClient.predict)
    classify = _awaited(kilnworks_client.AsyncClient.classify)
    regress = _awaited(kilnworks_client.AsyncClient.regress)
    metadata = _awaited(kilnworks_client.AsyncClient.metadata)
    status = _awaited(kilnworks_client.AsyncClient.status)
    run = _awaited(kilnworks_client.AsyncClient.run)
    wait_until_available = _awaited(kilnworks_client.AsyncClient.wait_until_available)
