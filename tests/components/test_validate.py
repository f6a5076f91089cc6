"""The gate: what passes, what stops, and that the reports are there in any case."""

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import AsGiven, CsvSource, GivenSplits, ImageFolderSource, ParquetSource
from kilnworks.components.validate import ValidateConfig, validate
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.contract import load_contract, parse_contract
from kilnworks.schemas.errors import ContractError, DataInvalid
from tests.components.sources.data_makers import image_folder, people, people_frame

pytestmark = pytest.mark.slow
REPORTS = ("validation.json", "profile.json", "data_docs/index.html", "data_docs/train.html")


def examples_of(tmp_path: Path, contract, splits: dict[str, pl.DataFrame]) -> Examples:
    """Ingest the frames as given splits."""
    for name, frame in splits.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    source = GivenSplits(**{name: ParquetSource(path=str(tmp_path / f"{name}.parquet")) for name in splits})
    config = IngestConfig(contract=contract, source=source, split=AsGiven(val=0, test=0))
    return ingest(config, tmp_path / "examples")


def run(tmp_path: Path, contract, splits: dict[str, pl.DataFrame], **config):
    out = tmp_path / "checked"
    out.mkdir()
    return validate(ValidateConfig(**config), examples_of(tmp_path, contract, splits), out)


def good() -> dict[str, pl.DataFrame]:
    ids = pl.col("id")
    return {
        "train": people_frame(120),
        "val": people_frame(40, seed=1).with_columns(ids.str.replace("p", "v")),
        "test": people_frame(40, seed=2).with_columns(ids.str.replace("p", "t")),
    }


def refused(tmp_path: Path, splits: dict[str, pl.DataFrame], contract=None) -> DataInvalid:
    """The error, after a look at the reports."""
    with pytest.raises(DataInvalid) as error:
        run(tmp_path, contract or people(), splits)
    assert all((tmp_path / "checked" / name).is_file() for name in REPORTS)
    report = json.loads((tmp_path / "checked" / "validation.json").read_text())
    assert report["success"] is False
    assert not (tmp_path / "checked" / "examples.json").exists(), "bad examples are not passed on"
    return error.value


def test_good_data_passes_by_hard_link(tmp_path):
    checked = run(tmp_path, people(), good())
    assert checked.splits == ("train", "val", "test") and checked.contract == people()
    for split in checked.splits:
        for ours, theirs in zip(checked.files(split), Examples(tmp_path / "examples").files(split), strict=True):
            assert ours.samefile(theirs)
    assert (
        checked.validation["success"] and checked.validation["counts"]["kept"] == checked.validation["counts"]["rules"]
    )
    assert checked.profile["train"]["features"]["age"]["count"] == 120
    assert all((checked.path / name).is_file() for name in REPORTS)


def test_copies_where_links_are_refused(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    checked = run(tmp_path, people(), good(), data_docs=False)
    assert pl.read_parquet(checked.files("train")).height == 120
    assert not (checked.path / "data_docs").exists()


def spoil(**columns) -> dict[str, pl.DataFrame]:
    """Good data with cells of the first rows of ``val`` replaced."""
    splits = good()
    frame = splits["val"]
    for name, values in columns.items():
        cells = frame[name].to_list()
        cells[: len(values)] = values
        frame = frame.with_columns(pl.Series(name, cells, dtype=frame.schema[name]))
    return {**splits, "val": frame}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"age": [150, 150, 200]}, ["age [val]: is between 0 and 120 years", "3 of 40 rows", "150, 200"]),
        ({"city": ["Atlantis"]}, ["city [val]: is one of Bern, Genf, Chur", "1 of 40 rows", "'Atlantis'"]),
        ({"age": [None] * 40}, ["age [val]: is never missing", "40 of 40 rows"]),
        ({"income": [float("inf")]}, ["income [val]: is at least 0", "inf"]),
        ({"income": [float("nan")] * 40}, ["income [val]: is missing in at most 0.5", "40 of 40 rows"]),
        ({"left": ["no"] * 40}, ["left [val]: holds every class: no, yes", "lacking: 'yes'"]),
        ({"left": ["perhaps"]}, ["left [val]: is one of no, yes", "'perhaps'"]),
        ({"id": ["v00001", "v00001"]}, ["id [val]: is never there twice"]),
        ({"id": ["p00001"]}, ["id [all]: no value is in two splits", "1 of 200 rows", "'p00001'"]),
    ],
)
def test_error_list(tmp_path, columns, words):
    error = refused(tmp_path, spoil(**columns))
    assert all(word in error.got for word in words), error.got
    failure = error.details["failures"][0]
    assert set(failure) >= {"split", "column", "rule", "severity", "unexpected", "checked", "samples"}
    assert next(iter(columns)) in {f["column"] for f in error.details["failures"]}
    assert "validation.json" in error.fix
    json.dumps(error.record(), allow_nan=False)


def test_every_broken_column_is_named_at_once(tmp_path):
    error = refused(tmp_path, spoil(age=[150], city=["Atlantis"], left=["perhaps"], income=[-1.0]))
    assert {f["column"] for f in error.details["failures"]} == {"age", "city", "left", "income"}


def test_label_that_never_varies_in_train(tmp_path):
    splits = good()
    splits["train"] = splits["train"].with_columns(left=pl.lit("yes"))
    assert "left [train]: holds every class: no, yes" in refused(tmp_path, splits).got


def test_empty_split(tmp_path):
    people_frame(8).write_csv(tmp_path / "x.csv")
    examples = ingest(
        IngestConfig(contract=people(), source=CsvSource(path=str(tmp_path / "x.csv"))), tmp_path / "examples"
    )
    assert examples.rows("test") == 0
    (tmp_path / "checked").mkdir()
    with pytest.raises(DataInvalid) as error:
        validate(ValidateConfig(), examples, tmp_path / "checked")
    assert "table [all]: each split has rows (lacking: 'test')" in error.value.got


