"""Which kind a feature has, and that an unknown one is an error wherever it comes from."""

import json
from itertools import product
from typing import get_args

import numpy as np
import polars as pl
import pytest

from kilnworks.components.features.kinds import KINDS, AnyPlan
from kilnworks.components.features.kinds.as_sent import AsSentPlan
from kilnworks.components.features.kinds.base import Kind, Layers, Plan, Settled
from kilnworks.components.features.kinds.text import TextPlan
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.features.settings import Encoding, FeatureSettings, PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.schemas.artifacts import Transform
from kilnworks.schemas.code import Code
from kilnworks.schemas.contract import Contract, Dtype, Feature
from kilnworks.schemas.errors import ConfigError, StoreError, UnknownName
from kilnworks.schemas.kinds import members_of
from tests.components.features import tabular


class ConstantPlan(Plan):
    """Puts a number that was set into one place of the block."""

    value: float

    def places(self, name):
        return (f"{name} as {self.value}",)

    def columns(self, name, feature, series, places):
        places[:] = self.value

    def layers(self, feature, raw):
        from keras import ops

        return Layers(places=ops.zeros_like(ops.reshape(ops.cast(raw, "float32"), (-1, 1))) + self.value)


class Constant(Kind):
    value: float = 1.0

    def refused(self, feature):
        return "a number" if feature.dtype == "string" else ""

    def observer(self, name, feature):
        return Settled(ConstantPlan(value=self.value))


class LiarPlan(ConstantPlan):
    """Announces nothing and hands in a tensor."""

    def columns(self, name, feature, series, places):
        return np.zeros((len(series), 3), np.float64)


class Liar(Constant):
    def observer(self, name, feature):
        return Settled(LiarPlan(value=1))


OWN = f"{__name__}:Constant"


def _features():
    """A feature of every dtype, with and without a shape and with ``allowed``."""
    yield Feature(dtype="image", shape=(2, 2, 1))
    yield from (Feature(dtype=dtype) for dtype in get_args(Dtype) if dtype != "image")
    yield Feature(dtype="int", allowed=(1, 2))
    for dtype, shape in product(("float", "int"), ((3,), (4, 2))):
        yield Feature(dtype=dtype, shape=shape)


@pytest.mark.parametrize("feature", [*_features()], ids=lambda f: f"{f.dtype}{list(f.shape)}{'*' if f.allowed else ''}")
def test_one_kind_takes_a_feature_by_what_the_settings_say_and_always_one_by_default(feature):
    taking = {encode: [k for k in KINDS if encode in k.encodings(feature)] for encode in get_args(Encoding)}
    assert all(len(kinds) <= 1 for kinds in taking.values())
    assert len(taking["auto"]) == len(taking["drop"]) == 1


def _fitted(tmp_path, encode, dtype="float", values=(1.0, 2.0, 4.0)):
    contract = Contract.model_validate({"name": "x", "features": {"a": {"dtype": dtype}, "b": {"dtype": "float"}}})
    frame = pl.DataFrame({"a": values, "b": [0.0, 1.0, 2.0]})
    frame.write_parquet(tmp_path / "part.parquet")
    config = PreprocessConfig(features={"a": FeatureSettings(encode=encode)})
    return FeatureTransform.fit(contract, [tmp_path / "part.parquet"], config), frame


@pytest.mark.parametrize(
    ("encode", "value"),
    [(OWN, 1.0), (Constant, 1.0), (Constant(value=7), 7.0), (Code(path=OWN, options={"value": 7}), 7.0),
     ({"path": OWN, "options": {"value": 7}}, 7.0)],
    ids=["text", "class", "object", "code", "plain values"],
)  # fmt: skip
def test_a_kind_of_ones_own_is_named_in_any_way(tmp_path, encode, value):
    transform, frame = _fitted(tmp_path, encode)
    assert transform.plan.block == ("b", f"a as {value}")
    assert transform.encode(frame)["numeric"][:, 1].tolist() == [value] * 3


def test_settings_with_a_kind_of_ones_own_survive_json_and_change_with_set(tmp_path):
    config = PreprocessConfig(features={"a": FeatureSettings(encode=Constant(value=7))})
    again = PreprocessConfig.model_validate_json(config.model_dump_json())
    assert again == config and again.identity() == config.identity()
    assert "source" in config.identity()["features"]["a"]["encode"]
    changed = config.updated({"features.a.encode.options.value": 9})
    assert _fitted(tmp_path, changed.features["a"].encode)[0].plan.block[-1] == "a as 9.0"
    named = PreprocessConfig().updated({"features.a.encode": OWN})
    assert named.features["a"].encode == Code(path=OWN)


