"""Classes of a user's own in the package's unions keep class and fields: in plain values, as a form, by path."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam, Optimizer, Sgd
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.sources import CsvSource, GivenSplits, Source
from kilnworks.components.train import TrainConfig, train
from kilnworks.pipelines.core.form import changed, form
from kilnworks.pipelines.core.graph import Champion, Pipeline, Step
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, UnknownName

ROOT = Path(__file__).parents[2]
CONTRACT = Contract.model_validate({"name": "c", "features": {"a": {"dtype": "float"}}})


class Plain(Architecture):
    """Has no ``kind`` of its own."""

    depth: int = 2

    def trunk(self, encoded: Any, inputs: Any, names: Any) -> Any:
        return self.flat(encoded, inputs, names)


class Named(Plain):
    kind: Literal["named_by_a_word"] = "named_by_a_word"
    width: int = 3


class Wider(Mlp):
    extra: int = 7


class Service(Source):
    address: str = "x"
    location_fields = ("address",)


class Lion(Optimizer):
    beta: float = 0.9

    def keras_class(self) -> Any:
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        return {"beta": self.beta}


NUMBERS = st.integers(-5, 99)
MODELS = st.one_of(
    st.builds(Plain, depth=NUMBERS),
    st.builds(Named, depth=NUMBERS, width=NUMBERS),
    st.builds(Wider, extra=NUMBERS),
    st.builds(Mlp, l2=st.floats(0, 1)),
)
SOURCES = st.one_of(st.builds(Service, address=st.text(max_size=4)), st.builds(CsvSource, path=st.text(max_size=4)))
TRAININGS = st.builds(
    TrainConfig,
    model=MODELS,
    optimizer=st.one_of(st.builds(Lion, beta=st.floats(0, 1)), st.just(Sgd()), st.just(Adam())),
)
INGESTS = st.builds(
    IngestConfig,
    contract=st.just(CONTRACT),
    source=st.one_of(SOURCES, st.builds(GivenSplits, train=SOURCES, test=SOURCES)),
)


@given(st.one_of(TRAININGS, INGESTS))
def test_written_as_json_and_read_again_it_is_the_same(config):
    again = type(config).model_validate_json(config.model_dump_json())
    assert again == config and classes(again) == classes(config)
    assert again.identity() == config.identity() if isinstance(config, TrainConfig) else True


def classes(config: Any) -> dict[str, type]:
    return {name: type(getattr(config, name)) for name in type(config).model_fields}


@given(st.one_of(MODELS), st.one_of(MODELS))
def test_plain_values_by_path_make_what_they_were_written_from(before, after):
    assume(not (type(before) is Wider and type(after) is Mlp))  # "mlp" is the kind of both: the class stays
    wanted = TrainConfig(model=after)
    by_value = TrainConfig(model=before).updated({"model": wanted.model_dump(mode="json")["model"]})
    assert by_value == wanted and type(by_value.model) is type(after)
    plain = wanted.model_dump(mode="json")["model"]
    by_field = TrainConfig(model=before).updated({f"model.{name}": value for name, value in plain.items()})
    assert by_field == wanted and type(by_field.model) is type(after)


@pytest.mark.slow
@given(MODELS, NUMBERS)
def test_as_a_form_only_what_was_changed_is_sent_back(model, epochs):
    inputs = {"examples": Champion("other", "checked"), "transform": Champion("other", "transform")}
    pipeline = Pipeline("p", (Step("model", train, TrainConfig(model=model), inputs),))
    fields = {field.name: field for field in form(pipeline)}
    own = set(type(model).model_fields) - {"kind"}
    assert own <= {name.removeprefix("model.model.") for name in fields}
    values = {name: json.loads(json.dumps(field.default)) for name, field in fields.items()}
    assert changed(pipeline, values) == {}
    sent = changed(pipeline, {**values, "model.epochs": abs(epochs) + 100})
    assert sent == {"model.epochs": abs(epochs) + 100}


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("mlpp", UnknownName, "did you mean 'mlp'"),
        ("nothing_like_it", UnknownName, "named_by_a_word"),
        (f"{__name__}:Plian", UnknownName, "did you mean 'Plain'"),
        ("no_such_package.models:Net", UnknownName, "no module 'no_such_package.models'"),
        (f"{__name__}:Service", ConfigError, "is no Architecture"),
        (f"{__name__}:NUMBERS", ConfigError, "is no Architecture"),
    ],
)
def test_an_unknown_kind_says_what_exists(kind, error, says):
    with pytest.raises(error, match=says) as caught:
        TrainConfig.model_validate({"model": {"kind": kind}})
    assert "mlp" in str(caught.value) or error is UnknownName
    with pytest.raises(ConfigError):
        TrainConfig().updated({"model.kind": kind})


def test_an_object_of_another_base_is_refused():
    with pytest.raises(ConfigError, match="derives from Architecture"):
        TrainConfig(model=CsvSource(path="x"))


PROJECT = """
from typing import Any
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.sources import Source

class MyNet(Architecture):
    width: int = 8
    def trunk(self, encoded: Any, inputs: Any, names: Any) -> Any:
        return self.flat(encoded, inputs, names)
"""


def test_a_process_that_never_met_the_class_finds_it_by_its_place(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/models.py").write_text(PROJECT)
    code = (
        "from kilnworks.components.train import TrainConfig as T\n"
        "c = T.model_validate({'model': {'kind': 'shop.models:MyNet', 'width': 3}})\n"
        "d = T().updated({'model.kind': 'shop.models:MyNet', 'model.width': 4, 'model.l2': 0.5})\n"
        "print(type(c.model).__name__, c.model.width, type(d.model).__name__, d.model.width, d.model.l2)\n"
        "print(c.model_dump_json(include={'model'}))\n"
    )
    env = {**os.environ, "KILNWORKS_ROOT": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "MyNet 3 MyNet 4 0.5"
    assert json.loads(second)["model"]["kind"] == "shop.models:MyNet"
