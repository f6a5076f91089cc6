"""Settings changed by path: everything inside keeps its class, whatever the types of the fields say."""

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SerializeAsAny

from kilnworks.components.features.settings import FeatureSettings
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.learning.optimizers import Adam, Optimizer, Sgd
from kilnworks.components.modeling.architectures import AnyModel
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.cnn import Cnn
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.preprocess import PreprocessConfig
from kilnworks.components.sources import CsvSource, GivenSplits, ParquetSource, Source
from kilnworks.components.train import TrainConfig
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.updates import replacements

CONTRACT = Contract.model_validate({"name": "c", "features": {"a": {"dtype": "float"}}})


class My(Mlp):
    extra: int = 7


class Own(Architecture):
    kind: Literal["own"] = "own"
    depth: int = 2

    def trunk(self, encoded: Any, inputs: Any, names: Any) -> Any:
        return self.flat(encoded, inputs, names)


class MyAdam(Adam):
    warm: float = 0.5


class MyCsv(CsvSource):
    note: str = ""


class Api(Source):
    kind: Literal["api"] = "api"
    path: str = "x"


@pytest.mark.parametrize(
    ("config", "changes", "at", "expected"),
    [
        (TrainConfig(model=My()), {"epochs": 3}, "model", My()),
        (TrainConfig(model=My()), {"model.extra": 9, "model.units": [8]}, "model", My(extra=9, units=(8,))),
        (TrainConfig(model=My(units=(3,))), {"model.kind": "mlp"}, "model", My(units=(3,))),
        (TrainConfig(model=My(units=(3,))), {"model": {"dropout": 0.5}}, "model", My(dropout=0.5)),
        (TrainConfig(model=My()), {"model": {"kind": "mlp", "extra": 1}}, "model", My(extra=1)),
        (TrainConfig(model=Own()), {"epochs": 3}, "model", Own()),
        (TrainConfig(model=Own()), {"model.depth": 5}, "model", Own(depth=5)),
        (TrainConfig(optimizer=MyAdam()), {"batch": 8, "optimizer.beta_1": 0.5}, "optimizer", MyAdam(beta_1=0.5)),
        (TrainConfig(optimizer=MyAdam()), {"optimizer.warm": 0.1}, "optimizer", MyAdam(warm=0.1)),
        (
            IngestConfig(contract=CONTRACT, source=MyCsv(path="a.csv")),
            {"source.path": "b.csv", "source.note": "n"},
            "source",
            MyCsv(path="b.csv", note="n"),
        ),
        (IngestConfig(contract=CONTRACT, source=Api()), {"rows_per_shard": 5}, "source", Api()),
        (
            IngestConfig(contract=CONTRACT, source=GivenSplits(train=MyCsv(path="a"), test=MyCsv(path="b"))),
            {"source.test.path": "c"},
            "source",
            GivenSplits(train=MyCsv(path="a"), test=MyCsv(path="c")),
        ),
    ],
)
def test_a_setting_changes_nothing_but_itself(config, changes, at, expected):
    changed = config.updated(changes)
    found = getattr(changed, at)
    assert type(found) is type(expected)
    assert found == expected
    assert list(replacements(config, changed)) == []


@pytest.mark.parametrize(
    ("model", "changes", "expected", "says"),
    [
        (My(dropout=0.25, extra=1), {"model.kind": "cnn"}, Cnn(dropout=0.25), "which has no extra"),
        (Own(l2=0.5), {"model.kind": "mlp", "model.units": [4]}, Mlp(l2=0.5, units=(4,)), "Mlp instead of Own"),
        (My(), {"model": {"kind": "cnn", "dropout": 0.1}}, Cnn(dropout=0.1), "Cnn instead of My"),
    ],
)
def test_another_kind_is_another_class_and_that_is_said(model, changes, expected, says):
    before = TrainConfig(model=model)
    after = before.updated(changes)
    assert type(after.model) is type(expected)
    assert after.model == expected
    (words,) = replacements(before, after)
    assert says in words and words.startswith("model is ")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model.kind": "cnnn"}, "did you mean 'cnn'"),
        ({"model": {"kind": "cnn", "unit": 3}}, "has no field 'model.unit'"),
        ({"model.extr": 3}, "did you mean 'extra'"),
        ({"model.extra": "many"}, "model.extra"),
        ({"model": {"kind": "mlp", "extr": 3}}, "model.extr"),
        ({"model.units.first": 3}, "model.units"),
        ({"devices.kind": "tpu"}, "devices.kind"),
        ({"epochs.x": 1}, "epochs"),
    ],
)
def test_what_is_not_there_is_refused_by_its_full_name(changes, says):
    with pytest.raises(ConfigError) as caught:
        TrainConfig(model=My()).updated(changes)
    assert says in str(caught.value)


