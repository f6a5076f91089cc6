"""Values of sensitive features: looked for in every file that the gate, the report and the tracker write."""

import json
from pathlib import Path

import polars as pl
import pytest

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.reporting.report import write_report
from kilnworks.components.sources import AsGiven, CsvSource, GivenSplits, ParquetSource
from kilnworks.components.tracking.collect import collect
from kilnworks.components.validate import ValidateConfig, validate
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import DataInvalid, DataUnreadable

CONTRACT = """
name: people
key: id
features:
  mail: {dtype: string, regex: "[a-z.]+@example.org$", sensitive: true, unique: true}
  salary: {dtype: float, min: 0, max: 900000, nullable: true, sensitive: true}
  born: {dtype: datetime, sensitive: true}
  nick: {dtype: string, max_length: 12, sensitive: true, severity: warning}
  city: {dtype: string, allowed: [Bern, Chur]}
label: {name: y, dtype: int, classes: [0, 1]}
checks:
  - {expectation: expect_column_max_to_be_between, kwargs: {column: salary, max_value: 5}, severity: warning}
  - {expectation: expect_column_pair_values_to_be_equal, kwargs: {column_A: mail, column_B: nick}, severity: warning}
  - {expectation: expect_column_most_common_value_to_be_in_set, kwargs: {column: nick, value_set: [x]}}
  - {expectation: expect_column_values_to_match_json_schema, kwargs: {column: nick, json_schema: {}}, severity: warning}
"""


def people(start: int, rows: int) -> pl.DataFrame:
    """Rows whose personal values are told apart from everything else by their digits and letters."""
    n = range(start, start + rows)
    return pl.DataFrame(
        {
            "id": [f"k{i}" for i in n],
            "mail": [f"qq{'zwvuts'[i % 6]}xx{i}@example.org" if i % 9 == 0 else f"{_word(i)}@example.org" for i in n],
            "salary": [-731000.25 - i if i % 8 == 0 else 731000.25 + i for i in n],
            "born": pl.Series([f"1907-03-{1 + i % 28:02d} 04:17:00" for i in n]).str.to_datetime(),
            "nick": [f"nick{_word(i)}wqx" * 2 for i in n],
            "city": ["Bern" if i % 3 else "Atlantis" for i in n],
            "y": [i % 2 for i in n],
        }
    )


def _word(i: int) -> str:
    return "".join(chr(97 + int(d)) for d in str(i + 10_000)) + "qqw"


def personal(frames: list[pl.DataFrame]) -> set[str]:
    """Every personal value as it might be written."""
    found: set[str] = set()
    for frame in frames:
        found |= {*frame["mail"], *frame["nick"], *(f"{abs(v):.2f}" for v in frame["salary"])}
    return found | {"1907-03", "731000", "731,000"}


@pytest.mark.slow
@pytest.mark.parametrize("on_bad_rows", ["fail", "quarantine"])
def test_no_personal_value_is_written(tmp_path, on_bad_rows):
    frames = {"train": people(0, 60), "val": people(60, 30), "test": people(80, 30)}
    frames["train"] = pl.concat(
        [frames["train"], frames["train"].head(2).with_columns(id=pl.lit("k900") + pl.col("id"))]
    )
    tree = parse_contract(CONTRACT).model_dump(mode="json") | {"on_bad_rows": on_bad_rows, "max_quarantined": 0.9}
    contract = parse_contract(json.dumps(tree))
    for name, frame in frames.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    run = tmp_path / "store/runs/people/r1"
    source = GivenSplits(**{n: ParquetSource(path=str(tmp_path / f"{n}.parquet")) for n in frames})
    examples = ingest(IngestConfig(contract=contract, source=source, split=AsGiven()), _made(run / "examples"))
    context = RunContext(tmp_path / "store", "people", "r1", "checked", tmp_path / "work")
    with pytest.raises(DataInvalid) as error:
        validate(ValidateConfig(shown=99), examples, _made(run / "checked.failed"), context)
    (run / "checked.failed/error.json").write_text(json.dumps(error.value.record()))
    (run / "run.json").write_text(json.dumps({"pipeline": "people", "run_id": "r1", "started": "2026-01-02T03:04:05Z"}))
    write_report(run)
    secrets = personal(list(frames.values()))
    told = [p for p in run.rglob("*") if p.is_file() and p.suffix != ".parquet"]
    texts = {str(p): p.read_text() for p in told} | {"tracker": repr(collect(run)), "error": str(error.value)}
    assert {p.name for p in told} >= {
        "validation.json",
        "profile.json",
        "index.html",
        "report.html",
        "sample_rows.json",
    }
    for where, text in texts.items():
        assert [s for s in secrets if s in text] == [], where
    assert "Atlantis" in texts[str(run / "checked.failed/validation.json")], "the others are shown"


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_values_that_cannot_be_held_are_masked_in_the_error(tmp_path):
    (tmp_path / "x.csv").write_text("id,a\n1,secretword\n")
    contract = parse_contract("{name: x, key: id, features: {a: {dtype: int, sensitive: true}}}")
    config = IngestConfig(contract=contract, source=CsvSource(path=str(tmp_path / "x.csv")))
    with pytest.raises(DataUnreadable) as error:
        ingest(config, _made(tmp_path / "out"))
    assert "secretword" not in json.dumps(error.value.record()) and "(masked)" in error.value.got
