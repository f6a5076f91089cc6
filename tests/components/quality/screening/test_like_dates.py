"""A column of dates that reads both ways follows another one that does not."""

import random
from datetime import date, timedelta

import polars as pl
import pytest

from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.screening.columns.column_specs import describe_columns
from kilnworks.schemas.errors import DataUnreadable

R = random.Random(3)
DAYS = [date(2023, 1, 1) + timedelta(days=k) for k in range(700)]
EARLY = [day for day in DAYS if day.day <= 12]


def written(days, form, count=120):
    return [day.strftime(form) for day in R.choices(days, k=count)]


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_the_column_that_tells_decides_for_the_other(form):
    specs = describe_columns(pl.DataFrame({"start": written(EARLY, form), "end": written(DAYS, form)}))
    assert (specs["start"].date_format, specs["end"].date_format) == (form, form)
    assert specs["start"].as_in == "end" and len(specs["start"].rivals) == 1 and not specs["end"].rivals


def test_of_another_spelling_too_and_with_its_own_years():
    frame = pl.DataFrame({"start": written(EARLY, "%d/%m/%y"), "end": written(DAYS, "%d.%m.%Y %H:%M")})
    spec = describe_columns(frame)["start"]
    assert (spec.date_format, spec.first_year, spec.as_in) == ("%d/%m/%y", 1969, "end")


def test_columns_that_differ_decide_nothing_and_iso_is_no_evidence():
    apart = {"a": written(EARLY, "%d/%m/%Y"), "b": written(DAYS, "%d/%m/%Y"), "c": written(DAYS, "%m/%d/%Y")}
    assert describe_columns(pl.DataFrame(apart))["a"].as_in == ""
    iso = {"a": written(EARLY, "%d/%m/%Y"), "b": written(DAYS, "%Y-%m-%d")}
    assert describe_columns(pl.DataFrame(iso))["a"].as_in == ""


def test_rows_sorted_by_one_column_decide_for_another():
    some = sorted(R.choices(EARLY, k=120))
    frame = pl.DataFrame({"made": [d.strftime("%d/%m/%Y") for d in some], "due": written(EARLY, "%d/%m/%Y")})
    specs = describe_columns(frame)
    assert specs["made"].by_order and specs["due"].as_in == "made" and specs["due"].date_format == "%d/%m/%Y"


@pytest.mark.slow
def test_the_contract_has_it(tmp_path):
    form = "%d/%m/%Y"
    frame = pl.DataFrame({"start": written(EARLY, form), "end": written(DAYS, form)})
    frame.write_csv(tmp_path / "x.csv")
    assert {n: how.format for n, how in infer_contract(tmp_path / "x.csv").dates.items()} == {
        "start": form,
        "end": form,
    }


def test_dates_of_zeros_are_missing_and_durations_are_refused_in_words(tmp_path):
    texts = ["0000-00-00" if k % 10 == 0 else day.isoformat() for k, day in enumerate(DAYS[:100])]
    spec = describe_columns(pl.DataFrame({"when": texts}))["when"]
    assert (spec.kind, spec.tokens) == ("datetime", ("0000-00-00",))
    took = pl.DataFrame({"took": [timedelta(seconds=k) for k in range(50)], "size": list(range(50))})
    took.write_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataUnreadable, match="column 'took' holds durations"):
        infer_contract(tmp_path / "x.parquet")
