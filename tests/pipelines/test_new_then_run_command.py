"""``kilnworks new`` and then ``kilnworks run --to checked``, on small files with one oddity each."""

import json
import random

import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main

pytestmark = pytest.mark.slow
R = random.Random(3)
ROWS = 200
SPLITS = ("train", "val", "test")


def flats() -> dict[str, list[str]]:
    return {
        "size": [f"{R.uniform(20, 80):.1f}" for _ in range(ROWS)],
        "tone": [R.choice(["red", "blue", "green"]) for _ in range(ROWS)],
        "sold": [R.choice(["no", "yes"]) for _ in range(ROWS)],
    }


@pytest.fixture
def checked(tmp_path, monkeypatch, capsys):
    """What ``new`` says of columns, and the rows and the report that ``run --to checked`` leaves."""
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "pipelines").mkdir()

    def follow(name: str, columns: dict[str, list[str]], label: str) -> tuple[str, pl.DataFrame, dict]:
        data = tmp_path / f"{name}.csv"
        pl.DataFrame(columns).write_csv(data)
        assert main(["new", name, "--data", str(data), "--label", label]) == 0
        said = capsys.readouterr().out
        assert main(["run", name, "--to", "checked", "--run-id", "r1"]) == 0
        (report,) = [p for p in (tmp_path / "store").rglob("validation.json") if "quarantine" not in p.parts]
        files = [file for split in SPLITS for file in sorted(report.parent.glob(f"{split}/*.parquet"))]
        rows = pl.concat([pl.read_parquet(file) for file in files])
        return said, rows, json.loads(report.read_text())

    return follow


def test_rows_without_a_label_are_set_aside(checked):
    columns = flats()
    columns["sold"][5:15] = ["NA"] * 10
    said, rows, report = checked("gaps", columns, "sold")
    assert "10 of 200 rows" in said and "sold is missing" in said
    assert report["success"] and rows.height == 190 and set(rows["sold"]) == {"no", "yes"}


def test_a_class_of_one_row_is_left_out_aloud(checked):
    columns = flats()
    columns["sold"][7] = "maybe"
    said, rows, report = checked("rare", columns, "sold")
    assert "! class left out" in said and "'maybe' of sold" in said
    assert report["success"] and rows.height == 199 and set(rows["sold"]) == {"no", "yes"}


def test_thousands_marks_are_numbers(checked):
    columns = {**flats(), "price": [f"{R.randrange(900, 90_000):,}" for _ in range(ROWS)]}
    _, rows, report = checked("marks", columns, "price")
    assert report["success"]
    assert sorted(rows["price"].cast(pl.Int64)) == sorted(int(text.replace(",", "")) for text in columns["price"])
