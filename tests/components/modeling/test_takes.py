"""An architecture reads the kinds of encoded tensors that it names, and refuses all others with who can."""

from typing import ClassVar

import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.cnn import Cnn
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.modeling.vision import Vision
from kilnworks.components.tasks.regression import Regression
from kilnworks.schemas.contract import Label
from kilnworks.schemas.errors import ConfigError

TOKENS = EncodedTensor(name="words", shape=(7,), dtype="int32", kind="tokens")
IMAGE = EncodedTensor(name="photo", shape=(8, 8, 1), dtype="float32", kind="image")
TASK = Regression(label=Label(name="y", dtype="float"))


class Reader(Architecture):
    """Takes a kind of its own."""

    takes: ClassVar[frozenset[str]] = frozenset({"pages"})
    kind: str = "page_reader"

    def trunk(self, encoded, inputs, names):
        raise NotImplementedError


class Careless(Architecture):
    """Says that it takes tokens, and hands them to ``flat`` all the same."""

    takes: ClassVar[frozenset[str]] = frozenset({"tokens"})
    kind: str = "careless"

    def trunk(self, encoded, inputs, names):
        return self.flat(encoded, inputs, names)


@pytest.mark.parametrize("model", [Mlp(), Tabular(), Cnn(), Vision()], ids=lambda m: m.kind)
def test_an_unknown_kind_of_tensor_is_refused_and_never_taken_for_numbers(model):
    with pytest.raises(ConfigError, match=f"model {model.kind} cannot take 'words', which is encoded as tokens"):
        model.network([IMAGE, TOKENS] if model.kind != "tabular" else [TOKENS], TASK)


def test_the_refusal_names_who_can():
    pages = EncodedTensor(name="book", shape=(3,), dtype="int32", kind="pages")
    with pytest.raises(ConfigError) as caught:
        Mlp().network([pages], TASK)
    assert caught.value.fix == "use model: page_reader"
    with pytest.raises(ConfigError) as caught:
        Tabular().network([IMAGE], TASK)
    named = set(caught.value.fix.removeprefix("use model: ").split(" or "))  # with those that other tests loaded
    assert {"cnn", "mlp", "vision"} <= named and "tabular" not in named
    with pytest.raises(ConfigError) as caught:
        Mlp().network([EncodedTensor(name="graph", shape=(3,), dtype="int32", kind="edges")], TASK)
    assert caught.value.fix == "use model: custom, or write an architecture that takes edges"


@pytest.mark.slow
def test_what_is_put_side_by_side_must_be_numbers_or_categories():
    with pytest.raises(ConfigError, match="'words' is encoded as tokens"):
        Careless().network([TOKENS], TASK)