class Leaf(Config):
    kind: Literal["leaf"] = "leaf"
    size: int = 0


class BigLeaf(Leaf):
    more: int = 0


class Branch(Config):
    kind: Literal["branch"] = "branch"
    leaf: Leaf = Leaf()
    several: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = Field(default_factory=dict)


class BigBranch(Branch):
    depth: int = 0


class Tree(Config):
    top: Annotated[Leaf | Branch, Field(discriminator="kind")] = Leaf()
    rest: tuple[Branch, ...] = ()
    free: SerializeAsAny[Config] = Leaf()
    epochs: int = 1


LEAVES = st.builds(Leaf, size=st.integers()) | st.builds(BigLeaf, size=st.integers(), more=st.integers())
PARTS = {
    "leaf": LEAVES,
    "several": st.lists(LEAVES, max_size=3),
    "named": st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
}
BRANCHES = st.builds(Branch, **PARTS) | st.builds(BigBranch, depth=st.integers(), **PARTS)
TREES = st.builds(Tree, top=LEAVES | BRANCHES, rest=st.lists(BRANCHES, max_size=2), free=LEAVES | BRANCHES)


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every number, and the class of every config, by path: a second way to look at a tree."""
    if isinstance(value, Config):
        inside = {f"{path}.{n}" if path else n: getattr(value, n) for n in type(value).model_fields if n != "kind"}
        return {path + "!": type(value), **{k: v for p, x in inside.items() for k, v in leaves(x, p).items()}}
    if isinstance(value, dict):
        return {k: v for n, x in value.items() for k, v in leaves(x, f"{path}.{n}").items()}
    if isinstance(value, tuple):
        return {k: v for i, x in enumerate(value) for k, v in leaves(x, f"{path}.{i}").items()}
    return {path: value}


@given(TREES, st.data())
def test_one_number_changes_and_nothing_else(tree, data):
    before = leaves(tree)
    path = data.draw(st.sampled_from([p for p in before if not p.endswith("!")]))
    after = tree.updated({path: 12345})
    assert leaves(after) == {**before, path: 12345}
    assert leaves(tree) == before


@given(TREES)
def test_every_field_of_every_class_is_written_out(tree):
    dumped = tree.model_dump(mode="json")
    for path, value in leaves(tree).items():
        if path.endswith("!"):
            continue
        node: Any = dumped
        for part in path.split("."):
            node = node[int(part)] if isinstance(node, list) else node[part]
        assert node == value


@given(TREES)
def test_plain_values_of_a_whole_tree_make_the_same_tree(tree):
    class Holder(Config):
        tree: Tree

    holder = Holder(tree=tree)
    again = holder.updated({"tree": tree.model_dump(mode="json")})
    assert leaves(again) == leaves(holder)


def test_a_feature_that_has_no_settings_yet_gets_some_by_path():
    changed = PreprocessConfig().updated({"features.age.encode": "buckets", "features.age.buckets": 5})
    assert changed == PreprocessConfig(features={"age": FeatureSettings(encode="buckets", buckets=5)})
    with pytest.raises(ConfigError, match=r"'features\.age\.encod'(.|\n)*did you mean 'encode'"):
        PreprocessConfig().updated({"features.age.encod": "buckets"})


class Holds(Config):
    model: AnyModel = Mlp()


def test_an_architecture_of_ones_own_is_taken_and_written_out_whole():
    written = Own(depth=3).model_dump(mode="json")
    assert Holds(model=Own(depth=3)).model_dump(mode="json")["model"] == {**written, "kind": f"{__name__}:Own"}
    assert Holds(model={"kind": "mlp"}).model == Mlp()
    assert isinstance(TrainConfig(optimizer=Sgd()).optimizer, Optimizer)
    assert IngestConfig(contract=CONTRACT, source=ParquetSource(path="x")).source.kind == "parquet"
