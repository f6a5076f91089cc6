"""What fitting learns, and the columnar encoding, against scikit-learn."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.features.shards import batches
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataInvalid, DataUnreadable, UnknownName
from tests.components.features import tabular


def _fit(tmp_path, columns, features, config=None, label="binary", shards=1):
    frame = pl.DataFrame(columns)
    files = []
    for i in range(shards):
        files.append(tmp_path / f"part-{i}.parquet")
        frame.gather_every(shards, i).write_parquet(files[-1])
    contract = Contract.model_validate({"name": "x", "features": features, "label": tabular.LABELS[label]})
    return FeatureTransform.fit(contract, files, config or PreprocessConfig()), frame


def test_numbers_are_those_of_standard_scaler(tmp_path):
    r = np.random.default_rng(0)
    columns = {"a": r.normal(100, 3, 500), "b": r.integers(0, 9, 500)}
    transform, frame = _fit(tmp_path, columns, {"a": {"dtype": "float"}, "b": {"dtype": "int"}}, shards=3)
    wanted = StandardScaler().fit_transform(np.column_stack([columns["a"], columns["b"]]))
    got = transform.encode(frame)["numeric"]
    assert got.dtype == np.float32 and got.flags.c_contiguous
    np.testing.assert_allclose(got, wanted, atol=2e-5)
    assert transform.plan.rows == 500


def test_few_values_are_those_of_one_hot_encoder(tmp_path):
    values = ["b", "a", "c", "a", "a", "b"] * 5
    transform, frame = _fit(tmp_path, {"s": values}, {"s": {"dtype": "string"}})
    wanted = OneHotEncoder(categories=[["a", "b", "c"]], sparse_output=False).fit_transform(np.array(values)[:, None])
    got = transform.encode(frame)["numeric"]
    assert transform.plan.block == ("s=?", "s=a", "s=b", "s=c")
    np.testing.assert_array_equal(got[:, 1:], wanted)
    assert not got[:, 0].any()


def test_many_values_are_an_index_of_which_0_is_unknown(tmp_path):
    values = [f"v{i:02d}" for i in range(40)]
    transform, _ = _fit(tmp_path, {"s": values}, {"s": {"dtype": "string", "nullable": True}})
    (tensor,) = transform.encoded
    assert (tensor.name, tensor.shape, tensor.dtype, tensor.vocabulary_size) == ("s", (), "int32", 41)
    probe = pl.DataFrame({"s": ["v07", None, "", "V07", "v07 ", "v39"]})
    got = transform.encode(probe)["s"]
    assert got.dtype == np.int32
    codes = OrdinalEncoder().fit(np.array(values)[:, None]).transform([["v07"], ["v39"]])[:, 0] + 1
    assert got.tolist() == [codes[0], 0, 0, 0, 0, codes[1]]


@pytest.mark.parametrize(("up_to", "kind"), [(3, "numeric"), (2, "categorical")])
def test_the_threshold_between_one_hot_and_embedding(tmp_path, up_to, kind):
    config = PreprocessConfig(one_hot_up_to=up_to)
    transform, _ = _fit(tmp_path, {"s": ["a", "b", "c"]}, {"s": {"dtype": "string"}}, config)
    assert [t.kind for t in transform.encoded] == [kind]


def test_buckets_are_those_of_kbins_discretizer(tmp_path):
    values = np.random.default_rng(1).normal(size=1000).astype(np.float32).astype(float)
    config = PreprocessConfig(features={"x": FeatureSettings(encode="buckets", buckets=7)})
    transform, frame = _fit(tmp_path, {"x": values}, {"x": {"dtype": "float"}}, config)
    bins = KBinsDiscretizer(7, encode="onehot-dense", strategy="quantile", quantile_method="linear", subsample=None)
    wanted = bins.fit_transform(values[:, None])
    np.testing.assert_array_equal(transform.encode(frame)["numeric"][:, 1:], wanted)


def test_values_that_repeat_make_fewer_buckets(tmp_path):
    config = PreprocessConfig(features={"x": FeatureSettings(encode="buckets", buckets=4)})
    transform, _ = _fit(tmp_path, {"x": [0.0] * 90 + [1.0] * 10 + [5.0] * 20}, {"x": {"dtype": "float"}}, config)
    boundaries = transform.plan.features["x"].boundaries
    assert all(a < b for a, b in pairwise(boundaries)) and min(boundaries) > 0
    probe = transform.encode(pl.DataFrame({"x": [-9.0, 0.0, 9.0, None]}))["numeric"]
    assert probe.argmax(axis=1).tolist() == [1, 1, len(boundaries) + 1, 0]


def test_missing_is_the_mean_and_an_indicator(tmp_path):
    features = {"a": {"dtype": "float", "nullable": True}, "b": {"dtype": "int", "nullable": True}}
    columns = {"a": [1.0, None, 3.0, float("nan")], "b": [5, 6, None, 7]}
    transform, frame = _fit(tmp_path, columns, features)
    got = transform.encode(frame)["numeric"]
    assert transform.plan.block == ("a", "b", "a is missing", "b is missing")
    np.testing.assert_allclose(got[:, 0], [-1, 0, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(got[:, 2:], [[0, 0], [1, 0], [0, 1], [1, 0]])


def test_no_indicator_where_the_training_split_misses_nothing_or_settings_say_no(tmp_path):
    features = {"a": {"dtype": "float", "nullable": True}, "b": {"dtype": "float", "nullable": True}}
    columns = {"a": [1.0, 2.0], "b": [None, 2.0]}
    assert _fit(tmp_path, columns, features)[0].plan.block == ("a", "b", "b is missing")
    config = PreprocessConfig(missing_indicator=False)
    assert _fit(tmp_path, columns, features, config)[0].plan.block == ("a", "b")


def test_a_number_that_never_varied_is_not_blown_up_when_it_does(tmp_path):
    transform, frame = _fit(tmp_path, {"a": [0.1] * 1000}, {"a": {"dtype": "float"}})
    assert np.abs(transform.encode(frame)["numeric"]).max() < 1e-6
    assert transform.encode(pl.DataFrame({"a": [1.1]}))["numeric"][0, 0] == pytest.approx(1.0)


@pytest.mark.parametrize("size", [1e-30, 1e-9, 1e9, 1e30])
def test_very_small_and_very_large_numbers_are_standardised_too(tmp_path, size):
    values = np.random.default_rng(0).normal(3, 2, 400) * size
    transform, frame = _fit(tmp_path, {"a": values}, {"a": {"dtype": "float"}})
    wanted = StandardScaler().fit_transform(values[:, None] / size)
    np.testing.assert_allclose(transform.encode(frame)["numeric"], wanted, atol=1e-5)


def test_large_integers_and_times_keep_their_digits(tmp_path):
    r = np.random.default_rng(0)
    numbers = 10**15 + r.integers(0, 1000, 300)
    seconds = 1_700_000_000 + r.integers(0, 3600, 300)
    columns = {"a": numbers, "t": pl.Series(seconds * 1_000_000).cast(pl.Datetime("us"))}
    transform, frame = _fit(tmp_path, columns, {"a": {"dtype": "int"}, "t": {"dtype": "datetime"}})
    wanted = StandardScaler().fit_transform(np.column_stack([numbers - 10**15, seconds - 1_700_000_000]).astype(float))
    np.testing.assert_allclose(transform.encode(frame)["numeric"], wanted, atol=1e-3)


def test_the_scales(tmp_path):
    r = np.random.default_rng(3)
    x = r.lognormal(2, 1.5, 5000)
    scales = ("standard", "minmax", "log1p", "quantile", "none")
    config = PreprocessConfig(features={s: FeatureSettings(scale=s) for s in scales})
    transform, frame = _fit(tmp_path, dict.fromkeys(scales, x), {s: {"dtype": "float"} for s in scales}, config)
    got = dict(zip(scales, transform.encode(frame)["numeric"].T, strict=True))
    np.testing.assert_allclose(got["none"], x, rtol=1e-6)
    np.testing.assert_allclose(got["minmax"], 2 * (x - x.min()) / (x.max() - x.min()) - 1, atol=1e-5)
    logs = np.log1p(x)
    np.testing.assert_allclose(got["log1p"], (logs - logs.mean()) / logs.std(), atol=1e-5)
    shares = x.argsort().argsort() / (len(x) - 1)
    np.testing.assert_allclose(got["quantile"], 2 * shares - 1, atol=0.01)
    outside = transform.encode(pl.DataFrame({s: [-1e9, 1e9] for s in scales}))["numeric"]
    np.testing.assert_allclose(outside[:, 3], [-1, 1], atol=1e-6)


def test_rare_values_and_a_full_vocabulary_are_unknown(tmp_path):
    values = ["a"] * 5 + ["b"] * 3 + ["c"] * 2 + ["d"]
    frequent, _ = _fit(tmp_path, {"s": values}, {"s": {"dtype": "string"}}, PreprocessConfig(min_frequency=2))
    assert frequent.plan.features["s"].values == ("a", "b", "c")
    small = PreprocessConfig(features={"s": FeatureSettings(max_vocabulary=2)})
    assert _fit(tmp_path, {"s": values}, {"s": {"dtype": "string"}}, small)[0].plan.features["s"].values == ("a", "b")


@pytest.mark.slow
def test_a_transform_does_not_depend_on_how_rows_are_cut_into_shards(tmp_path):
    frame = tabular.rows(400)
    plans = []
    for shards in (1, 4):
        folder = tmp_path / str(shards)
        cut = [frame.slice(i * 400 // shards, 400 // shards) for i in range(shards)]
        made = tabular.examples(folder, tabular.contract(), {"train": cut})
        plans.append(FeatureTransform.fit(made.contract, made.files("train"), tabular.SETTINGS))
    assert plans[0].encoded == plans[1].encoded
    one, four = (plan.encode(frame) for plan in plans)
    for name, values in one.items():
        np.testing.assert_allclose(values, four[name], atol=1e-5)


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 1e300])
def test_numbers_that_float32_cannot_hold_are_refused(tmp_path, value):
    with pytest.raises(DataInvalid, match="'a' holds"):
        _fit(tmp_path, {"a": [1.0, value]}, {"a": {"dtype": "float"}})


@pytest.mark.parametrize(
    ("feature", "settings", "wanted"),
    [({"dtype": "string"}, {"encode": "numeric"}, "auto, drop, embedding, ngrams, one_hot, tfidf, tokens"),
     ({"dtype": "float"}, {"encode": "one_hot"}, "auto, buckets, drop, numeric"),
     ({"dtype": "float", "shape": [3]}, {"encode": "buckets"}, "auto, drop"),
     ({"dtype": "string"}, {"scale": "log1p"}, "for a number alone"),
     ({"dtype": "float"}, {"size": [3, 4]}, "for an image alone")],
)  # fmt: skip
def test_settings_that_do_not_fit_the_dtype_are_refused(tmp_path, feature, settings, wanted):
    config = PreprocessConfig(features={"a": FeatureSettings(**settings)})
    with pytest.raises(ConfigError, match=r"features\.a") as caught:
        _fit(tmp_path, {"a": ["x"]}, {"a": feature}, config)
    assert wanted in caught.value.wanted


def test_a_setting_for_no_feature_offers_the_nearest(tmp_path):
    config = PreprocessConfig(features={"tenur": FeatureSettings(encode="drop")})
    with pytest.raises(UnknownName, match="did you mean 'tenure'"):
        _fit(tmp_path, {"tenure": [1.0]}, {"tenure": {"dtype": "float"}}, config)


def test_nothing_to_learn_from_is_refused(tmp_path):
    features = {"a": {"dtype": "float", "nullable": True}}
    with pytest.raises(DataUnreadable, match="no value in the training split"):
        _fit(tmp_path, {"a": pl.Series([None, None], dtype=pl.Float64)}, features)
    with pytest.raises(DataUnreadable, match="no rows"):
        _fit(tmp_path, {"a": pl.Series([], dtype=pl.Float64)}, features)


def test_missing_values_where_the_contract_allows_none_are_refused(tmp_path):
    transform, _ = _fit(tmp_path, {"a": [1, 2]}, {"a": {"dtype": "int"}})
    with pytest.raises(DataInvalid, match="1 of 2 values of 'a' are missing"):
        transform.encode(pl.DataFrame({"a": [1, None]}))
    with pytest.raises(DataInvalid, match="no column a"):
        transform.encode(pl.DataFrame({"b": [1]}))


def test_a_feature_called_numeric_keeps_its_name(tmp_path):
    features = {"numeric": {"dtype": "string"}, "x": {"dtype": "float"}}
    config = PreprocessConfig(one_hot_up_to=0)
    transform, frame = _fit(tmp_path, {"numeric": ["a", "b"], "x": [1.0, 2.0]}, features, config)
    assert [t.name for t in transform.encoded] == ["numeric_block", "numeric"]
    assert sorted(transform.encode(frame)) == ["numeric", "numeric_block"]


@pytest.mark.slow
def test_fitting_and_encoding_need_no_tensorflow(tmp_path):
    made = tabular.examples(tmp_path, tabular.contract(), {"train": [tabular.rows(50)]})
    script = (
        "import sys; from pathlib import Path; from kilnworks.components.features.transform import FeatureTransform;"
        "assert 'polars' not in sys.modules and 'numpy' not in sys.modules;"
        "from kilnworks.components.features.settings import *; "
        "from kilnworks.schemas.artifacts import CheckedExamples; import polars as pl;"
        f"e = CheckedExamples(Path({str(tmp_path)!r}));"
        "c = PreprocessConfig(); t = FeatureTransform.fit(e.contract, e.files('train'), c);"
        "t.encode(pl.read_parquet(e.files('train')));"
        "assert not {'tensorflow', 'keras', 'grpc'} & set(sys.modules)"
    )
    assert made.rows("train") == 50
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("most", "scale", "expected"), [(16, "unit", 1.0), (None, "unit", 16 / 255), (16, "signed", 1.0)]
)
def test_pixels_are_scaled_by_the_brightest_that_the_contract_allows(tmp_path, most, scale, expected):
    features = {"x": {"dtype": "image", "shape": [1, 2, 1], "max": most}}
    values = pl.Series([[0, 16], [16, 16]], dtype=pl.Array(pl.UInt8, 2))
    transform, frame = _fit(tmp_path, {"x": values}, features, PreprocessConfig(image_scale=scale))
    assert transform.encode(frame)["x"][0].ravel()[1] == pytest.approx(expected, rel=1e-6)


def test_batches_hold_every_row_in_order_and_leave_out_a_column_that_is_not_there(tmp_path):
    files, whole = [tmp_path / "a[1].parquet", tmp_path / "none.parquet", tmp_path / "b.parquet"], pl.DataFrame(
        {"x": range(23), "t": [f"t{i}" for i in range(23)], "m": [None, 1.5] * 11 + [2.5]}
    )  # fmt: skip
    for file, part in zip(files, (whole[:16], whole[:0], whole[16:]), strict=True):
        part.write_parquet(file, row_group_size=3)
    found = list(batches(files, ["t", "x", "t", "gone"], 5))
    assert [frame.height for frame in found] == [5, 5, 5, 1, 5, 2]
    assert pl.concat(found).equals(whole.select("t", "x"))
    assert {frame.n_chunks() for frame in found} == {1}
    assert [frame.height for frame in batches(files, [], 5)] == [16, 0, 7]
