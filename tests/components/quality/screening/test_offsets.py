"""Times of several zones in one file, and headers among the rows: found where they are, and nowhere else."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.quality.screening.probes.offsets import minutes, offsets_of

Write = Callable[[int, datetime], str]
MIXED = "times with and without an offset from UTC are mixed"
OTHER = "times are written with an offset from UTC as before"
ZONES = "times are of one zone"
ROWS = 400


def at(offset: str) -> Write:
    """The same moment, as a clock of that offset shows it."""
    return lambda _, moment: (moment + timedelta(minutes=minutes(offset))).isoformat() + offset


def by_turns(*ways: Write) -> Write:
    return lambda row, moment: ways[row % len(ways)](row, moment)


def table(path: Path, write: Write, later: int) -> Path:
    chance = np.random.default_rng(later)
    start = datetime(2024, 1, 1) + timedelta(minutes=37 * ROWS * later)
    moments = [write(row, start + timedelta(minutes=37 * row)) for row in range(ROWS)]
    pl.DataFrame({"at": moments, "x": chance.normal(size=ROWS), "c": chance.choice([*"abc"], ROWS)}).write_csv(path)
    return path


BARE, UTC, EAST, WEST = at(""), at("Z"), at("+02:00"), at("-05:00")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clean", "new", "rule", "severity"),
    [
        (BARE, by_turns(BARE, EAST), MIXED, "critical"),
        (EAST, by_turns(BARE, EAST), MIXED, "critical"),
        (BARE, EAST, OTHER, "warning"),
        (EAST, BARE, OTHER, "warning"),
        (EAST, by_turns(EAST, WEST), ZONES, "warning"),
        (BARE, BARE, None, None),
        (BARE, UTC, None, None),
        (UTC, by_turns(UTC, BARE), None, None),
        (UTC, EAST, None, None),
        (at("+01:00"), by_turns(at("+01:00"), EAST), None, None),
        (by_turns(EAST, WEST), by_turns(EAST, WEST), None, None),
    ],
)
def test_zones_of_a_file(tmp_path, clean, new, rule, severity):
    contract = infer_contract(table(tmp_path / "clean.csv", clean, 0))
    outcome = check_file(contract, table(tmp_path / "new.csv", new, 1))
    found = {f.rule: f.severity for f in outcome.failures if f.rule in (MIXED, OTHER, ZONES)}
    assert found == ({rule: severity} if rule else {})
    assert outcome.success == (severity != "critical"), outcome.failures


@pytest.mark.parametrize(
    ("offset", "east"), [("Z", 0), ("", 0), ("+05:30", 330), ("-0330", -210), ("+02", 120), ("GMT", 0)]
)
def test_minutes_of_an_offset(offset, east):
    assert minutes(offset) == east


def test_offsets_are_counted_as_they_are_written():
    texts = pl.Series(["2024-01-01T05:00+01:00", "2024-01-01 05:00:07.5 Z", "2024-01-01", "2024-01-01 05:00", None])
    assert offsets_of(texts) == {"+01:00": 1, "Z": 1, "": 1}


@pytest.mark.slow
def test_a_category_that_is_called_as_its_column_is_no_header(tmp_path):
    """The column ``c`` holds a, b and c; a whole header among the rows is still found."""
    contract = infer_contract(table(tmp_path / "clean.csv", BARE, 0))
    whole = table(tmp_path / "new.csv", BARE, 1)
    assert check_file(contract, whole).success
    lines = whole.read_text().splitlines()
    whole.write_text("\n".join([*lines[:200], lines[0], *lines[200:]]) + "\n")
    assert [f.severity for f in check_file(contract, whole).failures if "header" in f.rule] == ["critical"]
