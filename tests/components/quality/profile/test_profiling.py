"""Partial statistics merge into what all rows at once give; measures against independent references."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.quality.profile import numbers as numbers_module
from kilnworks.components.quality.profile import texts as texts_module
from kilnworks.components.quality.profile.images import Prints, duplicates
from kilnworks.components.quality.profile.numbers import Numbers
from kilnworks.components.quality.profile.profile import profile_rows
from kilnworks.components.quality.profile.texts import Texts
from kilnworks.components.quality.rows.batches import rows_of_frame
from kilnworks.schemas.contract import parse_contract

CONTRACT = parse_contract(
    """
    name: kinds
    features:
      x: {dtype: float, nullable: true}
      n: {dtype: int}
      c: {dtype: string, nullable: true}
      b: {dtype: bool}
      t: {dtype: datetime}
      v: {dtype: float, shape: [3]}
    label: {name: y, dtype: string, classes: ["no", "yes"]}
    """
)


def frame_of(rows: int, seed: int) -> pl.DataFrame:
    r = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "x": pl.Series(
                [None if u < 0.2 else float(v) for u, v in zip(r.random(rows), r.normal(size=rows), strict=True)],
                dtype=pl.Float64,
            ),
            "n": r.integers(-3, 4, rows),
            "c": pl.Series(
                [None if u < 0.1 else ["red car", "blue", "a red boat"][int(3 * u)] for u in r.random(rows)],
                dtype=pl.String,
            ),
            "b": r.random(rows) < 0.4,
            "t": pl.Series(r.integers(0, 10**15, rows)).cast(pl.Datetime("us")),
            "v": r.normal(size=(rows, 3)).astype(np.float32),
            "y": np.where(r.random(rows) < 0.5, "no", "yes"),
        }
    )


def alike(a, b, where=""):
    """Equal JSON trees, numbers within rounding."""
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            alike(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            alike(x, y, f"{where}[{i}]")
    elif isinstance(a, float) and not isinstance(b, bool):
        assert math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6), (where, a, b)
    else:
        assert a == b, (where, a, b)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 60), batch=st.integers(1, 25), seed=st.integers(0, 999))
def test_batches_merge_into_the_whole(rows, batch, seed):
    frame = frame_of(rows, seed)
    alike(
        profile_rows({"train": rows_of_frame(frame)}, CONTRACT),
        profile_rows({"train": rows_of_frame(frame, batch)}, CONTRACT),
    )


def test_values_of_the_profile_against_polars():
    frame = frame_of(500, 3)
    found = profile_rows({"train": rows_of_frame(frame, 90)}, CONTRACT)["train"]["features"]
    assert (
        found["x"]["missing"] == frame["x"].null_count()
        and found["x"]["distinct"] == frame["x"].drop_nulls().n_unique()
    )
    assert found["x"]["std"] == pytest.approx(frame["x"].std(ddof=0)) and found["n"]["zeros"] == (frame["n"] == 0).sum()
    assert {t["value"]: t["count"] for t in found["c"]["top_values"]} == dict(
        frame["c"].drop_nulls().value_counts().iter_rows()
    )
    assert {t["value"]: t["count"] for t in found["c"]["words"]["top"]}["red"] == frame["c"].str.contains("red").sum()
    assert found["c"]["words"]["vocabulary"] == 5
    assert found["t"]["min"] == frame["t"].min().isoformat(" ", "microseconds")


def test_many_values_are_summed_up_within_the_bounds(monkeypatch):
    monkeypatch.setattr(numbers_module, "EXACT", 5_000)
    values = np.random.default_rng(0).lognormal(size=100_000)
    total = Numbers.of(pl.Series(values[:1000]), alone=False)
    for start in range(1000, len(values), 3_000):
        total = total.merge(Numbers.of(pl.Series(values[start : start + 3_000]), alone=False))
    found = total.statistics(sensitive=False)
    assert found["approximate"] and total.rows == len(values) and sum(found["histogram"]["counts"]) == len(values)
    assert found["mean"] == pytest.approx(values.mean()) and found["std"] == pytest.approx(values.std())
    for name, value in found["quantiles"].items():
        assert abs((values <= value).mean() - float(name)) < 2e-3
    assert abs(found["distinct"] / len(values) - 1) < 0.03
    counts, _ = np.histogram(values, bins=20)
    assert np.abs(np.array(found["histogram"]["counts"]) - counts).max() < 2e-3 * len(values)


def test_rare_texts_are_let_go(monkeypatch):
    monkeypatch.setattr(texts_module, "KEPT", 300)
    monkeypatch.setattr(texts_module, "LET_GO", 100)
    r = np.random.default_rng(1)
    batches = [pl.Series([f"w{int(n)}" for n in r.zipf(1.5, 2000) % 100_000]) for _ in range(5)]
    total = Texts.of(batches[0], alone=False)
    for batch in batches[1:]:
        total = total.merge(Texts.of(batch, alone=False))
    whole = pl.concat(batches)
    found = total.statistics(sensitive=False)
    assert not total.exact and total.rows == 10_000 and total.counts.height == 100
    assert abs(found["distinct"] / whole.n_unique() - 1) < 0.05
    assert found["top_values"][0] == {"value": "w1", "count": int((whole == "w1").sum())}


def measure(label: str, feature: str, frame: pl.DataFrame) -> dict:
    contract = parse_contract(f"{{name: x, features: {{f: {feature}}}, label: {label}}}")
    return profile_rows({"train": rows_of_frame(frame, 300)}, contract)["train"]["features"]["f"]["association"]


def test_association_with_the_label():
    r = np.random.default_rng(2)
    y = r.integers(0, 3, 1000)
    x = y + r.normal(size=1000)
    two = np.minimum(y, 1)
    found = measure("{name: y, dtype: int, classes: [0, 1]}", "{dtype: float}", pl.DataFrame({"f": x, "y": two}))
    assert found == {"with": "y", "measure": "pearson", "value": pytest.approx(np.corrcoef(x, two)[0, 1])}
    found = measure("{name: y, dtype: float}", "{dtype: float}", pl.DataFrame({"f": x, "y": -2.0 * y}))
    assert found["value"] == pytest.approx(np.corrcoef(x, -y)[0, 1])
    found = measure("{name: y, dtype: int, classes: [0, 1, 2]}", "{dtype: float}", pl.DataFrame({"f": x, "y": y}))
    between = sum((y == k).sum() * (x[y == k].mean() - x.mean()) ** 2 for k in range(3))
    assert found["measure"] == "eta"
    assert found["value"] == pytest.approx(math.sqrt(between / ((x - x.mean()) ** 2).sum()))


def test_cramers_v_against_the_formula():
    from scipy.stats import chi2_contingency
    from scipy.stats.contingency import crosstab

    r = np.random.default_rng(4)
    y = r.integers(0, 3, 800)
    c = np.where(r.random(800) < 0.4, y, r.integers(0, 3, 800))
    texts = np.array(["a", "b", "c"])[c]
    found = measure("{name: y, dtype: int, classes: [0, 1, 2]}", "{dtype: string}", pl.DataFrame({"f": texts, "y": y}))
    phi = chi2_contingency(crosstab(texts, y).count, correction=False).statistic / 800
    corrected = max(0, phi - 4 / 799)
    assert found == {
        "with": "y",
        "measure": "cramers_v",
        "value": pytest.approx(math.sqrt(corrected / (3 - 4 / 799 - 1))),
    }
    random = pl.DataFrame({"f": texts, "y": r.integers(0, 3, 800)})
    assert measure("{name: y, dtype: int, classes: [0, 1, 2]}", "{dtype: string}", random)["value"] < 0.08


def pictures(count: int, seed: int) -> np.ndarray:
    """Smooth random pictures, uint8 [count, 32, 32, 3]."""
    r = np.random.default_rng(seed)
    coarse = r.uniform(20, 235, (count, 5, 5, 3))
    rows = np.linspace(0, 4, 32)
    low, part = np.minimum(rows.astype(int), 3), (rows - np.minimum(rows.astype(int), 3))[:, None, None]
    down = coarse[:, low] * (1 - part) + coarse[:, low + 1] * part
    part = part.reshape(1, 1, 32, 1)
    return (down[:, :, low] * (1 - part) + down[:, :, low + 1] * part).astype(np.uint8)


def test_duplicates_inside_and_between_splits():
    train, test = pictures(60, 0), pictures(30, 1)
    train[7] = train[3]
    noisy = np.clip(train[11].astype(int) + np.random.default_rng(5).integers(-2, 3, train[11].shape), 0, 255)
    test[0], test[1] = noisy.astype(np.uint8), train[20]
    found = duplicates({"train": Prints.of(train), "test": Prints.of(test)})
    assert (found["train"]["exact"], found["train"]["near"]) == (2, 2)
    assert (found["test"]["exact"], found["test"]["near"]) == (0, 0)
    assert found["test"]["in_other_splits"] == {"train": {"exact": 1, "near": 2}}
    assert found["train"]["in_other_splits"] == {"test": {"exact": 1, "near": 2}}


def test_pictures_that_differ_are_not_near():
    found = duplicates({"train": Prints.of(pictures(2000, 9))})
    assert found["train"] == {"exact": 0, "near": 0, "in_other_splits": {}}


def test_small_pictures_have_equal_ones_only():
    small = np.zeros((3, 8, 8, 1), np.uint8)
    small[0] = 9
    assert duplicates({"a": Prints.of(small)})["a"] == {"exact": 2, "near": None, "in_other_splits": {}}


def test_images_in_the_profile():
    contract = parse_contract("{name: x, features: {i: {dtype: image, shape: [32, 32, 3]}}}")
    frame = pl.DataFrame({"i": pictures(20, 2).reshape(20, -1)})
    found = profile_rows({"train": rows_of_frame(frame, 6)}, contract)["train"]["features"]["i"]
    pixels = frame["i"].to_numpy()
    assert found["mean"] == pytest.approx(pixels.mean()) and found["std"] == pytest.approx(pixels.std())
    assert found["brightness"]["max"] == pytest.approx(pixels.mean(axis=1).max() / 255)
    assert found["duplicates"]["exact"] == 0
