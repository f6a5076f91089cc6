"""What the URLs beside ``:predict`` do, and bodies of ``:predict`` that are more than one list of numbers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from kilnworks.components.serving.batching.turns import Later, answered
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.inference.example_inference import infer
from kilnworks.components.serving.inference.predict import CLASSIFY_METHOD, REGRESS_METHOD
from kilnworks.components.serving.json_tensors import write
from kilnworks.components.serving.json_tensors.apart import Reading
from kilnworks.components.serving.json_tensors.dense import Array, Dense, Form
from kilnworks.components.serving.json_tensors.examples import ExamplesBody
from kilnworks.components.serving.json_tensors.predict import PredictBody
from kilnworks.components.serving.wire.moments import dates_of, examples_with_seconds, with_seconds
from kilnworks.components.serving.wire.values import VERSIONS_KEPT, ModelSpecRef, TensorInfo


class Api:
    """The operations of an engine on JSON.

    Args:
        engine: answers.
        timeout_seconds: of each inference; None = no limit.
    """

    def __init__(self, engine: Engine, timeout_seconds: float | None) -> None:
        self._engine, self._timeout = engine, timeout_seconds
        self._dates = lru_cache(VERSIONS_KEPT)(dates_of)

    def inputs(
        self, read: Dense | PredictBody | Reading, wanted: Mapping[str, TensorInfo], path: str
    ) -> tuple[dict[str, Array], Form]:
        """The inputs of a predict request, dates as seconds, and the form that its answer must have.

        Args:
            read: the body; ``Dense`` is numbers that the signature does not take as they are.
            wanted: the inputs of the signature.
            path: of the version.

        Raises:
            ServingError: in the contract's words.
        """
        dates = {name: told for name, told in self._dates(path).items() if name in wanted}
        only = next(iter(wanted)) if len(wanted) == 1 else None
        if isinstance(read, Reading):
            return read.arrays(wanted, dates, only)
        body = PredictBody(read, read.signature_name) if isinstance(read, Dense) else read
        return body.arrays(wanted, partial(with_seconds, dates=dates, only=only) if dates else None)

    def infer_examples(
        self, asks: str, spec: ModelSpecRef, read: ExamplesBody | Reading, step_back: Callable[[], None]
    ) -> bytes | Later[bytes]:
        """Classify or regress. Raises ``ServingError``."""
        spec = replace(spec, signature_name=read.signature_name)
        with self._engine.core.acquire(spec) as servable:
            dates = self._dates(servable.path)
        if isinstance(read, Reading):
            serialized = read.serialized(dates)
        else:
            serialized = read.rewritten(partial(examples_with_seconds, dates=dates)) if dates else read.examples
        method = CLASSIFY_METHOD if asks == "classify" else REGRESS_METHOD

        def begin() -> Any:
            return infer(self._engine, spec, method, serialized, self._timeout, step_back)

        return answered(begin, write.results)

    def status(self, spec: ModelSpecRef) -> bytes:
        """The states of a model's versions. Raises ``ServingError``."""
        states = [
            {
                "version": str(s.version),
                "state": s.state,
                "status": {"error_code": s.code.name, "error_message": s.message},
            }
            for s in self._engine.core.status(spec)
        ]
        return _pretty({"model_version_status": states})

    def metadata(self, spec: ModelSpecRef) -> bytes:
        """The signatures of a version. Raises ``ServingError``."""
        from google.protobuf.json_format import MessageToDict

        found = self._engine.metadata(spec)
        signatures = {
            name: MessageToDict(signature, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            for name, signature in found.signature_defs.items()
        }
        named = {"name": found.name, "signature_name": "", "version": str(found.version)}
        return _pretty({"model_spec": named, "metadata": {"signature_def": {"signature_def": signatures}}})


def _pretty(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode("utf-8", "surrogateescape")
