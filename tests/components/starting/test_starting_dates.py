"""A first look reads dates as they were meant, says how, and says what it leaves out."""

import random
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from kilnworks.components.sources import Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.splitting.assign import make_assigner
from kilnworks.components.sources.splitting.splits import ByTime
from kilnworks.components.starting.start import start
from kilnworks.schemas.errors import DataUnreadable

R = random.Random(0)
DAYS = [date(1998, 1, 1) + timedelta(days=8 * k) for k in range(200)]


def first_look(tmp_path, values, **options):
    frame = pl.DataFrame(
        {
            "when": values,
            "size": [round(R.uniform(20, 80), 2) for _ in values],
            "tone": [R.choice(["red", "blue", "green"]) for _ in values],
            "sold": [R.choice(["no", "yes"]) for _ in values],
        }
    )
    frame.write_csv(tmp_path / "visits.csv")
    return start("t", str(tmp_path / "visits.csv"), label="sold", **options)


def said(recipe, what):
    return [f"{'! ' if d.flagged else ''}{d.choice} ({d.why})" for d in recipe.decisions if d.what == what]


def parts(recipe) -> dict[str, list[datetime]]:
    wanted = Wanted(contract_columns(recipe.contract), frozenset(recipe.contract.ignore))
    assigner = make_assigner(recipe.split, recipe.contract, recipe.source, wanted)
    found: dict[str, list[datetime]] = {"train": [], "val": [], "test": []}
    for frame in recipe.source.frames(wanted):
        for name, rows in assigner.assign(frame, None).items():
            found[name] += rows["when"].to_list()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("form", ["%m/%d/%y", "%d-%b-%y", "%b %d, %Y", "%d/%m/%Y", "%m/%d/%Y %I:%M %p", "%Y%m%d"])
def test_the_latest_rows_judge_whatever_way_dates_are_written(tmp_path, form):
    days = R.sample(DAYS, len(DAYS))
    recipe = first_look(tmp_path, [day.strftime(form) for day in days])
    assert isinstance(recipe.split, ByTime) and recipe.contract.time == "when"
    known = [datetime(day.year, day.month, day.day) for day in DAYS]
    found = parts(recipe)
    assert [sorted(found[name]) for name in ("train", "val", "test")] == [known[:160], known[160:180], known[180:]]
    assert any(form in line for line in said(recipe, "dates"))


@pytest.mark.slow
def test_two_digit_years_are_said_aloud(tmp_path):
    recipe = first_look(tmp_path, [day.strftime("%m/%d/%y") for day in DAYS])
    assert any(line.startswith("! when: two-digit years are 1969 to 2068") for line in said(recipe, "dates"))
    assert said(recipe, "time") == ["when (rows are sorted by it)"]


@pytest.mark.slow
def test_sorted_is_said_of_sorted_rows_alone(tmp_path):
    recipe = first_look(tmp_path, [day.isoformat() for day in R.sample(DAYS, len(DAYS))])
    assert said(recipe, "time") == ["when (it holds dates and is named so)"]
    asked = first_look(tmp_path, [day.isoformat() for day in R.sample(DAYS, len(DAYS))], time="when")
    assert said(asked, "time") == ["when (as asked)"]


@pytest.mark.slow
def test_dates_that_may_be_the_time_column_are_named(tmp_path):
    frame = pl.DataFrame(
        {
            "signed": [day.strftime("%d.%m.%Y") for day in R.sample(DAYS, len(DAYS))],
            "paid": [day.strftime("%d.%m.%Y") for day in R.sample(DAYS, len(DAYS))],
            "size": [R.random() for _ in DAYS],
            "sold": [R.choice(["no", "yes"]) for _ in DAYS],
        }
    )
    frame.write_csv(tmp_path / "visits.csv")
    (line,) = said(start("t", str(tmp_path / "visits.csv"), label="sold"), "split")
    assert "not by time; --time signed or paid lets the latest rows judge" in line


@pytest.mark.slow
def test_rows_that_are_nearly_sorted_are_called_so(tmp_path):
    days = [date(2001, 1, 1) + timedelta(days=k) for k in range(3000)]
    days[1500], days[1501] = days[1501], days[1500]
    recipe = first_look(tmp_path, [day.isoformat() for day in days])
    assert said(recipe, "time") == ["when (rows follow it but for 1 of 2,999 steps)"]


@pytest.mark.slow
def test_what_reads_both_ways_is_said_with_both_readings_and_how_to_change_it(tmp_path):
    early = [day for day in DAYS if day.day <= 12]
    recipe = first_look(tmp_path, [day.strftime("%m/%d/%Y") for day in R.sample(early * 2, 2 * len(early))])
    (line,) = said(recipe, "dates")
    assert line.startswith("! when: read as %m/%d/%Y (every row also reads as %d/%m/%Y")
    assert "`dates: {when: ...}` in the contract" in line


@pytest.mark.slow
def test_contradictory_rows_and_impossible_days_are_refused_with_their_rows(tmp_path):
    texts = [day.strftime("%d/%m/%Y") for day in DAYS]
    with pytest.raises(DataUnreadable, match="in two ways"):
        first_look(tmp_path, [*texts, "02/13/2024"])
    with pytest.raises(DataUnreadable, match=r"'31/04/2024' \(line 202 of"):
        first_look(tmp_path, [*texts, "31/04/2024"])


