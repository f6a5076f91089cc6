"""Predict: checks a request against its signature, in the contract's order, and runs it. For engine and warm-up."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kilnworks.components.serving.batching.resumable import Steps, wait_for
from kilnworks.components.serving.batching.run_limit import LimitedRunner
from kilnworks.components.serving.batching.runner import BatchingRunner
from kilnworks.components.serving.errors import Code, ServingError, invalid_argument
from kilnworks.components.serving.versions.servable import Servable
from kilnworks.components.serving.wire.feeds import Feeds, Runner
from kilnworks.components.serving.wire.tensor_codec import TensorParseError, to_array
from kilnworks.components.serving.wire.values import Signature, TensorInfo

if TYPE_CHECKING:
    import numpy as np

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
PREDICT_METHOD = "tensorflow/serving/predict"


def check_method_name(signature: Signature) -> None:
    """Refuse a signature that was not exported for inference (only with ``--enable_signature_method_name_check``)."""
    allowed = (PREDICT_METHOD, CLASSIFY_METHOD, REGRESS_METHOD)
    if signature.method_name not in allowed:
        raise ServingError(
            Code.INTERNAL,
            f"Expected prediction signature method_name to be one of {{{', '.join(allowed)}}}. "
            f"Was: {signature.method_name}",
        )


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


def run_signature(
    servable: Servable,
    signature: Signature,
    arrays: Mapping[str, "np.ndarray[Any, Any]"],
    aliases: Sequence[str],
    timeout_seconds: float | None = None,
) -> Steps[list["np.ndarray[Any, Any]"]]:
    """The outputs of these aliases for a value of every input. Raises ``ServingError``."""
    infos, outputs = signature.inputs, signature.outputs
    feeds = [(infos[alias], value) for alias, value in arrays.items()]
    if len(feeds) > 1:  # TensorFlow numbers arguments by tensor name
        feeds.sort(key=lambda feed: feed[0].name)
    return (yield from run(servable.runner, feeds, [outputs[alias].name for alias in aliases], timeout_seconds))


def run(
    runner: Runner, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None
) -> Steps[list["np.ndarray[Any, Any]"]]:
    """Run at once, or pause until there is a place, or until the request has been run in a batch.

    Raises ``ServingError``.
    """
    if isinstance(runner, LimitedRunner):
        return (yield from runner.steps(feeds, fetches, timeout_seconds))
    if not isinstance(runner, BatchingRunner):
        return runner.run(feeds, fetches, timeout_seconds)
    request = runner.request(feeds, fetches, timeout_seconds)
    if request.pending:
        yield request
    return request.outputs()


def run_predict(
    servable: Servable,
    signature_name: str,
    inputs: Mapping[str, Any],
    output_filter: Sequence[str] = (),
    decode: Callable[[Any], Any] = to_array,
) -> dict[str, "np.ndarray[Any, Any]"]:
    """Predict without counting or logging it. Raises ``ServingError``."""
    signature = servable.signature(signature_name)
    arrays = input_arrays(signature, inputs, decode)
    aliases = output_aliases(signature, output_filter)
    return dict(zip(aliases, wait_for(run_signature(servable, signature, arrays, aliases)), strict=True))
