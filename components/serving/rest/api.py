"""What each URL of the API does: a JSON body in, the engine asked, a JSON body out."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from components.serving.engine import Engine
from components.serving.errors import invalid_argument
from components.serving.json_tensors import examples, predict, write
from components.serving.moments import Moments, examples_with_seconds, with_seconds
from components.serving.rest.urls import Target
from components.serving.steps import Steps
from components.serving.tensor_budget import DEFAULT_REQUEST_BYTES
from components.serving.values import DEFAULT_SIGNATURE, ModelSpecRef, Signature

if TYPE_CHECKING:
    from components.serving.engine import Handle


class Api:
    """The five operations.

    Args:
        engine: answers.
        timeout_seconds: of each inference; None = no limit.
        most_bytes: that what is made of a body may take.
    """

    def __init__(self, engine: Engine, timeout_seconds: float | None, most_bytes: int = DEFAULT_REQUEST_BYTES) -> None:
        self._engine, self._timeout, self._most_bytes = engine, timeout_seconds, most_bytes
        self._moments = Moments()

    def answer(self, target: Target, body: bytes) -> Steps[bytes]:
        """Body of the answer. Raises ``ServingError``."""
        if target.api == "predict":
            return (yield from self._predict(target, body))
        if target.api == "classify":
            return (yield from self._classify(target, body))
        if target.api == "regress":
            return (yield from self._regress(target, body))
        if target.api == "metadata":
            return self._metadata(target)
        return self._status(target)

    def _predict(self, target: Target, body: bytes) -> Steps[bytes]:
        parsed = predict.parse(body)
        with self._engine.acquire(_spec(target, parsed.signature_name)) as handle:
            wanted = _signature(handle, parsed.signature_name).inputs
            inputs, form = parsed.arrays(wanted, self._dated(handle.path, wanted))
            predicted = yield from self._engine.predict_on(handle, parsed.signature_name, inputs, (), self._timeout)
        return write.predictions(predicted.outputs, form)

    def _dated(self, path: str, inputs: Mapping[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """What puts seconds in place of the dates that are written as text; None for a model without dates."""
        dates = {name: told for name, told in self._moments.of(path).items() if name in inputs}
        only = next(iter(inputs)) if len(inputs) == 1 else None
        return (lambda tree: with_seconds(tree, dates, only)) if dates else None

    def _classify(self, target: Target, body: bytes) -> Steps[bytes]:
        parsed = examples.parse(body, self._most_bytes)
        spec = _spec(target, parsed.signature_name)
        found = yield from self._engine.classify(spec, self._examples(spec, parsed), self._timeout)
        return write.classifications(found.classifications)

    def _regress(self, target: Target, body: bytes) -> Steps[bytes]:
        parsed = examples.parse(body, self._most_bytes)
        spec = _spec(target, parsed.signature_name)
        found = yield from self._engine.regress(spec, self._examples(spec, parsed), self._timeout)
        return write.regressions(found.values)

    def _examples(self, spec: ModelSpecRef, parsed: examples.ExamplesBody) -> list[bytes]:
        """The serialized Examples, with seconds in place of the dates that are written as text."""
        with self._engine.acquire(spec) as handle:
            dates = self._moments.of(handle.path)
        return parsed.rewritten(lambda tree: examples_with_seconds(tree, dates)) if dates else parsed.examples

    def _status(self, target: Target) -> bytes:
        states = [
            {
                "version": str(s.version),
                "state": s.state,
                "status": {"error_code": s.code.name, "error_message": s.message},
            }
            for s in self._engine.status(_spec(target, ""))
        ]
        return _pretty({"model_version_status": states})

    def _metadata(self, target: Target) -> bytes:
        from google.protobuf.json_format import MessageToDict

        found = self._engine.metadata(_spec(target, ""))
        signatures = {
            name: MessageToDict(signature, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            for name, signature in found.signature_defs.items()
        }
        spec = {"name": found.name, "signature_name": "", "version": str(found.version)}
        return _pretty({"model_spec": spec, "metadata": {"signature_def": {"signature_def": signatures}}})


def _spec(target: Target, signature_name: str) -> ModelSpecRef:
    return ModelSpecRef(target.name, target.version, target.label, signature_name)


def _signature(handle: "Handle", name: str) -> Signature:
    """The signature whose inputs the body must fill; REST words its absence differently from gRPC."""
    found = handle.signatures.get(name or DEFAULT_SIGNATURE)
    if found is None:
        raise invalid_argument(f'Serving signature name: "{name or DEFAULT_SIGNATURE}" not found in signature def')
    return found


def _pretty(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode("utf-8", "surrogateescape")
