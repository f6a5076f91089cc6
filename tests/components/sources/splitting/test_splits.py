"""Every row in exactly one split, whatever the order, the batches and the other rows."""

import datetime as dt
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.sources import AsGiven, ByHash, ByTime, CsvSource, GivenSplits, ParquetSource, Shares, Wanted
from kilnworks.components.sources.columns import Column, contract_columns
from kilnworks.components.sources.splitting.assign import make_assigner
from kilnworks.components.sources.splitting.hashing import hash_rows, unit_interval
from kilnworks.schemas.contract import Contract, parse_contract
from kilnworks.schemas.errors import ConfigError, DataInvalid

KEYED = parse_contract("{name: k, key: id, features: {x: {dtype: float}}}")
KEYLESS = parse_contract("{name: n, features: {x: {dtype: float, nullable: true}, t: {dtype: string, nullable: true}}}")
TIMED = parse_contract(
    "{name: z, key: id, time: at, features: {x: {dtype: float}, at: {dtype: datetime, nullable: true}}}"
)
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def split(frame: pl.DataFrame, plan, contract: Contract, tmp: Path) -> dict[str, pl.DataFrame]:
    """Write, read and split a frame as ``ingest`` does."""
    frame.write_parquet(tmp / "x.parquet")
    source, wanted = ParquetSource(path=str(tmp / "x.parquet")), Wanted(contract_columns(contract))
    assigner = make_assigner(plan, contract, source, wanted)
    return assigner.assign(pl.concat(list(source.frames(wanted))), None)


def rows_of(parts: dict[str, pl.DataFrame]) -> list[tuple[str, tuple]]:
    return sorted(((name, row) for name, part in parts.items() for row in part.iter_rows()), key=repr)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


@pytest.mark.slow
@QUIET
@given(keys=st.lists(texts, min_size=1, max_size=60, unique=True), seed=st.integers(0, 9))
def test_by_hash_is_a_partition_and_does_not_see_the_order(tmp_path, keys, seed):
    frame = pl.DataFrame({"id": keys, "x": [float(n) for n in range(len(keys))]})
    plan = ByHash(salt=seed)
    parts = split(frame, plan, KEYED, tmp_path)
    assert sorted(k for p in parts.values() for k in p["id"]) == sorted(keys)
    assert rows_of(parts) == rows_of(split(frame.sample(fraction=1, shuffle=True, seed=seed), plan, KEYED, tmp_path))
    first = split(frame.head(1), plan, KEYED, tmp_path)
    home = next(name for name, part in first.items() if part.height)
    assert keys[0] in parts[home]["id"].to_list()


values = st.tuples(st.one_of(st.none(), st.floats(allow_nan=False, width=32)), st.one_of(st.none(), texts))


@pytest.mark.slow
@QUIET
@given(rows=st.lists(values, min_size=1, max_size=40))
def test_without_a_key_equal_rows_stay_together(tmp_path, rows):
    frame = pl.DataFrame(rows + rows, schema={"x": pl.Float64, "t": pl.String}, orient="row")
    parts = split(frame, ByHash(), KEYLESS, tmp_path)
    assert sum(part.height for part in parts.values()) == 2 * len(rows)
    homes: dict[tuple, set[str]] = {}
    for name, part in parts.items():
        for row in part.iter_rows():
            homes.setdefault(row, set()).add(name)
    assert all(len(home) == 1 for home in homes.values())


@pytest.mark.slow
@QUIET
@given(days=st.lists(st.integers(0, 40), min_size=3, max_size=60), gaps=st.integers(0, 2))
def test_by_time_is_a_partition_in_order_and_keeps_moments_together(tmp_path, days, gaps):
    moments = [dt.datetime(2024, 1, 1) + dt.timedelta(days=d) for d in days] + [None] * gaps
    ids = [str(n) for n in range(len(moments))]
    frame = pl.DataFrame({"id": ids, "x": [0.0] * len(ids), "at": moments}, schema_overrides={"at": pl.Datetime("us")})
    parts = split(frame, ByTime(), TIMED, tmp_path)
    assert sorted(i for p in parts.values() for i in p["id"]) == sorted(ids)
    bounds = [
        (p["at"].min(), p["at"].max())
        for p in (parts[n] for n in ("train", "val", "test"))
        if p["at"].drop_nulls().len()
    ]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(bounds))
    assert rows_of(parts) == rows_of(split(frame.sample(fraction=1, shuffle=True, seed=1), ByTime(), TIMED, tmp_path))


