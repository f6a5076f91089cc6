"""Whole numbers that float32 or float64 would merge, as categories and as numbers that may be missing."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.features.raw import MISSING_INT, raw_array, raw_input
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import DataInvalid
from tests.components.features import tabular

CODES = st.lists(
    st.one_of(
        st.integers(2**24 - 3, 2**24 + 3), st.integers(2**53 - 3, 2**53 + 3), st.integers(-(2**63) + 1, 2**63 - 1)
    ),
    min_size=2,
    max_size=8,
    unique=True,
)


def fitted(folder, values, feature, encode="embedding"):
    """A transform of one column, its contract checked as one from a file."""
    pl.DataFrame({"x": pl.Series(values, dtype=pl.Int64)}).write_parquet(folder / "x.parquet")
    contract = Contract.model_validate({"name": "x", "features": {"x": feature}, "label": tabular.LABELS["binary"]})
    config = PreprocessConfig(features={"x": FeatureSettings(encode=encode)})
    return FeatureTransform.fit(contract, [folder / "x.parquet"], config)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(codes=CODES, limits=st.sampled_from(["allowed", "ends", "not nullable"]))
def test_every_code_has_an_index_of_its_own(tmp_path, codes, limits):
    """As with a dictionary of Python ints; a neighbour that was never seen is unknown."""
    feature = {"dtype": "int", "nullable": limits != "not nullable"}
    feature |= {"allowed": codes} if limits == "allowed" else {}
    feature |= {"min": min(codes), "max": max(codes) if max(codes) > 2**24 else 2**25} if limits == "ends" else {}
    rows = [c for i, c in enumerate(codes) for _ in range(len(codes) - i)]
    if limits == "allowed" and max(map(abs, codes)) <= 2**24:
        return
    transform = fitted(tmp_path, rows, feature)
    place = {c: i + 1 for i, c in enumerate(codes)}
    probe = [*codes, *(c + 1 for c in codes if c < 2**63 - 1)]
    got = transform.encode(pl.DataFrame({"x": pl.Series(probe, dtype=pl.Int64)}))["x"]
    assert got.tolist() == [place.get(c, 0) for c in probe]


def test_codes_of_nine_digits_that_may_be_missing_do_not_share_an_index(tmp_path):
    """float32, in which whole numbers that may be missing travelled, has 100000001 and 100000002 as one number."""
    feature = {"dtype": "int", "nullable": True, "min": 100000000, "max": 200000000}
    transform = fitted(tmp_path, [100000001] * 3 + [100000002] * 2 + [None], feature)
    got = transform.encode(pl.DataFrame({"x": [100000002, 100000001, None, 100000003]}))["x"]
    assert got.tolist() == [2, 1, 0, 0]
    assert raw_input(transform.contract.features["x"]).dtype == "int64"


def test_a_code_without_limits_is_refused_and_the_advice_helps(tmp_path):
    """Nothing in the contract says that float32 is too short for it."""
    values = [100000001, 100000002, None]
    with pytest.raises(DataInvalid, match="100000001") as refused:
        fitted(tmp_path, values, {"dtype": "int", "nullable": True})
    assert "write `max: 100000002`" in refused.value.fix
    advised = {"dtype": "int", "nullable": True, "max": 100000002}
    assert fitted(tmp_path, values, advised).plan.features["x"].values == (100000001, 100000002)
    short = fitted(tmp_path, [1, 2, None], {"dtype": "int", "nullable": True})
    assert raw_input(short.contract.features["x"]).dtype == "float32"


def test_moments_in_seconds_that_may_be_missing_keep_each_second(tmp_path):
    """1.7e9 has steps of 128 in float32."""
    start = 1_700_000_000
    seconds = [start + s for s in range(10)]
    transform = fitted(
        tmp_path, [*seconds, None], {"dtype": "int", "nullable": True, "min": 0, "max": 2**40}, "numeric"
    )
    got = transform.encode(pl.DataFrame({"x": [*seconds, None]}))["numeric"][:, 0]
    wanted = (np.arange(10) - 4.5) / np.arange(10).std()
    np.testing.assert_allclose(got[:10], wanted, atol=0.2)
    assert len(set(got[:10].tolist())) == 10
    assert got[10] == 0


def test_a_missing_long_number_is_sent_as_the_smallest_int64():
    """As a missing moment is."""
    feature = Feature(dtype="int", nullable=True, allowed=(2**53, 2**53 + 1))
    sent = raw_array("x", feature, pl.Series([2**53 + 1, None, 2**53]))
    assert sent.dtype == np.int64
    assert sent.tolist() == [2**53 + 1, MISSING_INT, 2**53]


@pytest.mark.parametrize("values", [["007", "12"], ["1800000000000000000", "1800000000000000001"]])
def test_texts_of_digits_stay_texts_in_a_saved_transform(tmp_path, values):
    """007 is not 7: read back, every text has the index that it had."""
    pl.DataFrame({"x": values * 3}).write_parquet(tmp_path / "x.parquet")
    contract = Contract.model_validate(
        {"name": "x", "features": {"x": {"dtype": "string"}}, "label": tabular.LABELS["binary"]}
    )
    made = FeatureTransform.fit(contract, [tmp_path / "x.parquet"], PreprocessConfig(one_hot_up_to=1))
    plan = type(made.plan).model_validate(json.loads(json.dumps(made.plan.model_dump(mode="json"))))
    assert plan == made.plan
    assert plan.features["x"].values == tuple(values)
    assert FeatureTransform(plan).encode(pl.DataFrame({"x": [*values, "7"]}))["x"].tolist() == [1, 2, 0]


@pytest.mark.parametrize("unit", [1.0, 1e37, 1e-36])
def test_shares_do_not_depend_on_the_unit(tmp_path, unit):
    """The slope between two knots would be beyond the normal numbers of float32; the shares are not."""
    values = np.sort(np.random.default_rng(1).normal(size=300)) * unit
    pl.DataFrame({"x": values}).write_parquet(tmp_path / "x.parquet")
    contract = Contract.model_validate(
        {"name": "x", "features": {"x": {"dtype": "float"}}, "label": tabular.LABELS["binary"]}
    )
    config = PreprocessConfig(features={"x": FeatureSettings(scale="quantile")})
    got = FeatureTransform.fit(contract, [tmp_path / "x.parquet"], config).encode(pl.DataFrame({"x": values}))
    wanted = (np.linspace(0, 1, 300) - 0.5) / 0.5
    np.testing.assert_allclose(got["numeric"][:, 0], wanted, atol=0.02)


def test_numbers_that_float32_holds_as_nought_are_left_out_with_the_reason(tmp_path):
    """Nothing can be learned from 1e-300."""
    pl.DataFrame({"x": [1e-300, 2e-300], "y": [1.0, 2.0]}).write_parquet(tmp_path / "x.parquet")
    features = {"x": {"dtype": "float"}, "y": {"dtype": "float"}}
    contract = Contract.model_validate({"name": "x", "features": features, "label": tabular.LABELS["binary"]})
    plan = FeatureTransform.fit(contract, [tmp_path / "x.parquet"], PreprocessConfig()).plan
    assert "float32 holds as 0" in plan.features["x"].reason
