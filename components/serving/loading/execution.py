"""Runs a loaded graph: feeds by tensor name, fetches by tensor name, a time limit that really cancels.

A call without a time limit goes through a prepared callable that computes in the calling thread; a call with one
goes through the session's thread pool, where TensorFlow stops it when the time is over. Importing this module
imports TensorFlow.
"""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session

from kilnworks.components.serving.errors import Code, ServingError, deadline_exceeded, invalid_argument
from kilnworks.components.serving.loading.saved_model import LoadedModel
from kilnworks.components.serving.wire.feeds import Array, Feeds, check_dtypes

_IN_CALLING_THREAD = -1
_LONGEST_TIMEOUT_SECONDS = 10**7
_MOST_CALLABLES = 64

_Key = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of the tensors that are fed, and of those that are fetched."""


class GraphRunner:
    """Runs the session of one loaded version. Safe to call from many threads."""

    def __init__(self, model: LoadedModel) -> None:
        self._opened = model.session
        self._lock = threading.Lock()
        self._callables: dict[_Key, Any] = {}
        self._outputs: dict[str, Any] = {}

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        """Compute the fetched tensors.

        Args:
            feeds: input tensors and their values; dtypes are checked here, shapes only by the kernels.
            fetches: names of tensors.
            timeout_seconds: None = no limit.

        Raises:
            ServingError: INVALID_ARGUMENT for a wrong dtype, DEADLINE_EXCEEDED, or the kernel's code and text.
        """
        for info, value in feeds:
            if value.dtype is not info.numpy_dtype:
                check_dtypes(feeds)
                break
        key = (tuple([info.name for info, _ in feeds]), tuple(fetches))
        try:
            if timeout_seconds is None or timeout_seconds > _LONGEST_TIMEOUT_SECONDS:
                return [_array(value) for value in self._run_callable(key, feeds)]
            return [_array(value) for value in self._run_limited(feeds, fetches, timeout_seconds)]
        except Exception as error:
            raise _with_misfits(serving_error(error), feeds) from None

    def close(self) -> None:
        """Forget the prepared callables."""
        with self._lock:
            self._callables.clear()
            self._outputs.clear()

    def _run_callable(self, key: _Key, feeds: Feeds) -> list[Array]:
        call = self._callables.get(key) or self._make_callable(key)
        return call(*[value for _, value in feeds])

    def _make_callable(self, key: _Key) -> Any:
        with self._lock:
            if key in self._callables:
                return self._callables[key]
            options = config_pb2.CallableOptions()
            options.feed.extend(key[0])
            options.fetch.extend(key[1])
            options.run_options.inter_op_thread_pool = _IN_CALLING_THREAD
            call = self._opened._make_callable_from_options(options)
            if len(self._callables) >= _MOST_CALLABLES:
                self._callables.pop(next(iter(self._callables)))
            self._callables[key] = call
            return call

    def _run_limited(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float) -> list[Array]:
        if timeout_seconds <= 0:
            raise deadline_exceeded()
        limit = config_pb2.RunOptions(timeout_in_ms=max(1, round(timeout_seconds * 1000)))
        options = pywrap_tf_session.TF_NewBufferFromString(limit.SerializeToString())
        try:
            feed = {self._output(info.name): value for info, value in feeds}
            fetch = [self._output(name) for name in fetches]
            result: list[Array] = pywrap_tf_session.TF_SessionRun_wrapper(
                self._opened._session, options, feed, fetch, [], None
            )
            return result
        finally:
            pywrap_tf_session.TF_DeleteBuffer(options)

    def _output(self, name: str) -> Any:
        found = self._outputs.get(name)
        if found is None:
            found = self._outputs[name] = self._tensor(name)._as_tf_output()
        return found

    def _tensor(self, name: str) -> Any:
        try:
            return self._opened.graph.get_tensor_by_name(name)
        except (KeyError, ValueError, TypeError):
            raise invalid_argument(
                f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the Graph"
            ) from None


def _array(value: Any) -> Array:
    """The runtime's value as an array; it gives a string without dimensions as bare bytes."""
    if isinstance(value, bytes):
        scalar = np.empty((), object)
        scalar[()] = value
        return scalar
    array: Array = value
    return array


def _with_misfits(error: ServingError, feeds: Feeds) -> ServingError:
    """The error of a kernel, which names no input, with the inputs behind it whose shapes are not the signature's."""
    found = [
        f"{info.name.partition(':')[0]} has the shape {list(value.shape)}, the signature says {list(info.shape)}"
        for info, value in feeds
        if info.shape is not None and not _fits(value.shape, info.shape)
    ]
    if error.code != Code.INVALID_ARGUMENT or not found:
        return error
    return ServingError(error.code, f"{error.text}\nInput {'; input '.join(found)}")


def _fits(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether a shape is one that a signature allows, -1 for any size."""
    return len(shape) == len(wanted) and all(size in (-1, one) for one, size in zip(shape, wanted, strict=True))


def serving_error(error: Exception) -> ServingError:
    """TensorFlow's exception as a ``ServingError`` with the same code and text."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(Code(error.error_code), error.message)
    if isinstance(error, TypeError | ValueError):
        return invalid_argument(str(error))
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
