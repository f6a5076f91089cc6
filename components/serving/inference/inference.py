"""Runs signatures of a held version: tensors in, tensors out. Used by the engine and by warm-up."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kilnworks.components.serving.batching.resumable import Steps, wait_for
from kilnworks.components.serving.batching.run_limit import LimitedRunner
from kilnworks.components.serving.batching.runner import BatchingRunner
from kilnworks.components.serving.inference.example_inference import ExampleSignature, example_tensor
from kilnworks.components.serving.inference.predict import input_arrays, output_aliases
from kilnworks.components.serving.versions.servable import Servable
from kilnworks.components.serving.wire.feeds import Feeds, Runner
from kilnworks.components.serving.wire.tensor_codec import to_array
from kilnworks.components.serving.wire.values import Signature

if TYPE_CHECKING:
    import numpy as np


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
    return (yield from _run(servable.runner, feeds, [outputs[alias].name for alias in aliases], timeout_seconds))


def _run(
    runner: Runner, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None
) -> Steps[list["np.ndarray[Any, Any]"]]:
    """Run at once, or pause until there is a place, or until the request has been run in a batch."""
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


def run_example_signatures(
    servable: Servable,
    fitted: Sequence[ExampleSignature],
    examples: Sequence[bytes],
    timeout_seconds: float | None = None,
) -> Steps[list[dict[str, "np.ndarray[Any, Any]"]]]:
    """One run that feeds the same Examples to every signature; outputs by alias for each. Raises ``ServingError``."""
    tensor = example_tensor(examples)
    inputs = {found.input.name: found.input for found in fitted}
    names = sorted({info.name for found in fitted for info in found.outputs.values()})
    feeds = [(inputs[name], tensor) for name in sorted(inputs)]
    values = yield from _run(servable.runner, feeds, names, timeout_seconds)
    by_name = dict(zip(names, values, strict=True))
    return [{alias: by_name[info.name] for alias, info in found.outputs.items()} for found in fitted]