def test_warnings_are_recorded_and_go_on(tmp_path):
    tree = people().model_dump(mode="json")
    tree["features"]["age"]["severity"] = "warning"
    checked = run(tmp_path, people().model_validate(tree), spoil(age=[150]))
    assert checked.validation["success"] and checked.validation["counts"]["warning"] == 1
    (broken,) = [o for o in checked.validation["outcomes"] if not o["success"]]
    assert (broken["column"], broken["severity"], broken["unexpected"], broken["share"]) == (
        "age",
        "warning",
        1,
        1 / 40,
    )


def test_a_check_that_crashes_is_told_apart_from_bad_data(tmp_path):
    tree = people().model_dump(mode="json")
    tree["checks"] = [{"expectation": "expect_column_mean_to_be_between", "kwargs": {"column": "city", "min_value": 0}}]
    error = refused(tmp_path, good(), people().model_validate(tree))
    assert "could not be checked" in error.got and "broken" not in error.got
    assert "the data was not judged" in error.fix
    assert all(f["could_not_check"] for f in error.details["failures"])


def test_wrong_check_is_refused_before_anything_is_written(tmp_path):
    tree = people().model_dump(mode="json")
    tree["checks"] = [{"expectation": "expect_column_mean_to_be_between", "kwargs": {"column": "age", "min_valu": 0}}]
    with pytest.raises(ContractError):
        run(tmp_path, people().model_validate(tree), good())
    assert list((tmp_path / "checked").iterdir()) == []


def test_progress_is_told(tmp_path):
    notes = []
    context = RunContext(tmp_path, "p", "r", "checked", tmp_path, lambda p: notes.append(p.note))
    (tmp_path / "checked").mkdir()
    validate(ValidateConfig(), examples_of(tmp_path, people(), good()), tmp_path / "checked", context)
    assert notes == ["reading", "checking rules", "statistics", "data docs"]


def test_images(tmp_path):
    contract = parse_contract(
        "{name: pets, features: {image: {dtype: image, shape: [6, 8, 3], min: 0, max: 211}},"
        " label: {name: label, dtype: string, classes: [cat, dog]}}"
    )
    image_folder(tmp_path / "pets", ("train", "val", "test"))
    source = ImageFolderSource(path=str(tmp_path / "pets"))
    examples = ingest(IngestConfig(contract=contract, source=source, split=AsGiven()), tmp_path / "examples")
    (tmp_path / "checked").mkdir()
    checked = validate(ValidateConfig(), examples, tmp_path / "checked")
    assert {o["rule"] for o in checked.validation["outcomes"]} >= {
        "image: height",
        "image: largest element",
        "label: every class",
    }
    tree = contract.model_dump(mode="json")
    tree["features"]["image"]["max"] = 210
    examples = ingest(
        IngestConfig(contract=contract.model_validate(tree), source=source, split=AsGiven()), tmp_path / "again"
    )
    (tmp_path / "refused").mkdir()
    with pytest.raises(DataInvalid) as error:
        validate(ValidateConfig(), examples, tmp_path / "refused")
    assert "image [train]: largest element is between 0 and 210 (1 of 24 rows break it; found 211)" in error.value.got


@pytest.mark.parametrize("name", ["churn", "digits"])
def test_bundled_data_meet_their_contracts(tmp_path, root, name):
    contract = load_contract(root / "schemas" / "contracts" / f"{name}.yaml")
    source = (
        CsvSource(path=str(root / "data/churn.csv"))
        if name == "churn"
        else ParquetSource(path=str(root / "data/digits.parquet"))
    )
    examples = ingest(IngestConfig(contract=contract, source=source), tmp_path / "examples")
    (tmp_path / "checked").mkdir()
    checked = validate(ValidateConfig(), examples, tmp_path / "checked")
    assert checked.validation["counts"]["kept"] == checked.validation["counts"]["rules"]
    rows = sum(checked.rows(split) for split in checked.splits)
    assert rows == {"churn": 7_043, "digits": 1_797}[name]
    assert all(f.description for f in contract.features.values()) and contract.label and contract.label.description
    for split in checked.splits:
        assert np.isclose(checked.rows(split) / rows, {"train": 0.8, "val": 0.1, "test": 0.1}[split], atol=0.02)


def test_bad_rows_are_set_aside_up_to_the_share(tmp_path):
    tree = people().model_dump(mode="json") | {"on_bad_rows": "quarantine", "max_quarantined": 0.01}
    checked = run(tmp_path, people().model_validate(tree), spoil(age=[150], left=["perhaps"]))
    assert checked.rows("val") == pl.read_parquet(checked.files("val")).height == 39
    assert checked.rows("train") == 120 and checked.validation["success"]
    aside = pl.read_parquet(checked.path / "quarantine/val/part-00000.parquet").row(0, named=True)
    assert aside["age"] == 150 and aside["quarantine_row"] == 0
    assert aside["quarantine_reasons"] == ["age: at most 120 years", "left: one of no, yes"]
    assert checked.validation["quarantine"]["rows"] == {"train": 0, "val": 1, "test": 0}


def test_more_bad_rows_than_may_be_set_aside(tmp_path):
    tree = people().model_dump(mode="json") | {"on_bad_rows": "quarantine", "max_quarantined": 0.004}
    error = refused(tmp_path, spoil(age=[150]), people().model_validate(tree))
    assert "0.50% of the rows are bad and at most 0.40% may be set aside" in error.got
