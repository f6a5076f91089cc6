"""Shards in folders of every name, read by Spark: no character is a pattern, and the locale decides nothing."""

from pathlib import Path

import polars as pl
import pytest

from kilnworks.components.quality.engines.spark_process import judge_on_spark
from kilnworks.schemas.contract import parse_contract
from tests import needed

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore")]
NAMES = (
    *("a[1]", "a[!x]", "a*", "a?", "a{1,2}", "{a", "a}", "a 1", "a,b", "a%20b", "a#b", "Zürich-東京", "-a", "~a"),
    *("a=1;b", "a'b", '"a"', "$HOME", "a\\b", "a:b", "a+b", "a^b", "a!b", "a(1)|b", "a&b"),
)
NEIGHBOURS = ("a", "a1", "a2", "ab", "a b")
"""What some of those names would also match, were they patterns."""
CONTRACT = parse_contract("{name: t, features: {x: {dtype: int, min: 5}}, label: null}")


def shard(folder: Path, values: list[int]) -> Path:
    folder.mkdir()
    with (folder / "part.parquet").open("wb") as handle:
        pl.DataFrame({"x": values}).write_parquet(handle)
    return folder / "part.parquet"


@pytest.mark.nightly
def test_folders_of_every_name(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", needed.java())
    monkeypatch.setenv("LC_ALL", "C")
    for name in NEIGHBOURS:
        shard(tmp_path / name, [1, 1])
    values = {name: [7 + i, 100 - i] for i, name in enumerate(NAMES)}
    files = [shard(tmp_path / name, pair) for name, pair in values.items()]
    checked, profile = judge_on_spark("local[1]", {"train": files}, {"train": 2 * len(files)}, CONTRACT)
    assert [o.text for one in checked for o in one.outcomes if not o.success] == []
    found = profile["train"]["features"]["x"]
    every = [value for pair in values.values() for value in pair]
    assert found["mean"] == pytest.approx(sum(every) / len(every)) and found["min"] == 7 and found["max"] == 100
