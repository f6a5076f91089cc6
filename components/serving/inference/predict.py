"""Predict: checks a request against its signature, in the contract's order, runs it, counts and logs it."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kilnworks.components.serving.batching.turns import Later, answered, stay
from kilnworks.components.serving.errors import Code, ServingError, invalid_argument
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.versions.servable import LoadedServable
from kilnworks.components.serving.wire.tensor_budget import UNCOUNTED_BYTES
from kilnworks.components.serving.wire.tensor_codec import TensorParseError, needed, to_array
from kilnworks.components.serving.wire.values import Predicted, Signature, TensorInfo

if TYPE_CHECKING:
    import numpy as np

Arrays = Mapping[str, "np.ndarray[Any, Any]"]

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
PREDICT_METHOD = "tensorflow/serving/predict"
_METHODS = (PREDICT_METHOD, CLASSIFY_METHOD, REGRESS_METHOD)


def input_arrays(
    signature: Signature, given: Mapping[str, Any], decode: Callable[[Any], Any] = to_array
) -> dict[str, Any]:
    """The value of every input of a signature, defaults filled in.

    Args:
        signature: what is called.
        given: alias -> value as the request holds it.
        decode: makes an array of such a value; raises TensorParseError.

    Raises:
        ServingError: INVALID_ARGUMENT for a wrong number of inputs, a missing or unknown alias, an unreadable tensor.
    """
    wanted = signature.inputs
    if len(given) > len(wanted) or (len(given) < len(wanted) and not signature.defaults):
        raise _wrong_number(given, wanted)
    arrays = {}
    for alias, info in wanted.items():
        if alias in given:
            try:
                arrays[alias] = decode(given[alias])
            except TensorParseError:
                raise invalid_argument(f"tensor parsing error: {alias}") from None
        elif alias in signature.defaults:
            arrays[alias] = signature.defaults[alias]
        else:
            raise _missing(alias, info, given, signature)
    used = [alias for alias in given if alias in wanted]
    if len(used) != len(given):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {_joined(used)}, request input: {_joined(given)}"
        )
    return arrays


def _joined(names: Any) -> str:
    return ",".join(sorted(names))


def _wrong_number(given: Mapping[str, Any], wanted: Mapping[str, TensorInfo]) -> ServingError:
    extra, missing = given.keys() - wanted.keys(), wanted.keys() - given.keys()
    return invalid_argument(
        f"input size does not match signature: {len(given)}!={len(wanted)} len({{{_joined(given)}}}) != "
        f"len({{{_joined(wanted)}}}). Sent extra: {{{_joined(extra)}}}. Missing but required: {{{_joined(missing)}}}."
    )


def _missing(alias: str, info: TensorInfo, given: Mapping[str, Any], signature: Signature) -> ServingError:
    return invalid_argument(
        f"Signature input alias: {alias}(feed name: {info.name}) not found in request and no default value provided. "
        f"Inputs expected to be in the request {{{_joined(given)}}}, or default input alias set: "
        f"{_joined(signature.defaults)}"
    )


def output_aliases(signature: Signature, output_filter: Sequence[str]) -> list[str]:
    """Which outputs to fetch: those of the filter in its order, or all.

    Raises: ServingError INVALID_ARGUMENT for an unknown or repeated alias.
    """
    if not output_filter:
        return list(signature.outputs)
    chosen: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{_joined(signature.outputs)}}}."
            )
        if alias in chosen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        chosen.append(alias)
    return chosen


def predict(
    engine: Engine,
    servable: LoadedServable,
    signature_name: str,
    inputs: Mapping[str, Any],
    output_filter: Sequence[str],
    timeout_seconds: float | None,
    decode: Callable[[Any], Any],
    step_back: Callable[[], None],
) -> Predicted | Later[Predicted]:
    """Run a signature of a version. Dtypes must match, shapes are not checked.

    Args:
        engine: what is served.
        servable: the version, which is held, and given back in any case.
        signature_name: "" = ``serving_default``.
        inputs: values by alias as the request holds them; strings as object arrays of bytes.
        output_filter: aliases of the outputs wanted; none = all.
        timeout_seconds: None = no limit; a run that takes longer is cancelled and answered with DEADLINE_EXCEEDED.
        decode: makes an array of a value, when it is its turn.
        step_back: called before a run that may be long.

    Raises:
        ServingError: the contract's code and text.
    """
    hold: AbstractContextManager[None] | None = None
    signature: Signature
    arrays: Arrays
    aliases: list[str]
    started = 0.0

    def begin() -> "list[np.ndarray[Any, Any]] | Later[list[np.ndarray[Any, Any]]]":
        """Read the inputs and run, now or later."""
        nonlocal hold, signature, arrays, aliases, started
        signature = servable.signature(signature_name)
        if engine.check_method_names and signature.method_name not in _METHODS:
            wanted = f"Expected prediction signature method_name to be one of {{{', '.join(_METHODS)}}}"
            raise ServingError(Code.INTERNAL, f"{wanted}. Was: {signature.method_name}")
        size = _bytes_of(inputs)
        if size > UNCOUNTED_BYTES or size > engine.budget.request_bytes:
            taken = engine.budget.hold(size)
            taken.__enter__()
            hold = taken
        arrays = input_arrays(signature, inputs, decode)
        aliases = output_aliases(signature, output_filter)
        if engine.request_check is not None:
            engine.request_check(servable.name, servable.version, servable.path, signature.name, arrays)
        started = time.perf_counter()
        return run_signature(servable, signature, arrays, aliases, timeout_seconds, step_back)

    def finish(outputs: "list[np.ndarray[Any, Any]]") -> Predicted:
        """The answer from the outputs of the run; logged where it is sampled."""
        engine.metrics.runtime(servable.name, "Predict", (time.perf_counter() - started) * 1e6)
        found = dict(zip(aliases, outputs, strict=True))
        predicted = Predicted(servable.name, servable.version, signature.name, found)
        if engine.prediction_log is not None and engine.prediction_log.sample():
            private = engine.private(servable.path)
            answer = replace(predicted, outputs={}) if private.label else predicted
            engine.prediction_log.log_predict(private.inputs(arrays), answer)
        return predicted

    def over(error: BaseException | None) -> None:
        if hold is not None:
            hold.__exit__(None, None, None)
        servable.release()

    return answered(begin, finish, over)


def _bytes_of(inputs: Mapping[str, Any]) -> int:
    """What the inputs take as tensors: of numbers that are arrays already, what they take now."""
    if all(hasattr(value, "nbytes") and value.dtype.kind != "O" for value in inputs.values()):
        return sum(value.nbytes for value in inputs.values())
    return needed(inputs)


def run_signature(
    servable: LoadedServable,
    signature: Signature,
    arrays: Arrays,
    aliases: Sequence[str],
    timeout_seconds: float | None = None,
    step_back: Callable[[], None] = stay,
) -> "list[np.ndarray[Any, Any]] | Later[list[np.ndarray[Any, Any]]]":
    """The outputs of these aliases for a value of every input. Raises ``ServingError``."""
    infos, outputs = signature.inputs, signature.outputs
    feeds = [(infos[alias], value) for alias, value in arrays.items()]
    if len(feeds) > 1:  # TensorFlow numbers arguments by tensor name
        feeds.sort(key=lambda feed: feed[0].name)
    fetches = [outputs[alias].name for alias in aliases]
    found: list[np.ndarray[Any, Any]] | Later[list[np.ndarray[Any, Any]]]
    found = servable.runner.begin(feeds, fetches, timeout_seconds, step_back)
    return found
