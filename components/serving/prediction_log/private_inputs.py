"""What of a request must not be written down: features with ``sensitive: true`` in the contract beside a model."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from kilnworks.components.serving.json_tensors.dense import Array
from kilnworks.schemas.files import read_json
from kilnworks.schemas.saved_contract import read_saved
from kilnworks.schemas.wire import CONTRACT_FILE
from kilnworks_client import messages

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Private:
    """Names of a model.

    Attributes:
        features: those that are sensitive; None = all inputs, because the contract cannot be read.
        label: whether the answers are private too.
    """

    features: frozenset[str] | None = frozenset()
    label: bool = False

    def inputs(self, arrays: Mapping[str, Array]) -> Mapping[str, Array]:
        """Inputs without the sensitive ones; serialized Examples (of any name) without their sensitive features."""
        if self.features is None:
            return {}
        if not self.features:
            return arrays
        return {name: self._stripped(array) for name, array in arrays.items() if name not in self.features}

    def examples(self, texts: Sequence[bytes]) -> Sequence[bytes]:
        """Serialized Examples without their sensitive features; what is no Example is left empty."""
        return texts if self.features is not None and not self.features else [self._example(text) for text in texts]

    def _stripped(self, array: Array) -> Array:
        if array.dtype.kind != "O":
            return array
        found = np.empty(array.size, object)
        found[:] = [self._in_text(text) for text in array.ravel().tolist()]
        return found.reshape(array.shape)

    def _in_text(self, text: bytes) -> bytes:
        """A text without sensitive features, if it is an Example that has some."""
        return text if not any(name.encode() in text for name in self.features or ()) else self._example(text)

    def _example(self, text: bytes) -> bytes:
        try:
            example = messages.Example.FromString(text)
        except DecodeError:
            return b""
        features = example.features.feature
        for name in list(features) if self.features is None else self.features:
            features.pop(name, None)
        return bytes(example.SerializeToString())


def private_of(path: str) -> Private:
    """What is private of the model in a version directory; nothing where it has no contract."""
    file = Path(path) / CONTRACT_FILE
    if not file.is_file():
        return Private()
    try:
        contract, _ = read_saved(read_json(file))
    except (OSError, ValueError, AttributeError) as error:
        log.warning("%s cannot be read, so the prediction log leaves out every input: %s", file, error)
        return Private(None, label=True)
    names = frozenset(name for name, feature in contract.features.items() if feature.sensitive)
    return Private(names)