@pytest.mark.slow
def test_numbers_since_1970_are_named_with_their_unit(tmp_path):
    recipe = first_look(tmp_path, [1_704_067_200_000 + 3_600_000 * k for k in range(200)])
    assert recipe.contract.dates["when"].format == "epoch ms" and recipe.contract.time == "when"
    assert said(recipe, "dates")[0].startswith("! when: milliseconds since 1970 (1704067200000 is 2024-01-01 UTC")
    assert max(parts(recipe)["train"]) < min(parts(recipe)["val"])


@pytest.mark.slow
def test_days_of_a_spreadsheet_are_flagged_and_offsets_are_said(tmp_path):
    serials = first_look(tmp_path, [45_292 + R.randrange(300) for _ in range(200)])
    assert said(serials, "dates?")[0].startswith("! when: numbers like the days of a spreadsheet")
    mixed = [f"{day}T05:00:00{('Z', '+02:00', '')[k % 3]}" for k, day in enumerate(DAYS)]
    assert said(first_look(tmp_path, mixed), "dates") == [
        "! when: moved to UTC (66 of 200 have no offset and are taken for UTC)"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lambda k: f"PT{k}M", "durations"),
        (lambda k: f"{1 + k % 28}. {('Januar', 'März', 'Mai', 'Dezember')[k % 4]} {1900 + k // 2}", "not English"),
        (lambda k: f"{k // 60:02d}:{k % 60:02d}:07", "times of day"),
    ],
)
def test_other_texts_about_time_are_left_out_in_words(tmp_path, text, words):
    recipe = first_look(tmp_path, [text(k) for k in range(200)])
    assert "when" not in recipe.contract.features
    (line,) = said(recipe, "left out")
    (split,) = said(recipe, "split")
    dates = words == "not English"
    assert words in line and line.startswith("! ") is dates
    assert ("! by hash (when: like dates, and not read as such" in split) is dates
    assert ("there is no time column" in split) is not dates


@pytest.mark.slow
def test_an_hour_without_minutes_is_a_moment(tmp_path):
    """As NumPy writes moments of whole hours."""
    hours = [f"{datetime(2024, 1, 1) + timedelta(hours=k):%Y-%m-%dT%H}" for k in range(200)]
    assert first_look(tmp_path, hours).contract.time == "when"


@pytest.mark.slow
def test_typed_times_and_durations_are_left_out_in_words_and_dates_of_zeros_are_missing(tmp_path):
    moments = [datetime(2024, 1, 1) + timedelta(minutes=17 * k) for k in range(200)]
    frame = pl.DataFrame(
        {
            "at": [m.time() for m in moments],
            "took": [timedelta(minutes=k) for k in range(200)],
            "size": [R.random() for _ in moments],
            "sold": [R.choice(["no", "yes"]) for _ in moments],
        }
    )
    frame.write_parquet(tmp_path / "visits.parquet")
    lines = said(start("t", str(tmp_path / "visits.parquet"), label="sold"), "left out")
    assert [line.split(":")[0] for line in lines] == [
        "at (times of day, which are not read as numbers",
        "took (durations, which are not read as numbers",
    ]
    zeros = first_look(tmp_path, ["0000-00-00" if k % 50 == 9 else day.isoformat() for k, day in enumerate(DAYS)])
    assert said(zeros, "dates") == ["when: 0000-00-00 means missing (4 of 200 rows)"]


@pytest.mark.slow
def test_a_date_follows_another_column_and_says_so(tmp_path):
    frame = pl.DataFrame(
        {
            "made": [d.strftime("%d/%m/%Y") for d in R.sample([d for d in DAYS if d.day <= 12] * 4, 200)],
            "paid": [d.strftime("%d/%m/%Y") for d in R.sample(DAYS, 200)],
            "size": [R.random() for _ in DAYS],
            "sold": [R.choice(["no", "yes"]) for _ in DAYS],
        }
    )
    frame.write_csv(tmp_path / "orders.csv")
    recipe = start("t", str(tmp_path / "orders.csv"), label="sold")
    assert recipe.contract.dates["made"].format == "%d/%m/%Y"
    assert any(line.startswith("! made: read as %d/%m/%Y") and "as in paid" in line for line in said(recipe, "dates"))


@pytest.mark.slow
def test_several_offsets_are_named_aloud(tmp_path):
    texts = [f"{day}T05:00:00{'+02:00' if k % 4 else '-05:00'}" for k, day in enumerate(DAYS)]
    [line] = said(first_look(tmp_path, texts), "dates")
    assert line.startswith("! when: moved to UTC") and "'+02:00' in 150 rows, '-05:00' in 50 rows" in line


def test_few_times_of_day_are_categories_and_that_is_said(tmp_path):
    recipe = first_look(tmp_path, [f"{8 + k % 10}:00 AM" for k in range(200)])
    assert said(recipe, "dates?") == [
        "! when: taken as categories (times of day or durations ('8:00 AM'), which are not read as numbers: "
        "write them as seconds or hours)"
    ]
