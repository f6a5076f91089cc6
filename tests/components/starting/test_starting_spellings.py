"""A first look reads numbers as they are written, says so, and points out values that look alike."""

import io
import random

import pandas as pd
import polars as pl
import pytest

from kilnworks.components.sources import Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.starting.start import start
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.number_format import NumberFormat

COMMAS = NumberFormat(thousands=",")


def rows(n=240, seed=1):
    r = random.Random(seed)
    return {
        "price": [f"{r.choice([r.randint(150, 999), r.randint(1000, 4999)]):,}" for _ in range(n)],
        "size": [f"{r.uniform(20, 80):.2f}" for _ in range(n)],
        "tone": [r.choice(["red", "blue", "green"]) for _ in range(n)],
        "sold": [r.choice(["no", "yes"]) for _ in range(n)],
    }


def first_look(path, columns, label, separator=",", **options):
    pl.DataFrame(columns).write_csv(path / "x.csv", separator=separator)
    return start("t", str(path / "x.csv"), label=label, **options)


def said(recipe, what):
    return [f"{'! ' if d.flagged else ''}{d.choice} ({d.why})" for d in recipe.decisions if d.what == what]


def as_run(recipe) -> pl.DataFrame:
    """All rows as the pipeline reads them."""
    wanted = Wanted(contract_columns(recipe.contract), frozenset(recipe.contract.ignore))
    return pl.concat(list(recipe.source.frames(wanted)))


@pytest.mark.slow
@pytest.mark.parametrize("label", ["price", "sold"])
def test_thousands_of_a_label_or_feature_are_read_as_pandas_reads_them(tmp_path, label):
    recipe = first_look(tmp_path, rows(), label)
    assert recipe.contract.numbers == {"price": COMMAS}
    known = pd.read_csv(tmp_path / "x.csv", thousands=",", decimal=".")
    run = as_run(recipe)
    assert run["price"].cast(pl.Int64).to_list() == known["price"].tolist()
    assert run["size"].to_list() == pytest.approx(known["size"].tolist(), rel=1e-6)
    (line,) = said(recipe, "numbers?")
    text = next(t for t in rows()["price"] if "," in t)
    whole, fraction = text.replace(",", ""), float(text.replace(",", "."))
    assert line.startswith(f"! price: '{text}' is read as {whole} and may be {fraction:g} ")
    assert "to choose the other: --decimal price=," in line
    assert said(first_look(tmp_path, rows(), label, decimals={"price": "."}), "numbers?") == []


def test_the_other_reading_can_be_chosen(tmp_path):
    recipe = first_look(tmp_path, rows(), "sold", decimals={"price": ","})
    assert recipe.contract.numbers == {"price": NumberFormat(decimal=",")} and said(recipe, "numbers?") == []
    known = pd.read_csv(io.StringIO((tmp_path / "x.csv").read_text()), decimal=",", dtype={"size": str})["price"]
    assert as_run(recipe)["price"].to_list() == pytest.approx(known.tolist(), rel=1e-6)


def test_units_marks_and_decimal_commas_of_one_file_are_each_said(tmp_path):
    r = random.Random(2)
    known = [r.randint(100_000, 9_999_999) / 100 for _ in range(200)]
    columns = {
        "paid": [f"${v:,.2f}" if k % 3 else f"(${v:,.2f})" for k, v in enumerate(known)],
        "mass": [f"{v:.2f}".replace(".", ",") + " kg" for v in known],
        "share": [f"{k % 90} %" for k in range(200)],
        "people": [f"{int(v):,}".replace(",", "\u202f") for v in known],
        "sold": ["no", "yes"] * 100,
    }
    recipe = first_look(tmp_path, columns, "sold", separator=";")
    run = as_run(recipe)
    assert run["paid"].to_list() == pytest.approx([v if k % 3 else -v for k, v in enumerate(known)], rel=1e-6)
    assert run["mass"].to_list() == pytest.approx(known, rel=1e-6)
    assert run["share"].to_list() == [k % 90 for k in range(200)]
    assert run["people"].to_list() == [int(v) for v in known]
    lines = said(recipe, "numbers")
    assert [line.split(":")[0] for line in lines] == ["paid", "mass", "share", "people"]
    assert f"'{columns['mass'][0]}' is {known[0]:.15g}" in lines[1] and "the unit kg changes no value" in lines[1]