def test_shares_come_out(tmp_path):
    frame = pl.DataFrame({"id": [f"k{n}" for n in range(20_000)], "x": np.zeros(20_000)})
    parts = split(frame, ByHash(shares=Shares(train=0.7, val=0.2, test=0.1)), KEYED, tmp_path)
    for name, share in (("train", 0.7), ("val", 0.2), ("test", 0.1)):
        assert abs(parts[name].height / 20_000 - share) < 4 * np.sqrt(share * (1 - share) / 20_000)


def test_another_salt_is_another_independent_split(tmp_path):
    frame = pl.DataFrame({"id": [f"k{n}" for n in range(20_000)], "x": np.zeros(20_000)})
    one, two = (set(split(frame, ByHash(salt=s), KEYED, tmp_path)["test"]["id"]) for s in (0, 1))
    assert abs(len(one & two) / len(one) - 0.1) < 0.03


def test_no_share_means_no_split(tmp_path):
    frame = pl.DataFrame({"id": [f"k{n}" for n in range(500)], "x": np.zeros(500)})
    parts = split(frame, ByHash(shares=Shares(train=0.5, val=0.5, test=0)), KEYED, tmp_path)
    assert set(parts) == {"train", "val"} and sum(p.height for p in parts.values()) == 500


def test_hash_is_the_same_on_every_machine_and_version():
    """Fixed values: a change of these moves rows between splits of existing data sets."""
    frame = pl.DataFrame(
        {"s": ["a", "", None, "Zürich"], "i": [1, -1, None, 2**62], "f": [0.5, -0.0, None, float("inf")]}
    )
    got = {c: [f"{int(h):016x}" for h in hash_rows(frame, [c])] for c in frame.columns}
    assert got == FIXED


FIXED = {
    "s": ["7ae1f4f8cbe3936a", "fbf7da2373cda6e4", "f7fe19c52f3afc0e", "2ed7fded7b1d43d8"],
    "i": ["6283c3b971cb1c7e", "ba3aea07fff25887", "f7fe19c52f3afc0e", "57692db50faf4a91"],
    "f": ["1dd51a8f060d8300", "fbf7da2373cda6e4", "f7fe19c52f3afc0e", "0836c41eb037ec1c"],
}


def test_hash_knows_position_type_and_missing():
    frame = pl.DataFrame({"a": ["ab", "ba", "a", None, ""], "b": ["", "", "b", "ab", None]})
    assert len(set(hash_rows(frame, ["a", "b"]).tolist())) == 5
    assert len(set(hash_rows(frame, ["a"]).tolist())) == 5
    assert not np.array_equal(hash_rows(frame, ["a", "b"]), hash_rows(frame, ["b", "a"]))


def test_hash_does_not_see_batches():
    frame = pl.DataFrame(
        {"s": [f"text {n % 97}" for n in range(1_000)], "t": np.arange(4_000, dtype=np.uint8).reshape(1_000, 4)}
    )
    whole = hash_rows(frame, ["s", "t"])
    parts = np.concatenate([hash_rows(frame.slice(n, 77), ["s", "t"]) for n in range(0, 1_000, 77)])
    assert np.array_equal(whole, parts)


def test_hash_is_even():
    places = unit_interval(hash_rows(pl.DataFrame({"n": np.arange(100_000)}), ["n"]))
    counts = np.histogram(places, bins=50, range=(0, 1))[0]
    chi2 = float(((counts - 2_000) ** 2 / 2_000).sum())
    assert chi2 < 99, "49 degrees of freedom: below 99 in all but 3 of 100,000 cases"


