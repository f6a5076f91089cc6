"""Whole numbers that float64 does not tell apart, from a file to its contract and through its check."""

import random
from pathlib import Path

import polars as pl
import pytest

from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.screening.check import check_file
from kilnworks.schemas.contract import dump_contract, parse_contract
from tests.effort import some

ROWS = 240
SUFFIXES = (".csv", ".parquet", ".jsonl")


def table(seed: int, ids: list[int] | list[str], name: str = "id") -> pl.DataFrame:
    """Rows of a clean source with these ids."""
    draw = random.Random(seed)
    sizes = [draw.gauss(55, 10) for _ in range(ROWS)]
    return pl.DataFrame(
        {
            name: ids,
            "size": [round(s, 2) for s in sizes],
            "tone": [draw.choice(["red", "blue", "green"]) for _ in range(ROWS)],
            "sold": ["yes" if s + draw.gauss(0, 8) > 55 else "no" for s in sizes],
        }
    )


def write(frame: pl.DataFrame, path: Path) -> Path:
    """The frame in the format of the suffix."""
    {".csv": frame.write_csv, ".parquet": frame.write_parquet, ".jsonl": frame.write_ndjson}[path.suffix](path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("suffix", some(SUFFIXES, [".csv"]))
@pytest.mark.parametrize(
    ("first", "dtype"),
    [
        (1_800_000_000_000_000_000, pl.Int64),
        (-(2**63), pl.Int64),
        (2**53 + 1, pl.Int64),
        (2**64 - 10_000, pl.UInt64),
        (10**29 + 1, pl.String),
    ],
)
def test_consecutive_long_ids_are_a_key_and_fresh_ones_pass(
    suffix: str, first: int, dtype: type[pl.DataType], tmp_path: Path
) -> None:
    """The digits that float64 drops tell the rows apart; repeated ids are still found."""
    made = [str(i) if dtype == pl.String else i for i in range(first, first + 4 * ROWS)]
    clean, fresh = (pl.Series(made[a : a + ROWS], dtype=dtype).to_list() for a in (0, 3 * ROWS))
    name = f"clean{suffix}"
    schema = {"id": dtype}
    contract = infer_contract(write(table(1, clean).cast(schema), tmp_path / name), label="sold")
    contract = parse_contract(dump_contract(contract))
    assert contract.key == "id"
    assert list(contract.features) == ["size", "tone"]
    good = table(2, fresh).cast(schema)
    outcome = check_file(contract, write(good, tmp_path / f"fresh{suffix}"))
    assert outcome.success, outcome.failures
    twice = good.with_columns(id=pl.concat([good["id"].head(ROWS - 12), good["id"].head(12)]))
    found = check_file(contract, write(twice, tmp_path / f"twice{suffix}"))
    assert not found.success
    assert [f.rows[0] for f in found.failures if f.rule.startswith("keys are unique")] == [ROWS - 11]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", some(SUFFIXES, [".parquet"]))
def test_long_codes_that_repeat_are_a_closed_list_of_texts(suffix: str, tmp_path: Path) -> None:
    """Neighbours beyond 2**53 stay apart, and one that was never seen is named with its digits."""
    kinds = [2**53, 2**53 + 1, 2**53 + 2]
    draw = random.Random(3)
    frame = table(1, [draw.choice(kinds) for _ in range(ROWS)], "shop")
    contract = infer_contract(write(frame, tmp_path / f"clean{suffix}"), label="sold")
    assert contract.features["shop"].allowed == tuple(map(str, kinds))
    other = table(2, [draw.choice(kinds) for _ in range(ROWS - 20)] + [2**53 + 3] * 20, "shop")
    found = check_file(contract, write(other, tmp_path / f"fresh{suffix}"))
    assert any("9007199254740995" in f.seen for f in found.failures if f.column == "shop")
    assert check_file(contract, write(frame, tmp_path / f"same{suffix}")).success


@pytest.mark.slow
@pytest.mark.parametrize("suffix", some(SUFFIXES, [".jsonl"]))
def test_classes_that_float64_merges_stay_two(suffix: str, tmp_path: Path) -> None:
    """As 9007199254740992 and 9007199254740993 do."""
    frame = table(1, list(range(ROWS)))
    whole = {"yes": 2**53, "no": 2**53 + 1}
    frame = frame.with_columns(sold=pl.col("sold").replace_strict(whole, return_dtype=pl.Int64))
    contract = infer_contract(write(frame, tmp_path / f"clean{suffix}"), label="sold")
    assert contract.label is not None
    assert (contract.label.dtype, contract.label.classes) == ("int", (2**53, 2**53 + 1))
    assert parse_contract(dump_contract(contract)).label == contract.label


@pytest.mark.slow
def test_amounts_stay_numbers_and_moments_are_dates(tmp_path: Path) -> None:
    """Long whole numbers of all lengths are amounts; those of a column of moments count nanoseconds since 1970."""
    draw = random.Random(5)
    frame = table(1, list(range(ROWS))).with_columns(
        paid=pl.Series([round(10 ** draw.uniform(8, 18)) for _ in range(ROWS)]),
        created_at=pl.Series([1_700_000_000_000_000_000 + draw.randrange(10**15) for _ in range(ROWS)]),
        wide=pl.Series([str(round(10 ** draw.uniform(8, 24))) for _ in range(ROWS)]),
    )
    contract = infer_contract(write(frame, tmp_path / "clean.csv"), label="sold")
    assert {n: contract.features[n].dtype for n in ("paid", "created_at", "wide")} == {
        "paid": "int",
        "created_at": "datetime",
        "wide": "float",
    }
    assert contract.dates["created_at"].format == "epoch ns"
