"""What ``new`` decides about rows without a label, and what it refuses."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from kilnworks.components.sources import ByTime
from kilnworks.components.starting.start import start
from kilnworks.components.tasks.asked import as_asked
from kilnworks.schemas.errors import ConfigError, DataUnreadable, UnknownName
from tests.components.modeling.dirty_rows import nine_numbers


def written(path, rows: int = 400, **more) -> str:
    numbers, odd = nine_numbers(0, rows, 0.07)
    columns = {f"n{i}": numbers[:, i] for i in range(9)}
    label = np.where(odd, "bad", "ok")
    pl.DataFrame({**columns, **{k: v(rows) if callable(v) else v for k, v in more.items()}, "state": label}).write_csv(
        path / "rows.csv"
    )
    return str(path / "rows.csv")


def said(recipe, what):
    return {d.choice: d.why for d in recipe.decisions if d.what == what}


def test_no_label_is_an_autoencoder_and_it_is_said_why(tmp_path):
    recipe = start("r", written(tmp_path), label="none")
    assert recipe.contract.label is None and recipe.model.kind == "autoencoder"
    assert said(recipe, "task")["anomaly"].startswith("no label: rows unlike the others")
    assert "not learned from" in said(recipe, "model")["autoencoder"]
    assert "state" in recipe.contract.features  # a column of two texts like any other
    assert recipe.contract.on_bad_rows == "quarantine"


def test_a_label_that_is_named_judges_and_its_rarer_class_is_the_anomaly(tmp_path):
    recipe = start("r", written(tmp_path), label="state", task="anomaly")
    assert recipe.contract.label.classes == ("ok", "bad") and "state" not in recipe.contract.features
    assert said(recipe, "task")["anomaly"] == "as asked; judged by state = bad, never learned from"


@pytest.mark.slow
def test_moments_split_and_are_no_features(tmp_path):
    start_day = dt.datetime(2026, 1, 1)
    days = lambda n: [start_day + dt.timedelta(hours=i) for i in range(n)]  # noqa: E731
    recipe = start("r", written(tmp_path, made_at=days), label="none")
    assert recipe.contract.time == "made_at" and isinstance(recipe.split, ByTime)
    assert "made_at" not in recipe.contract.features
    assert "every later row would be strange" in said(recipe, "left out")["made_at"]


def test_constant_columns_texts_and_keys_are_left_out_with_reasons(tmp_path):
    name = lambda n: [f"a name {i % 200}" for i in range(n)]  # noqa: E731
    recipe = start("r", written(tmp_path, same=1, name=name), label="none")
    out = said(recipe, "left out")
    assert out["same"].startswith("constant") and "name" in out
    assert not {"same", "name"} & set(recipe.contract.features)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": [float(i % 17) for i in range(200)]}, "one column, a"),
        ({"a": [float(i % 17) for i in range(200)], "b": [1.0] * 200}, "b: constant"),
        ({"a": [1.0] * 200, "b": [2.0] * 200}, "no column|no feature"),
        ({"a": [float(i % 17) for i in range(30)], "b": [float(i % 5) for i in range(30)]}, "30 rows"),
    ],
    ids=["one", "one of two", "constants", "few"],
)
def test_too_little_is_refused(tmp_path, columns, words):
    pl.DataFrame(columns).write_csv(tmp_path / "few.csv")
    with pytest.raises((ConfigError, DataUnreadable), match=words):
        start("r", str(tmp_path / "few.csv"), label="none")


def test_options_that_do_not_fit_are_refused(tmp_path):
    path = written(tmp_path)
    with pytest.raises(ConfigError, match="--label none and --task regression"):
        start("r", path, label="none", task="regression")
    with pytest.raises(ConfigError, match="two values, the rarer one"):
        start("r", path, label="n0", task="anomaly")
    with pytest.raises(UnknownName, match="stat"):
        start("r", path, label="stat", task="anomaly")
    with pytest.raises(ConfigError, match="anomaly, clusters, codes or generation"):
        as_asked("strange")


@pytest.mark.parametrize("asked", [{"label": "none"}, {"task": "codes"}, {"horizon": 3}])
def test_images_in_an_archive_are_named_as_what_is_not_read(tmp_path, asked):
    """It said "one column, digit", the class of the images."""
    pixels = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", image=pixels, digit=np.arange(60) % 10)
    with pytest.raises(ConfigError, match=r"column image of .*digits\.npz holds images, and what was asked for"):
        start("r", str(tmp_path / "digits.npz"), **asked)


def test_clusters_are_for_those_who_ask_and_a_label_is_compared_with(tmp_path):
    from kilnworks.components.starting.definition import definition

    recipe = start("r", written(tmp_path), label="none", task="clusters")
    assert recipe.model.kind == "clusters" and recipe.contract.label is None
    assert said(recipe, "task")["clusters"] == "as asked: which rows belong together"
    assert "largest silhouette" in said(recipe, "model")["clusters"]
    judged = start("r", written(tmp_path), label="state", task="clusters")
    assert judged.contract.label.classes == ("bad", "ok") and judged.contract.label.learned is False
    assert said(judged, "task")["clusters"].endswith("compared with state, never learned from")
    assert "model=Clusters()" in definition("r", judged, tmp_path, tmp_path / "schemas/contracts/r.yaml")
    measured = lambda n: np.random.default_rng(0).normal(size=n)  # noqa: E731
    with pytest.raises(ConfigError, match="--label measured holds fractions"):
        start("r", written(tmp_path, measured=measured), label="measured", task="clusters")


def test_codes_are_for_those_who_ask_and_numbers_come_between_0_and_1(tmp_path):
    recipe = start("r", written(tmp_path), label="state", task="codes")
    assert recipe.model.kind == "rbm" and recipe.contract.label.learned is False
    assert (
        said(recipe, "task")["codes"]
        == "as asked: what goes together in the rows; compared with state, never learned from"
    )
    scales = {name: one.scale for name, one in recipe.transform.features.items()}
    assert scales == {f"n{i}": "minmax" for i in range(9)}
    with pytest.raises(ConfigError, match=r"--task generation, and .* holds no images"):
        start("r", written(tmp_path), task="generation")


def test_columns_of_numbers_that_are_no_table_are_named_where_nothing_is_left(tmp_path):
    """`data/sensors.parquet` was refused for its keys alone, and its two columns of numbers were not named."""
    moments = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=i) for i in range(300)]
    rows = {"at": moments, "heat": pl.Series(np.ones((300, 7), np.float32)), "odd": [0, 1] * 150}
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ConfigError, match=r"heat: holds 7 numbers a row; as \[7, 1\], steps and channels"):
        start("rows", str(tmp_path / "rows.parquet"), label="odd", task="anomaly")