def test_time_cuts_given(tmp_path):
    moments = [dt.datetime(2024, 1, d) for d in range(1, 31)]
    frame = pl.DataFrame({"id": [str(n) for n in range(30)], "x": [0.0] * 30, "at": moments})
    zurich = dt.timezone(dt.timedelta(hours=1))
    plan = ByTime(val_from=dt.datetime(2024, 1, 11), test_from=dt.datetime(2024, 1, 21, 1, tzinfo=zurich))
    parts = split(frame, plan, TIMED, tmp_path)
    assert [parts[n].height for n in ("train", "val", "test")] == [10, 10, 10]


LABELLED = """
name: l
time: at
features: {x: {dtype: float}, at: {dtype: float}}
label: {name: y, dtype: float, %s}
"""


@pytest.mark.parametrize(
    ("told", "known", "wanted"),
    [
        ("min: 0", 40, [92, 4, 4]),
        ("min: 0", 0, [80, 10, 10]),
        ("learned: false", 40, [80, 10, 10]),
        ("min: 0}\nseries: {step: 1d, window: 7, horizon: 1", 40, [80, 10, 10]),
    ],
    ids=["forty", "none", "not learned", "gaps of a series"],
)
def test_shares_are_those_of_the_rows_with_a_label(tmp_path, told, known, wanted):
    """A label that only the latest of a hundred days have: 32, 4 and 4 of forty."""
    label = pl.Series([None] * (100 - known) + [1.0] * known, dtype=pl.Float64)
    frame = pl.DataFrame({"x": [0.0] * 100, "at": np.arange(100.0), "y": label})
    parts = split(frame, ByTime(), parse_contract(LABELLED % told), tmp_path)
    assert [parts[n].height for n in ("train", "val", "test")] == wanted


def test_time_cut_of_the_wrong_kind(tmp_path):
    frame = pl.DataFrame({"id": ["1"], "x": [0.0], "at": [dt.datetime(2024, 1, 1)]})
    with pytest.raises(ConfigError, match="cut-off"):
        split(frame, ByTime(val_from=1.0, test_from=2.0), TIMED, tmp_path)


def test_no_time_column(tmp_path):
    with pytest.raises(ConfigError, match="needs a time column"):
        split(pl.DataFrame({"id": ["1"], "x": [0.0]}), ByTime(), KEYED, tmp_path)


def given_column(tmp_path, names, plan):
    frame = pl.DataFrame({"id": [f"k{n}" for n in range(len(names))], "x": [0.0] * len(names), "part": names})
    frame.write_csv(tmp_path / "x.csv")
    source, wanted = CsvSource(path=str(tmp_path / "x.csv")), Wanted(contract_columns(KEYED))
    assigner = make_assigner(plan, KEYED, source, wanted)
    return assigner, assigner.assign(frame, None)


def test_column_that_names_the_split(tmp_path):
    names = ["Train", "validation", "TEST"] * 20
    assigner, parts = given_column(tmp_path, names, AsGiven(column="part"))
    assert assigner.extra_columns == ("part",) and assigner.splits == ("train", "val", "test")
    assert {n: p.height for n, p in parts.items()} == {"train": 20, "val": 20, "test": 20}
    assert parts["train"].columns == ["id", "x"]


def test_what_the_column_lacks_is_cut_off_train(tmp_path):
    names = ["train"] * 500 + ["test"] * 50
    _, parts = given_column(tmp_path, names, AsGiven(column="part"))
    assert parts["test"].height == 50 and 20 < parts["val"].height < 90
    assert sum(p.height for p in parts.values()) == 550


def test_unknown_name_in_the_column(tmp_path):
    with pytest.raises(DataInvalid, match="'holdout'"):
        given_column(tmp_path, ["train", "holdout"], AsGiven(column="part"))
    with pytest.raises(DataInvalid, match="missing"):
        given_column(tmp_path, ["train", None], AsGiven(column="part"))


