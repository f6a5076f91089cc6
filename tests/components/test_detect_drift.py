"""Comparisons: what moved is found and ranked, what did not is left alone; the serving log is read as it was asked."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.detect_drift import (
    DriftConfig,
    FileDriftConfig,
    LogDriftConfig,
    detect_drift,
    detect_drift_in_file,
    detect_drift_in_log,
)
from kilnworks.components.quality.drift.report import moved
from kilnworks.components.quality.rows.batches import rows_of_frame
from kilnworks.components.reporting.reading import read_run
from kilnworks.components.reporting.sections.drift import drift
from kilnworks.components.sources import Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.prediction_log import PredictionLogSource
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.contract import Contract, parse_contract
from kilnworks.schemas.errors import ConfigError, DataInvalid, DataUnreadable, StepSkipped

CONTRACT = parse_contract(
    """
    name: shop
    features:
      a: {dtype: float, nullable: true}
      b: {dtype: float}
      n: {dtype: int, nullable: true}
      c: {dtype: string, nullable: true}
      secret: {dtype: string, sensitive: true}
      when: {dtype: datetime}
    label: {name: y, dtype: int, classes: [0, 1]}
    """
)


def shop(rows: int, seed: int, shift: float = 0.0, new: float = 0.0, gone: float = 0.0) -> pl.DataFrame:
    r = np.random.default_rng(seed)
    c = np.where(r.random(rows) < new, "novel", np.array(["x", "y", "z"])[r.integers(0, 3, rows)])
    a = [None if u < 0.1 + gone else float(v) for u, v in zip(r.random(rows), r.normal(size=rows), strict=True)]
    return pl.DataFrame(
        {
            "a": pl.Series(a, dtype=pl.Float64),
            "b": r.normal(size=rows) + shift,
            "n": r.integers(0, 9, rows),
            "c": c,
            "secret": np.array(["hidden1", "hidden2"])[r.integers(0, 2, rows)],
            "when": pl.Series(r.integers(0, 10**15, rows) // 10**6 * 10**6).cast(pl.Datetime("us")),
            "y": r.integers(0, 2, rows),
        }
    )


def examples_of(path: Path, frame: pl.DataFrame, contract: Contract = CONTRACT) -> Examples:
    (path / "train").mkdir(parents=True)
    frame.write_parquet(path / "train/part-00000.parquet")
    splits = {"train": {"rows": len(frame), "files": ["train/part-00000.parquet"]}, "test": {"rows": 0, "files": []}}
    (path / "examples.json").write_text(json.dumps({"contract": contract.model_dump(mode="json"), "splits": splits}))
    return Examples(path)


def test_what_moved_is_ranked_and_the_rest_is_left_alone():
    old = rows_of_frame(shop(4000, 0))
    found = moved(rows_of_frame(shop(4000, 1, shift=0.6, new=0.05, gone=0.2)), old, CONTRACT, ("new", "old"))
    assert set(found["drifted"]) == {"a", "b", "c"}
    beyond = {f["feature"]: set(f["beyond"]) for f in found["features"]}
    assert "missing_rate" in beyond["a"] and "new_categories" in beyond["c"]
    assert {"psi", "kolmogorov_smirnov"} <= beyond["b"]
    scores = [f["score"] for f in found["features"]]
    assert scores == sorted(scores, reverse=True)
    json.dumps(found, allow_nan=False)
    assert "hidden" not in json.dumps(found), "sensitive"


def test_even_draws_have_not_moved():
    old = rows_of_frame(shop(3000, 0))
    calm = [moved(rows_of_frame(shop(800, seed)), old, CONTRACT, ("new", "old"))["drifted"] for seed in range(1, 21)]
    assert sum(map(bool, calm)) <= 1


def test_thresholds_come_from_the_contract():
    tree = CONTRACT.model_dump(mode="json") | {
        "drift": {"psi": 9, "kolmogorov_smirnov": 1, "jensen_shannon": 1, "chi_squared": 9}
    }
    found = moved(
        rows_of_frame(shop(2000, 1, shift=0.6)), rows_of_frame(shop(2000, 0)), Contract.model_validate(tree), ("n", "o")
    )
    assert found["drifted"] == [] and found["thresholds"]["psi"] == 9


@pytest.mark.slow
def test_domain_classifier_sees_features_that_move_together(tmp_path):
    r = np.random.default_rng(3)
    old, new = shop(500, 0), shop(500, 1)
    new = new.with_columns(b=new["a"].fill_null(0) + pl.Series(r.normal(0, 0.1, 500)))
    config = DriftConfig(most_drifted=9)
    (tmp_path / "out").mkdir()
    with pytest.raises(StepSkipped, match="domain classifier"):
        detect_drift(config, examples_of(tmp_path / "new", new), examples_of(tmp_path / "old", old), tmp_path / "out")
    told = json.loads((tmp_path / "out/drift.json").read_text())["comparisons"][0]["domain"]
    assert told["auc"] > 0.8 and {name for name, _ in told["telling"][:2]} == {"a", "b"}
    (tmp_path / "calm").mkdir()
    same = examples_of(tmp_path / "same", shop(500, 5))
    quiet = detect_drift(config, same, examples_of(tmp_path / "old2", old), tmp_path / "calm").drift["comparisons"][0]
    assert quiet["domain"]["auc"] < 0.6 and not quiet["domain"]["drifted"]


def test_gate_and_report(tmp_path):
    run = tmp_path / "r1"
    new, old = examples_of(tmp_path / "new", shop(900, 1, shift=1)), examples_of(tmp_path / "old", shop(900, 0))
    (run / "drift").mkdir(parents=True)
    made = detect_drift(DriftConfig(classifier=False), new, old, run / "drift")
    (run / "drift/manifest.json").write_text("{}")
    assert made.drift["comparisons"][0]["drifted"] == ["b"]
    (section,) = drift(read_run(run))
    assert (
        section["drifted"] == 1
        and section["features"][0]["name"] == "b"
        and "<svg" in section["features"][0]["picture"]
    )
    (tmp_path / "out").mkdir()
    with pytest.raises(StepSkipped, match="drifted features 1 is above 0"):
        detect_drift(DriftConfig(classifier=False, most_drifted=0), new, old, tmp_path / "out")
    with pytest.raises(ConfigError, match="no rows in split 'test'"):
        detect_drift(DriftConfig(split="test"), new, old, tmp_path / "out")


def write_log(path: Path, batches: list[dict[str, np.ndarray]], rate: float | None = None) -> None:
    """TFRecord framing by hand; the checks are not looked at by readers that trust their disk."""
    from kilnworks.components.serving.prediction_log.records import describe, predict_record
    from kilnworks.components.serving.wire.values import Predicted

    with path.open("wb") as f:
        for inputs in batches:
            answer = Predicted("shop", 1, "serving_default", {"score": np.zeros(1)})
            record = predict_record(inputs, answer)
            if rate is not None:
                describe(record, answer, rate, 1)
            data = record.SerializeToString()
            f.write(len(data).to_bytes(8, "little") + b"\0" * 4 + data + b"\0" * 4)


def requests_of(frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """What a client sends for these rows, by the conventions of served inputs."""
    return {
        "a": frame["a"].fill_null(float("nan")).to_numpy().astype(np.float32),
        "b": frame["b"].to_numpy().astype(np.float32),
        "n": frame["n"].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float32),
        "c": np.array([(v or "").encode() for v in frame["c"]], dtype=object),
        "secret": np.array([v.encode() for v in frame["secret"]], dtype=object),
        "when": frame["when"].dt.epoch("s").to_numpy(),
    }


@pytest.mark.slow
def test_serving_log_against_the_training_data(tmp_path):
    asked = shop(600, 4, shift=0.8).with_columns(c=pl.when(pl.col("c") == "z").then(None).otherwise(pl.col("c")))
    write_log(tmp_path / "a.tfrecord", [requests_of(asked.slice(start, 50)) for start in range(0, 600, 50)])
    source = PredictionLogSource(path=str(tmp_path))
    columns = {n: c for n, c in contract_columns(CONTRACT).items() if n != "y"}
    read = pl.concat(list(source.frames(Wanted(columns, any_extra=True))))
    expected = asked.select(read.columns).with_columns(pl.col("a", "b").cast(pl.Float32).cast(pl.Float64))
    assert read.equals(expected)
    (tmp_path / "out").mkdir()
    base = examples_of(tmp_path / "old", shop(3000, 0))
    made = detect_drift_in_log(LogDriftConfig(log=source, classifier=False), base, tmp_path / "out")
    found = made.drift["comparisons"][0]
    assert set(found["drifted"]) == {"b", "c"} and "y" not in {f["feature"] for f in found["features"]}


@pytest.mark.parametrize(
    ("rates", "stand_for", "says"),
    [
        ((0.01, 0.01), 600, "6 of about 600 requests, taken by chance at a rate of 0.01 of requests (not of rows)"),
        ((0.01, 0.1), 330, "6 of about 330 requests"),
        ((1.0, 1.0), 6, ""),
        ((None, 0.1), None, "does not say what share"),
    ],
)
def test_a_log_says_for_how_many_requests_it_stands(tmp_path, rates, stand_for, says):
    asked = requests_of(shop(50, 4))
    for i, rate in enumerate(rates):
        write_log(tmp_path / f"{i}.tfrecord", [asked] * 3, rate)
    sampled = PredictionLogSource(path=str(tmp_path)).sampled()
    assert (sampled.requests, sampled.stand_for) == (6, stand_for)
    assert says in sampled.words() and bool(says) == bool(sampled.words())


@pytest.mark.parametrize("labelled", [True, False])
def test_file_against_the_training_data(tmp_path, labelled):
    rows = shop(600, 4, shift=0.8, new=0.2)
    (rows if labelled else rows.drop("y")).write_csv(tmp_path / "new.csv")
    (tmp_path / "out").mkdir()
    base = examples_of(tmp_path / "old", shop(3000, 0))
    made = detect_drift_in_file(
        FileDriftConfig(file=str(tmp_path / "new.csv"), classifier=False), base, tmp_path / "out"
    )
    found = made.drift["comparisons"][0]
    assert set(found["drifted"]) == {"b", "c"} and found["new"] == "new.csv"
    assert ("y" in {f["feature"] for f in found["features"]}) == labelled
    (moved_category,) = (f for f in found["features"] if f["feature"] == "c")
    assert moved_category["bins"][-1] == "other, e.g. novel"


def test_file_without_a_feature(tmp_path):
    shop(100, 4).drop("b").write_csv(tmp_path / "new.csv")
    (tmp_path / "out").mkdir()
    base = examples_of(tmp_path / "old", shop(300, 0))
    with pytest.raises(DataInvalid, match="b"):
        detect_drift_in_file(FileDriftConfig(file=str(tmp_path / "new.csv")), base, tmp_path / "out")


def test_log_of_which_no_file_is_finished(tmp_path):
    (tmp_path / ".a.tfrecord.partial").write_bytes(b"")
    with pytest.raises(DataUnreadable, match="still being written"):
        PredictionLogSource(path=str(tmp_path)).files()


def test_log_that_is_cut_off(tmp_path):
    (tmp_path / "a.tfrecord").write_bytes((100).to_bytes(8, "little") + b"1234" + b"short")
    with pytest.raises(DataUnreadable, match="cut off"):
        PredictionLogSource(path=str(tmp_path)).column_names()


def test_steps_fit_into_a_pipeline():
    from kilnworks.pipelines.core.graph import Champion, Pipeline, Step

    log = PredictionLogSource(path="log")
    made = Pipeline(
        "watch",
        steps=(
            Step(
                "drift",
                detect_drift,
                DriftConfig(),
                {"examples": Champion("a", "checked"), "baseline": Champion("b", "checked")},
            ),
            Step("skew", detect_drift_in_log, LogDriftConfig(log=log), {"baseline": Champion("b", "checked")}),
        ),
    )
    assert [step.name for step in made.steps] == ["drift", "skew"]
