"""Files that land under any name, in folders of any name, with numbers and dates as people write them."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.retraining.landing import count_rows
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.retraining.watch import claim, look
from kilnworks.components.sources import CsvSource, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.schemas.contract import parse_contract

NAMES = (
    "a[1]",
    "a*",
    "a?",
    "a{1,2}",
    "a 1",
    "a,b",
    "a%20b",
    "a#b",
    "Zürich-東京",
    "-a",
    "~a",
    "a=1;b",
    "a'b",
    "a\\b",
    "a:b",
)
CONTRACT = parse_contract(
    """
    name: sold
    time: day
    features:
      day: {dtype: datetime}
      price: {dtype: float}
    label: null
    dates: {day: {format: "%d.%m.%Y"}}
    numbers: {price: {decimal: ",", thousands: ".", unit: "€"}}
    """
)


def text(first: int, rows: int) -> str:
    """Prices of 1.000,50 € and up, on days of January 2024."""
    lines = (f"{1 + (first + i) % 31:02}.01.2024;1.{first + i:03},50 €" for i in range(rows))
    return "day;price\n" + "".join(f"{line}\n" for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["in [1]", "in*", "Eingang-ä {a,b}", "in%20b#c"])
def test_what_landed_is_what_a_run_reads(tmp_path, folder):
    landing = tmp_path / folder
    landing.mkdir()
    for i, name in enumerate(NAMES):
        if i % 2:
            (landing / f"{name}.csv").write_text(text(10 * i, 3), encoding="utf-8")
        else:
            (landing / f"{name}.csv.gz").write_bytes(gzip.compress(text(10 * i, 3).encode()))
    policy = RetrainPolicy(landing=str(landing), min_new_rows=1, settle_seconds=0, coalesce_seconds=0)
    store = tmp_path / f"store {folder}"
    for now in (1.8e9, 1.8e9 + 600):
        decision = look(policy, store, "sold", now)
    order = claim(policy, store, "sold", 1.8e9 + 600)
    assert order is not None, decision.record.headline
    assert order.rows == 3 * len(NAMES)
    source = CsvSource(path=str(order.settings[policy.setting]), separator=";")
    read = pl.concat(list(source.frames(Wanted(contract_columns(CONTRACT)))))
    wanted = {1000.5 + 10 * i + j: 1 + (10 * i + j) % 31 for i in range(len(NAMES)) for j in range(3)}
    assert dict(zip(read["price"], read["day"].dt.day(), strict=True)) == wanted
    assert set(read["day"].dt.month()) == {1}


def test_rows_of_each_kind_are_counted(tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.zeros((7, 2)), y=np.zeros(7))
    pl.DataFrame({"x": range(5)}).write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text('{"x": 1}\n\n{"x": 2}\n')
    (tmp_path / "rows.tsv").write_text('x\ty\n1\t"two\nlines"\n')
    counted = {path.name: count_rows(path, path.name) for path in tmp_path.iterdir()}
    assert counted == {"rows.npz": 7, "rows.parquet": 5, "rows.jsonl": 2, "rows.tsv": 1}


@pytest.mark.parametrize("kind", ["npz", "parquet", "csv.gz", "jsonl.gz"])
def test_a_broken_file_counts_as_none(tmp_path: Path, kind):
    whole = tmp_path / "whole.npz"
    np.savez_compressed(whole, x=np.random.default_rng(0).normal(size=999))
    data = {"npz": whole.read_bytes(), "parquet": b"PAR1" * 20}.get(kind) or gzip.compress(b"x\n" * 9999)
    (tmp_path / f"broken.{kind}").write_bytes(data[: len(data) // 2])
    assert count_rows(tmp_path / f"broken.{kind}", f"broken.{kind}") == 0
