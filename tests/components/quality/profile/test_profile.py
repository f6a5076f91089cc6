"""Statistics compared with NumPy's and with counts by hand."""

import itertools
import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.quality.profile.numbers import QUANTILES
from kilnworks.components.quality.profile.profile import column_statistics, profile_rows, tensor_statistics
from kilnworks.components.quality.rows.batches import rows_of_files, rows_of_frame
from kilnworks.schemas.contract import Feature, parse_contract

numbers = st.lists(st.one_of(st.none(), st.floats(width=64, allow_infinity=True, allow_nan=False)), max_size=60)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(values=numbers)
def test_numbers_against_numpy(values):
    found = column_statistics(pl.Series("x", values, dtype=pl.Float64))
    json.dumps(found, allow_nan=False)
    there = np.array([v for v in values if v is not None and math.isfinite(v)])
    assert found["count"] == len(values) and found["missing"] == values.count(None)
    assert found["infinite"] == sum(v is not None and math.isinf(v) for v in values)
    assert found["distinct"] == len({v for v in values if v is not None})
    if not len(there):
        assert "mean" not in found
        return
    assert found["min"] == there.min() and found["max"] == there.max()
    assert sum(found["histogram"]["counts"]) == len(there)
    if np.abs(there).max() < 1e100:
        assert found["mean"] == pytest.approx(there.mean(), rel=1e-9, abs=1e-9)
        assert found["std"] == pytest.approx(there.std(), rel=1e-9, abs=1e-9)
        expected = np.quantile(there, QUANTILES, method="nearest")
        assert all(
            abs(found["quantiles"][f"{q:g}"] - e) <= np.ptp(there) for q, e in zip(QUANTILES, expected, strict=True)
        )


def test_quantiles_and_histogram():
    values = np.random.default_rng(0).normal(size=10_001)
    found = column_statistics(pl.Series("x", values))
    for q in QUANTILES:
        assert found["quantiles"][f"{q:g}"] == np.quantile(values, q, method="nearest")
    counts, edges = np.histogram(values, bins=20)
    assert found["histogram"]["counts"] == counts.tolist()
    assert np.allclose(found["histogram"]["edges"], edges)


def test_texts():
    found = column_statistics(pl.Series("x", ["b", "a", "b", None, "ccc"]))
    assert found["kind"] == "text" and found["distinct"] == 3 and found["missing_share"] == 0.2
    assert found["top_values"] == [{"value": "b", "count": 2}, {"value": "a", "count": 1}, {"value": "ccc", "count": 1}]
    assert found["length"] == {"min": 1, "mean": 1.5, "max": 3}


def test_booleans_and_datetimes():
    found = column_statistics(pl.Series("x", [True, False, True, None]))
    assert found["kind"] == "boolean" and found["top_values"][0] == {"value": True, "count": 2}
    times = pl.Series("x", ["2024-01-01", "2024-01-03", None]).str.to_datetime(time_unit="us")
    found = column_statistics(times)
    assert found["min"].startswith("2024-01-01") and found["max"].startswith("2024-01-03")
    assert sum(found["histogram"]["counts"]) == 2
    json.dumps(found, allow_nan=False)


def test_constant_column():
    found = column_statistics(pl.Series("x", [3, 3, 3]))
    assert found["histogram"] == {"edges": [3.0, 3.0], "counts": [3]} and found["std"] == 0


def test_sensitive_columns_show_no_single_value():
    secret = "Ada Lovelace"
    assert secret not in json.dumps(column_statistics(pl.Series("x", [secret, "Bob"]), sensitive=True))
    found = column_statistics(pl.Series("x", [1.0, 987654.0]), sensitive=True)
    assert not {"min", "max", "histogram"} & set(found)
    assert "1990" not in json.dumps(column_statistics(pl.Series("x", ["1990-01-01"]).str.to_datetime(), sensitive=True))


def test_classes_follow_the_contract():
    label = "label: {name: y, dtype: string, classes: [a, b]}"
    contract = parse_contract(f"{{name: x, features: {{f: {{dtype: int}}}}, {label}}}")
    frame = pl.DataFrame({"f": [1, 2, 3], "y": ["b", "b", "z"]})
    found = profile_rows({"train": rows_of_frame(frame)}, contract)["train"]["features"]["y"]["classes"]
    assert [(c["value"], c["count"]) for c in found] == [("a", 0), ("b", 2)]
    assert found[1]["share"] == pytest.approx(2 / 3)


def test_tensor_shards_are_merged():
    r = np.random.default_rng(1)
    whole = r.integers(0, 256, (50, 12), dtype=np.uint8)
    shards = [pl.Series("x", whole[:20]), pl.Series("x", whole[20:])]
    found = tensor_statistics(shards, Feature(dtype="image", shape=(2, 2, 3)))
    assert found["count"] == 50 and found["kind"] == "image"
    assert found["mean"] == pytest.approx(whole.mean()) and found["std"] == pytest.approx(whole.std())
    assert (found["min"], found["max"]) == (whole.min(), whole.max())
    edges = np.array(found["histogram"]["edges"])
    assert np.allclose(edges, np.histogram(whole, bins=20)[1])
    inside = [((whole >= low) & (whole < high)).sum() for low, high in itertools.pairwise(edges[:-1])]
    assert found["histogram"]["counts"] == [*inside, whole.size - sum(inside)]


def test_profile_of_splits(tmp_path):
    contract = parse_contract(
        "{name: x, features: {f: {dtype: float, nullable: true}, i: {dtype: image, shape: [1, 2, 1]}},"
        " label: {name: y, dtype: int, classes: [0, 1]}}"
    )
    frame = pl.DataFrame({"f": [1.0, None], "i": np.array([[0, 1], [2, 3]], dtype=np.uint8), "y": [0, 1]})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.clear().write_parquet(tmp_path / "b.parquet")
    files = {"train": [tmp_path / "a.parquet", tmp_path / "b.parquet"], "val": [tmp_path / "b.parquet"]}
    found = profile_rows({split: rows_of_files(shards, contract) for split, shards in files.items()}, contract)
    json.dumps(found, allow_nan=False)
    assert found["train"]["rows"] == 2 and found["val"]["rows"] == 0
    assert set(found["train"]["features"]) == {"f", "i", "y"}
    assert found["train"]["features"]["y"]["classes"][1]["count"] == 1
    assert found["val"]["features"]["i"]["count"] == 0