@pytest.mark.slow
def test_digits_of_other_scripts_are_read_and_said(tmp_path):
    wide = {ord("0") + k: 0xFF10 + k for k in range(10)}
    arabic = {ord("0") + k: 0x0660 + k for k in range(10)}
    known = [100 + 7 * k for k in range(240)]
    columns = rows() | {
        "price": [str(n).translate(wide) for n in known],
        "size": [f"{n / 4}".translate(arabic) for n in known],
    }
    recipe = first_look(tmp_path, columns, "sold")
    run = as_run(recipe)
    assert run["price"].to_list() == known and run["size"].to_list() == [n / 4 for n in known]
    assert "('\uff11\uff10\uff10' is 100; '\u0662\u0665.\u0660' is 25)" in said(recipe, "numbers")[0]


def test_numbers_in_two_units_are_no_numbers_and_that_is_said(tmp_path):
    columns = rows() | {"size": [f"{40 + k % 60} {'lb' if k % 3 == 0 else 'kg'}" for k in range(240)]}
    recipe = first_look(tmp_path, columns, "sold")
    (line,) = [text for text in said(recipe, "numbers?") if "size" in text]
    assert line.startswith("! size: numbers in several units: 160 like '41 kg', 80 like '40 lb'")
    assert "size" not in recipe.contract.numbers
    with pytest.raises(ConfigError, match="label size holds numbers in several units"):
        first_look(tmp_path, columns, "size")


def test_values_that_look_alike_are_pointed_out(tmp_path):
    columns = rows() | {"tone": ["caf\u00e9", "cafe\u0301", "tea"] * 80, "member": ["yes", "yes ", "no", "maybe"] * 60}
    recipe = first_look(tmp_path, columns, "sold")
    lines = said(recipe, "alike?")
    assert [line.split(":")[0] for line in lines] == ["! tone", "! member"]
    assert lines[0].count("(80 rows)") == 2 and "'yes' (60 rows) and 'yes ' (60 rows)" in lines[1]


def test_classes_that_look_alike_are_pointed_out_and_stay_two(tmp_path):
    recipe = first_look(tmp_path, rows() | {"sold": ["yes", "yes ", "no", "no"] * 60}, "sold")
    assert said(recipe, "alike?")[0].startswith("! sold: 'yes' (60 rows) and 'yes ' (60 rows)")
    assert recipe.contract.label.classes == ("no", "yes", "yes ")
    assert as_run(recipe)["sold"].to_list() == ["yes", "yes ", "no", "no"] * 60


def test_a_label_written_na_is_a_missing_label(tmp_path):
    sold = ["NA" if k % 20 == 7 else ("no", "yes")[k % 2] for k in range(240)]
    recipe = first_look(tmp_path, rows() | {"sold": sold}, "sold")
    assert recipe.contract.label.classes == ("no", "yes") and recipe.contract.on_bad_rows == "quarantine"
    assert said(recipe, "set aside") == ["12 of 240 rows, 5.00% (12: sold is missing)"]
    assert as_run(recipe)["sold"].null_count() == sold.count("NA") == 12


def test_a_class_that_may_mean_missing_is_pointed_out(tmp_path):
    recipe = first_look(tmp_path, rows() | {"sold": ["none", "some", "all"] * 80}, "sold")
    assert recipe.contract.label.classes == ("all", "none", "some")
    assert said(recipe, "class?")[0].startswith("! 'none' is a class of sold (80 rows; ")
