"""Rows of a stretch of time alone."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import ByTime, CsvSource
from kilnworks.components.sources.window import SourceInWindow, Window, as_window
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import ConfigError

CONTRACT = parse_contract("{name: t, time: at, features: {x: {dtype: int}}}")
ROWS = "at,x\n2026-01-01 00:00:00,1\n2026-01-31 23:59:59,2\n2026-02-01 00:00:00,3\n,4\n2026-02-02 00:00:00,5\n"
JANUARY = Window(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 2, 1, tzinfo=UTC))


def values(tmp_path, text=ROWS, contract=CONTRACT, **settings):
    import polars as pl

    (tmp_path / "rows.csv").write_text(text)
    out = tmp_path / "out"
    out.mkdir()
    made = ingest(IngestConfig(contract=contract, source=CsvSource(path=str(tmp_path / "rows.csv")), **settings), out)
    frames = [pl.read_parquet(file) for split in made.splits for file in made.files(split)]
    return sorted(v for frame in frames for v in frame["x"].to_list())


def test_without_a_window_every_row_comes(tmp_path):
    assert values(tmp_path) == [1, 2, 3, 4, 5]


def test_the_start_belongs_to_it_and_the_end_does_not(tmp_path):
    assert values(tmp_path, window=JANUARY) == [1, 2]


def test_moments_are_those_of_utc_whatever_offset_they_are_written_with(tmp_path):
    window = as_window("2026-01-01T02:00:00+02:00/2026-02-01T02:00:00+02:00")
    assert window.identity() == JANUARY.identity()
    assert values(tmp_path, window=window) == [1, 2]


def test_seconds_since_1970():
    import polars as pl

    start, end = int(JANUARY.start.timestamp()), int(JANUARY.end.timestamp())
    source = SourceInWindow(source=CsvSource(path="x"), column="at", window=JANUARY)
    inside = source.inside(pl.Series([start - 1, start, end - 1, end, None]))
    assert inside.to_list() == [False, True, True, False, False]


def test_a_split_by_time_cuts_inside_of_the_window(tmp_path):
    text = "at,x\n" + "".join(f"2026-01-{day:02d} 00:00:00,{day}\n" for day in range(1, 32))
    found = values(tmp_path, text + "2026-03-01 00:00:00,99\n", window=JANUARY, split=ByTime())
    assert found == list(range(1, 32))


def test_a_contract_without_a_time_column_is_refused(tmp_path):
    contract = parse_contract("{name: t, features: {x: {dtype: int}}, ignore: [at]}")
    with pytest.raises(ConfigError, match="no time column"):
        values(tmp_path, contract=contract, window=JANUARY)


def test_an_empty_window_is_refused():
    with pytest.raises(ValidationError, match="is empty"):
        Window(start=JANUARY.end, end=JANUARY.start)


@pytest.mark.parametrize("text", ["2026-01-01", "yesterday/today", "2026-02-01/2026-01-01", "2026-01-01/2026-01-01"])
def test_intervals_that_are_none(text):
    with pytest.raises(ConfigError, match="interval"):
        as_window(text)


def test_a_date_is_its_first_moment_in_utc():
    assert as_window("2026-01-01/2026-02-01") == JANUARY


def test_the_same_stretch_makes_the_same_fingerprint_however_it_is_written():
    other = as_window("2026-01-01T01:00:00+01:00/2026-01-31T19:00:00-05:00")
    assert other.identity() == JANUARY.identity()
    assert as_window("2026-01-01/2026-02-02").identity() != JANUARY.identity()