def test_given_needs_a_column_or_parts(tmp_path):
    with pytest.raises(ConfigError, match="neither"):
        split(pl.DataFrame({"id": ["1"], "x": [0.0]}), AsGiven(), KEYED, tmp_path)


def test_hash_split_of_a_source_in_parts(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n1,2\n")
    source = GivenSplits(train={"kind": "csv", "path": str(tmp_path / "a.csv")})
    with pytest.raises(ConfigError, match="comes in parts"):
        make_assigner(ByHash(), KEYED, source, Wanted(contract_columns(KEYED)))


def test_shares_add_up():
    with pytest.raises(ValueError, match="wanted 1"):
        Shares(train=0.5, val=0.1, test=0.1)


def test_split_key_that_is_no_column(tmp_path):
    with pytest.raises(ConfigError, match="no column of contract"):
        split(pl.DataFrame({"id": ["1"], "x": [0.0]}), ByHash(key="who"), KEYED, tmp_path)


@pytest.mark.slow
@QUIET
@given(rows=st.lists(values, min_size=1, max_size=12), seed=st.integers(0, 9), batches=st.integers(1, 5))
def test_copies_that_go_apart_do_so_alike_in_any_order_and_batches(tmp_path, rows, seed, batches):
    frame = pl.DataFrame(rows * 4, schema={"x": pl.Float64, "t": pl.String}, orient="row")
    frame = frame.with_columns(pl.col("x") + 0.0)  # -0.0 is 0.0
    plan = ByHash(salt=seed, copies="apart")
    whole = split(frame, plan, KEYLESS, tmp_path)
    assert sum(part.height for part in whole.values()) == 4 * len(rows)
    source = ParquetSource(path=str(tmp_path / "x.parquet"))
    assigner = make_assigner(plan, KEYLESS, source, Wanted(contract_columns(KEYLESS)))
    mixed = frame.sample(fraction=1, shuffle=True, seed=seed)
    parts = [assigner.assign(mixed[n::batches], None) for n in range(batches)]
    assert rows_of(whole) == sorted((row for part in parts for row in rows_of(part)), key=repr)
    longer = rows_of(split(pl.concat([frame, frame]), plan, KEYLESS, tmp_path))
    assert not Counter(map(repr, rows_of(whole))) - Counter(map(repr, longer)), "later copies move no earlier one"


def test_each_of_many_copies_finds_its_split_by_itself(tmp_path):
    frame = pl.DataFrame({"x": [1.0] * 4000, "t": ["a"] * 4000})
    parts = split(frame, ByHash(copies="apart"), KEYLESS, tmp_path)
    assert {n: round(part.height / 4000, 1) for n, part in parts.items()} == {"train": 0.8, "val": 0.1, "test": 0.1}
    frame.with_columns(part=pl.lit("train")).write_parquet(tmp_path / "y.parquet")
    source, wanted = ParquetSource(path=str(tmp_path / "y.parquet")), contract_columns(KEYLESS)
    given = make_assigner(AsGiven(column="part", copies="apart"), KEYLESS, source, Wanted(wanted))
    (batch,) = source.frames(Wanted({**wanted, "part": Column("part", "key")}))
    cut = given.assign(batch, None)
    assert {n: round(part.height / 4000, 1) for n, part in cut.items()} == {"train": 0.8, "val": 0.1, "test": 0.1}


def test_copies_do_not_go_apart_where_a_key_tells_rows(tmp_path):
    with pytest.raises(ValueError, match="copies go apart and rows of one 'x' together"):
        ByHash(key="x", copies="apart")
    with pytest.raises(ValueError, match="leave key out"):
        AsGiven(column="part", key="x", copies="apart")
    source = ParquetSource(path=str(tmp_path / "x.parquet"))
    with pytest.raises(ConfigError, match="has the key 'id', by which rows are told"):
        make_assigner(ByHash(copies="apart"), KEYED, source, Wanted(contract_columns(KEYED)))
