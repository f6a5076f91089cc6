"""Importance and partial dependence of a model that is a formula: both follow from it by hand."""

import json
import math

import numpy as np
import polars as pl
import pytest

from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.learning.explained import explained
from kilnworks.components.reporting.sections.evaluation import _explained
from kilnworks.components.tasks.choose import choose
from kilnworks.schemas.contract import parse_contract

HOUSES = parse_contract("""
name: houses
features: {a: {dtype: float}, town: {dtype: string}, idle: {dtype: int}, hidden: {dtype: float, sensitive: true}}
label: {name: price, dtype: float}
""")
KINDS = parse_contract("""
name: kinds
features: {a: {dtype: float}, b: {dtype: float}}
label: {name: kind, dtype: string, classes: [x, y, z]}
""")
SETTINGS = JudgeSettings()


def rows(n: int = 4000) -> pl.DataFrame:
    """Houses whose price is three times ``a``, ten more in the north, and ``hidden``."""
    r = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "a": r.normal(5, 2, n),
            "town": np.where(r.random(n) < 0.5, "north", "south"),
            "idle": r.integers(0, 40, n),
            "hidden": r.normal(0, 1, n),
        }
    )
    return frame.with_columns(price=3 * pl.col("a") + 10 * (pl.col("town") == "north") + pl.col("hidden"))


def formula(frame: pl.DataFrame) -> dict:
    """The answers of a perfect model."""
    return {"score": (3 * frame["a"] + 10 * (frame["town"] == "north").cast(pl.Float64) + frame["hidden"]).to_numpy()}


def test_the_fall_is_that_of_the_formula_and_curves_are_its_lines():
    frame = rows()
    found = explained(choose(HOUSES).of(HOUSES), HOUSES, frame, formula, SETTINGS)
    assert json.loads(json.dumps(found)) == found and (found["metric"], found["rows"]) == ("rmse", 1000)
    fall = {one["name"]: one["fall"] for one in found["features"]}
    assert list(fall) == ["a", "town", "hidden", "idle"]
    assert fall["a"] == pytest.approx(3 * 2 * math.sqrt(2), rel=0.08)
    assert fall["town"] == pytest.approx(10 * math.sqrt(0.5), rel=0.08)
    assert (fall["hidden"], fall["idle"]) == (pytest.approx(math.sqrt(2), rel=0.08), 0)
    with_bounds = explained(choose(HOUSES).of(HOUSES), HOUSES, frame, formula, SETTINGS, 100)["features"]
    assert {one["name"]: one["fall"] for one in with_bounds} == fall
    assert all(one["low"] <= one["fall"] <= one["high"] for one in with_bounds) and with_bounds[-1]["high"] == 0
    assert with_bounds[0]["high"] - with_bounds[0]["low"] < 0.25 * fall["a"]
    curves = {one["name"]: one for one in found["partial"]}
    assert list(curves) == ["a", "town"]
    some = frame.head(200)
    rest = 10 * float((some["town"] == "north").mean()) + float(some["hidden"].mean())
    assert curves["a"]["y"] == pytest.approx([3 * x + rest for x in curves["a"]["x"]])
    towns = dict(zip(curves["town"]["x"], curves["town"]["y"], strict=True))
    assert towns["north"] - towns["south"] == pytest.approx(10)


def test_classes_have_importance_and_no_curve():
    r = np.random.default_rng(0)
    frame = pl.DataFrame({"a": r.normal(size=600), "b": r.normal(size=600)})
    frame = frame.with_columns(
        kind=pl.when(pl.col("a") < -0.5)
        .then(pl.lit("x"))
        .when(pl.col("a") < 0.5)
        .then(pl.lit("y"))
        .otherwise(pl.lit("z"))
    )

    def ask(some: pl.DataFrame) -> dict:
        return {"probabilities": np.eye(3)[np.digitize(some["a"].to_numpy(), [-0.5, 0.5])]}

    found = explained(choose(KINDS).of(KINDS), KINDS, frame, ask, SETTINGS)
    assert [one["name"] for one in found["features"]] == ["a", "b"] and found["partial"] == []
    assert found["features"][0]["fall"] > 0.5 and found["features"][1]["fall"] == 0


def test_the_section_draws_bars_and_curves():
    drawn = _explained(explained(choose(HOUSES).of(HOUSES), HOUSES, rows(), formula, SETTINGS))
    assert drawn is not None and drawn["metric"] == "Root mean squared error"
    assert [caption for caption, _ in drawn["curves"]] == ["", "mean answer by town"]
    assert "mean answer by a" in drawn["curves"][0][1] and "north" in drawn["curves"][1][1]
    assert drawn["bars"].count("<rect") == 4 and _explained({}) is None


def test_a_feature_without_which_the_model_is_better_has_a_number_and_no_bar():
    found = {"metric": "auc", "rows": 9, "features": [{"name": "a", "fall": 0.04}, {"name": "b", "fall": -0.08}]}
    drawn = _explained(found)
    assert drawn is not None and drawn["rises"] and "-0.08" in drawn["bars"]
    widths = [float(part.partition('width="')[2].partition('"')[0]) for part in drawn["bars"].split("<rect")[1:]]
    assert len(widths) == 1 and widths[0] > 100
    assert not (_explained({**found, "features": found["features"][:1]}) or {})["rises"]
