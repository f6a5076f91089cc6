"""Rows set aside: every row is in exactly one place, with the reasons that a loop over its values gives."""

import json
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.quality.rows.quarantine import POSITION, REASONS, set_aside
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.contract import Contract, Feature, Label

CONTRACT = Contract(
    name="c",
    key="id",
    features={
        "age": Feature(dtype="int", min=0, max=120),
        "income": Feature(dtype="float", nullable=True, min=0),
        "note": Feature(dtype="string", regex=r".*x.*", severity="warning"),
    },
    label=Label(name="y", dtype="int", classes=(0, 1)),
    on_bad_rows="quarantine",
    max_quarantined=0.5,
)
SCHEMA = {"id": pl.String, "age": pl.Int64, "income": pl.Float64, "note": pl.String, "y": pl.Int64}
ROW = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", None]),
        "age": st.sampled_from([0, 5, 120, 121, -1, None]),
        "income": st.sampled_from([None, 0.0, 1.5, -0.5, math.inf, 1e308]),
        "note": st.sampled_from(["x", "none", None]),
        "y": st.sampled_from([0, 1, 2, None]),
    }
)


def reasons(row: dict) -> set[str]:
    """Independent statement of the critical rules on one row."""
    found = {f"{name}: not missing" for name in ("id", "age", "y") if row[name] is None}
    if row["age"] is not None:
        found |= {"age: at least 0"} if row["age"] < 0 else set()
        found |= {"age: at most 120"} if row["age"] > 120 else set()
    if row["income"] is not None:
        found |= {"income: a finite number of at most 3.4e+38"} if row["income"] > 3.4028235e38 else set()
        found |= {"income: at least 0"} if row["income"] < 0 else set()
    return found | ({"y: one of 0, 1"} if row["y"] == 2 else set())


def examples_of(path, splits: dict[str, list[list[dict]]], contract=CONTRACT) -> Examples:
    """Examples of rows by split and shard."""
    description = {}
    for split, shards in splits.items():
        files = [f"{split}/part-{i:05d}.parquet" for i in range(len(shards))]
        (path / split).mkdir(parents=True)
        for file, rows in zip(files, shards, strict=True):
            pl.DataFrame(rows, schema=SCHEMA).write_parquet(path / file)
        description[split] = {"rows": sum(map(len, shards)), "files": files}
    (path / "examples.json").write_text(
        json.dumps({"contract": contract.model_dump(mode="json"), "splits": description})
    )
    return Examples(path)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    train=st.lists(st.lists(ROW, max_size=6), min_size=1, max_size=3),
    test=st.lists(st.lists(ROW, max_size=6), min_size=1, max_size=2),
)
def test_every_row_is_in_one_place_with_its_reasons(tmp_path_factory, train, test):
    path = tmp_path_factory.mktemp("q")
    splits = {"train": train, "test": test}
    examples, out = examples_of(path / "in", splits), path / "out"
    found = set_aside(examples, out)
    rows = {split: [row for shard in shards for row in shard] for split, shards in splits.items()}
    bad = {split: [i for i, row in enumerate(given_rows) if reasons(row)] for split, given_rows in rows.items()}
    assert found.bad == {split: len(places) for split, places in bad.items()}
    assert found.total == {split: len(given_rows) for split, given_rows in rows.items()}
    counted = {(r.split, f"{r.column}: {r.rule}"): r.rows for r in found.reasons}
    expected: dict = {}
    for split, given_rows in rows.items():
        for reason in (reason for row in given_rows for reason in reasons(row)):
            expected[split, reason] = expected.get((split, reason), 0) + 1
    assert counted == expected
    for split, given_rows in rows.items():
        going = [row for file in found.files[split] for row in pl.read_parquet(file).rows(named=True)]
        if not found.within:
            assert going == given_rows and not out.exists()
            continue
        aside = [row for f in sorted(out.glob(f"quarantine/{split}/*")) for row in pl.read_parquet(f).rows(named=True)]
        assert going == [row for row in given_rows if not reasons(row)]
        assert [row[POSITION] for row in aside] == bad[split]
        assert all(set(row[REASONS]) == reasons(given_rows[row[POSITION]]) for row in aside)
        assert [{k: row[k] for k in SCHEMA} for row in aside] == [given_rows[i] for i in bad[split]]
        assert found.rows(split) == len(going) and len(going) + len(aside) == len(given_rows)


def test_shards_without_bad_rows_are_not_written_again(tmp_path):
    fine = {"id": "a", "age": 3, "income": None, "note": "x", "y": 1}
    examples = examples_of(tmp_path / "in", {"train": [[fine] * 9, [fine, {**fine, "age": 500}]]})
    found = set_aside(examples, tmp_path / "out")
    assert found.files["train"][0] == examples.files("train")[0]
    assert found.files["train"][1].is_relative_to(tmp_path / "out")
    assert found.share == pytest.approx(1 / 11) and found.record()["reasons"][0]["samples"] == ["500"]
