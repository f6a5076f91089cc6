"""What each URL of the API does: a JSON body in, the engine asked, a JSON body out."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from kilnworks.components.serving.batching.turns import Later, answered, stay, waited
from kilnworks.components.serving.errors import invalid_argument
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.inference.example_inference import classify, regress
from kilnworks.components.serving.inference.predict import predict_on
from kilnworks.components.serving.json_tensors import examples, predict, write
from kilnworks.components.serving.json_tensors.apart import Readers
from kilnworks.components.serving.json_tensors.predict import Form
from kilnworks.components.serving.json_tensors.tensors import Array
from kilnworks.components.serving.rest.urls import Target
from kilnworks.components.serving.wire.moments import Dates, Moments, examples_with_seconds, with_seconds
from kilnworks.components.serving.wire.tensor_budget import DEFAULT_REQUEST_BYTES
from kilnworks.components.serving.wire.values import DEFAULT_SIGNATURE, ModelSpecRef, Signature, TensorInfo

if TYPE_CHECKING:
    from kilnworks.components.serving.versions.servable import Servable


class Api:
    """The five operations.

    Args:
        engine: answers.
        timeout_seconds: of each inference; None = no limit.
        most_bytes: that what is made of a body may take.
        readers: read large bodies; None = they are read here.
    """

    def __init__(
        self,
        engine: Engine,
        timeout_seconds: float | None,
        most_bytes: int = DEFAULT_REQUEST_BYTES,
        readers: Readers | None = None,
    ) -> None:
        self._engine, self._timeout, self._most_bytes, self._readers = engine, timeout_seconds, most_bytes, readers
        self._moments = Moments()

    def answer(
        self, target: Target, body: bytes, step_back: Callable[[], None] = stay, large: bool = False
    ) -> bytes | Later[bytes]:
        """Body of the answer; a large body is read in another process. Raises ``ServingError``."""
        if target.api == "metadata":
            return self._metadata(target)
        if target.api == "status":
            return self._status(target)
        kind = "predict" if target.api == "predict" else "examples"
        inferred = self._predict if target.api == "predict" else self._of_examples
        if not large or self._readers is None:
            return inferred(target, _Here(kind, body, self._most_bytes), step_back)
        with self._readers.reading(kind, body) as reading:
            del body
            return waited(inferred(target, reading, step_back))

    def _predict(self, target: Target, body: "_Body", step_back: Callable[[], None]) -> bytes | Later[bytes]:
        handle = self._engine.core.acquire(_spec(target, body.signature_name))
        try:
            wanted = _signature(handle, body.signature_name).inputs
            dates = {name: told for name, told in self._moments.of(handle.path).items() if name in wanted}
            inputs, form = body.arrays(wanted, dates, next(iter(wanted)) if len(wanted) == 1 else None)
        except BaseException:
            handle.release()
            raise
        name, timeout = body.signature_name, self._timeout
        return answered(
            lambda: predict_on(self._engine, handle, name, inputs, (), timeout, _as_it_is, step_back),
            lambda predicted: write.predictions(predicted.outputs, form),
            _nothing,
        )

    def _of_examples(self, target: Target, body: "_Body", step_back: Callable[[], None]) -> bytes | Later[bytes]:
        spec = _spec(target, body.signature_name)
        with self._engine.core.acquire(spec) as handle:
            dates = self._moments.of(handle.path)
        serialized = body.serialized(dates)
        if target.api == "classify":
            return answered(
                lambda: classify(self._engine, spec, serialized, self._timeout, step_back),
                lambda found: write.classifications(found.classifications),
                _nothing,
            )
        return answered(
            lambda: regress(self._engine, spec, serialized, self._timeout, step_back),
            lambda found: write.regressions(found.values),
            _nothing,
        )

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


class _Body(Protocol):
    """A JSON body that has been read as far as the name of its signature."""

    signature_name: str

    def arrays(self, inputs: Mapping[str, TensorInfo], dates: Dates, only: str | None) -> tuple[dict[str, Array], Form]:
        """The inputs of a predict request, and the form that its answer must have."""

    def serialized(self, dates: Dates) -> list[bytes]:
        """The serialized Examples of a classify or regress request."""


class _Here:
    """A body that is read in this process."""

    def __init__(self, kind: str, body: bytes, most_bytes: int) -> None:
        self._parsed: Any = predict.parse(body) if kind == "predict" else examples.parse(body, most_bytes)
        self.signature_name: str = self._parsed.signature_name

    def arrays(self, inputs: Mapping[str, TensorInfo], dates: Dates, only: str | None) -> tuple[dict[str, Array], Form]:
        """The inputs as arrays, and the form in which they were sent."""
        found: tuple[dict[str, Array], Form] = self._parsed.arrays(
            inputs, partial(with_seconds, dates=dates, only=only) if dates else None
        )
        return found

    def serialized(self, dates: Dates) -> list[bytes]:
        parsed: examples.ExamplesBody = self._parsed
        return parsed.rewritten(partial(examples_with_seconds, dates=dates)) if dates else parsed.examples


def _nothing(error: BaseException | None) -> None:
    """What is given back here: nothing is held."""


def _as_it_is(value: Any) -> Any:
    """The array of an input: it has been read already."""
    return value


def _spec(target: Target, signature_name: str) -> ModelSpecRef:
    return ModelSpecRef(target.name, target.version, target.label, signature_name)


def _signature(handle: "Servable", name: str) -> Signature:
    """The signature whose inputs the body must fill; REST words its absence differently from gRPC."""
    found = handle.signatures.get(name or DEFAULT_SIGNATURE)
    if found is None:
        raise invalid_argument(f'Serving signature name: "{name or DEFAULT_SIGNATURE}" not found in signature def')
    return found


def _pretty(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode("utf-8", "surrogateescape")