def test_a_plan_of_ones_own_is_found_again_by_its_class(tmp_path):
    transform, frame = _fitted(tmp_path, Constant(value=7))
    written = json.loads(transform.plan.model_dump_json())
    assert written["features"]["a"] == {"kind": f"{__name__}:ConstantPlan", "value": 7.0}
    (tmp_path / "transform.json").write_text(json.dumps(written))
    again = FeatureTransform.load(Transform(tmp_path))
    assert type(again.plan.features["a"]) is ConstantPlan
    np.testing.assert_array_equal(again.encode(frame)["numeric"], transform.encode(frame)["numeric"])


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [("numbr", UnknownName, "no kind of Plan 'numbr'(?s:.)*did you mean 'number'"),
     ("no_such_module:Plan", UnknownName, "no module 'no_such_module'"),
     (f"{__name__}:Absent", UnknownName, "Absent"), (f"{__name__}:Constant", ConfigError, "is no Plan"),
     (None, StoreError, "is no fitted transform"), ("image", StoreError, "is no fitted transform: .*offset")],
)  # fmt: skip
def test_an_unknown_kind_in_a_saved_transform_is_an_error(tmp_path, kind, error, message):
    transform, _ = _fitted(tmp_path, "auto")
    written = json.loads(transform.plan.model_dump_json())
    written["features"]["a"]["kind"] = kind
    (tmp_path / "transform.json").write_text(json.dumps(written))
    with pytest.raises(error, match=message):
        FeatureTransform.load(Transform(tmp_path))


@pytest.mark.parametrize(
    ("encode", "dtype", "got", "wanted"),
    [(OWN, "string", "'a' is string", "a number"),
     (f"{__name__}:Absent", "float", "Absent", "Constant"),
     (Code(path=OWN, options={"valu": 1}), "float", "takes no 'valu'", "value"),
     (Code(path=OWN, options={"value": "x"}), "float", "value: Input should be a valid number", "options of"),
     ("builtins:dict", "float", "gives a dict", "a subclass of"),
     (f"{__name__}:Liar", "float", "float64 of shape [3] a row", "no tensor")],
)  # fmt: skip
def test_a_kind_of_ones_own_that_does_not_fit_is_refused_in_words(tmp_path, encode, dtype, got, wanted):
    with pytest.raises(ConfigError) as caught:
        transform, frame = _fitted(tmp_path, encode, dtype, ["x"] * 3 if dtype == "string" else (1.0, 2.0, 3.0))
        transform.encode(frame)
    assert got in caught.value.got and wanted in caught.value.wanted


def test_a_word_that_is_no_encoding_is_refused_with_those_that_are():
    with pytest.raises(ConfigError, match=r"features\.a\.encode: one of auto, numeric.*'one_hott'"):
        PreprocessConfig().updated({"features.a": {"encode": "one_hott"}})


@pytest.mark.parametrize(
    ("settings", "dtype", "field", "wanted"),
    [({"min_frequency": 3}, "float", "min_frequency", "a category"),
     ({"buckets": 4}, "float", "buckets", "by ranges"),
     ({"encode": "buckets", "max_vocabulary": 4}, "float", "max_vocabulary", "a category"),
     ({"encode": OWN, "min_frequency": 3}, "float", "min_frequency", "a category"),
     ({"encode": "calendar", "size": (2, 2)}, "datetime", "size", "an image")],
)  # fmt: skip
def test_a_setting_that_nobody_would_read_is_refused(tmp_path, settings, dtype, field, wanted):
    contract = Contract.model_validate({"name": "x", "features": {"a": {"dtype": dtype}}})
    config = PreprocessConfig(features={"a": FeatureSettings(**settings)})
    with pytest.raises(ConfigError, match=rf"features\.a\.{field} is set") as caught:
        FeatureTransform.fit(contract, [], config)
    assert wanted in caught.value.wanted


def test_a_feature_left_out_for_a_trial_may_keep_its_settings(tmp_path):
    frame = pl.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]})
    frame.write_parquet(tmp_path / "part.parquet")
    contract = Contract.model_validate({"name": "x", "features": {"a": {"dtype": "string"}, "b": {"dtype": "float"}}})
    config = PreprocessConfig(features={"a": FeatureSettings(encode="drop", min_frequency=2)})
    assert FeatureTransform.fit(contract, [tmp_path / "part.parquet"], config).plan.block == ("b",)


def test_a_plan_as_it_was_written_before_kinds_had_files_of_their_own():
    """The words of ``transform.json`` of 0.1.0, one of each kind."""
    number = {"kind": "number", "scale": "standard", "origin": 0, "factor": 1.0, "mean": 1.0, "variance": 2.0,
              "knots": [], "shares": [], "indicator": False}  # fmt: skip
    plans = {
        "n": number,
        "c": {"kind": "calendar", "parts": {"month": number}},
        "t": {"kind": "category", "values": ["007", "b"], "output": "one_hot", "approximate": False},
        "b": {"kind": "buckets", "boundaries": [1.0], "origin": 0, "output": "embedding"},
        "v": {"kind": "tensor", "mean": [0.0], "variance": [1.0]},
        "i": {"kind": "image", "size": None, "factor": 0.1, "offset": 0.0},
        "d": {"kind": "dropped", "reason": "left out by the settings"},
    }
    contract = {"name": "x", "features": {name: {"dtype": "float"} for name in plans}}
    read = TransformPlan.model_validate({"contract": contract, "rows": 3, "features": plans, "shares": False})
    assert read.model_dump(mode="json")["features"] == {**plans, "d": {**plans["d"], "asked": False}}
    assert {type(plan) for plan in read.features.values()} == set(members_of(AnyPlan)) - {AsSentPlan, TextPlan}
    assert PreprocessConfig.model_validate_json(tabular.SETTINGS.model_dump_json()) == tabular.SETTINGS
