"""Columns that advance: found in clean rows, written into the contract, judged by their steps."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kilnworks.components.quality.contracts.diff import diff_contracts
from kilnworks.components.quality.contracts.evolve import evolve_contract
from kilnworks.components.quality.contracts.gx_suite import export_gx
from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.contracts.json_schema import export_json_schema
from kilnworks.components.quality.contracts.tfmd import export_schema
from kilnworks.components.quality.contracts.tfmd_read import import_schema
from kilnworks.components.quality.drift.compare import compare
from kilnworks.components.quality.drift.report import advancing
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.quality.screening.columns.advance import ordered_texts, usual_outline
from kilnworks.components.quality.screening.judgement import advances_of
from kilnworks.components.quality.stats.summary import summarise
from kilnworks.pipelines.cli.contract import contract_app
from kilnworks.schemas.contract import Advances, Contract, Feature, dump_contract, parse_contract
from kilnworks.schemas.errors import ContractError
from kilnworks.schemas.reference import DriftThresholds
from tests.quality.clean_sources import orders
from tests.quality.next_period import KINDS


def _series(kind, seed=0):
    return KINDS[kind](np.random.default_rng([seed, *kind.encode()]))


@pytest.fixture(scope="module")
def contract_of(tmp_path_factory):
    """The contract of the first period of a kind, made once."""
    folder, made = tmp_path_factory.mktemp("advances"), {}

    def of(kind):
        if kind not in made:
            series = _series(kind)
            series.first.to_csv(folder / f"{kind}.csv", index=False)
            made[kind] = infer_contract(folder / f"{kind}.csv", label=series.label)
        return made[kind]

    return of


def _check(contract, frame, tmp_path):
    frame.to_csv(tmp_path / "later.csv", index=False)
    return check_file(contract, tmp_path / "later.csv")


def _told(outcome, column):
    return {(f.severity, f.rule) for f in outcome.failures if f.column == column}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "column", "form", "within"),
    [
        ("heat_pump", "meter_kwh", "number", ""),
        ("water_meters", "reading_m3", "number", "household"),
        ("odometers", "odometer", "number", "plate"),
        ("quarter_of_sales", "month", "part", ""),
        ("quarter_of_sales", "weekday", "part", ""),
        ("monthly_file", "load_id", "constant", ""),
        ("pupils", "school_year", "constant", ""),
        ("machines_in_the_field", "firmware", "text", ""),
        ("monthly_books", "month", "cycle", ""),
        ("positions", "seq", "number", "lorry"),
        ("retail_orders", "ordered_at", "date", ""),
    ],
)
def test_each_form_is_found(contract_of, kind, column, form, within):
    found = advances_of(contract_of(kind).reference.statistics)[column]
    assert (found.form, found.within) == (form, within)


@pytest.mark.slow
def test_what_does_not_advance_is_not_found(contract_of):
    assert "born" not in advances_of(contract_of("admissions").reference.statistics)  # births fade out
    assert set(advances_of(contract_of("heat_pump").reference.statistics)) == {
        "measured_at", "meter_kwh", "hours_of_work", "starts",
    }  # fmt: skip


@pytest.mark.slow
def test_the_contract_says_it_in_words(contract_of):
    pump, meters = contract_of("heat_pump"), contract_of("water_meters")
    text = dump_contract(pump)
    line = next(one for one in text.splitlines() if one.strip().startswith("starts:"))
    assert re.search(r"min: 0.0, advances: \{by: time, step: \d", line), line
    assert pump.features["meter_kwh"].max is None and pump.features["meter_kwh"].min == 0
    assert meters.features["reading_m3"].advances.within == "household"
    assert parse_contract(text) == pump


@pytest.mark.slow
def test_numbers_that_drift_have_no_largest_value_and_growing_sets_no_list(contract_of):
    prices = contract_of("daily_prices")
    assert [prices.features[n].max for n in ("open", "high", "low", "close")] == [None] * 4
    assert contract_of("new_products").features["product"].allowed is None


def test_true_is_enough_and_false_is_nothing():
    features = "features: {n: {dtype: int, advances: %s}}\nname: c\n"
    assert parse_contract(features % "true").features["n"].advances == Advances(by="rows")
    assert parse_contract(features % "false").features["n"].advances is None
    assert parse_contract(features % "{by: time, within: car}").features["n"].advances.within == "car"
    with pytest.raises(ContractError, match="by, step, within"):
        parse_contract(features % "{bye: time}")
    with pytest.raises(ContractError, match="not for images"):
        parse_contract("name: c\nfeatures: {i: {dtype: image, shape: [2, 2, 1], advances: true}}")


@pytest.mark.slow
def test_diff_names_the_field_and_evolve_keeps_it(contract_of, tmp_path):
    before = contract_of("heat_pump")
    still = before.features["starts"].model_copy(update={"advances": None})
    after = before.model_copy(update={"features": {**before.features, "starts": still}})
    (change,) = diff_contracts(before, after)
    assert change.path == "features.starts.advances" and change.direction == "tighter"
    _series("heat_pump").between(0, 1).to_csv(tmp_path / "next.csv", index=False)
    evolved = evolve_contract(before, tmp_path / "next.csv").contract
    assert evolved.features["starts"] == before.features["starts"]


@pytest.mark.slow
def test_a_contract_made_before_the_field_means_the_same(tmp_path):
    """Statistics without axis, advances and usual changes: levels of dates are compared as ever."""
    from kilnworks.schemas.reference import Reference, pack_statistics

    orders(800, 0).to_csv(tmp_path / "clean.csv", index=False)
    made = infer_contract(tmp_path / "clean.csv", label="returned")
    old = made.reference.statistics
    for new in ("axis", "ends", "usual", "drifts", "grow"):
        del old[new]
    del old["probes"]["advance"]
    reference = Reference(rows=800, sketch=pack_statistics(old))
    features = {n: f.model_copy(update={"advances": None}) for n, f in made.features.items()}
    contract = parse_contract(dump_contract(made.model_copy(update={"reference": reference, "features": features})))
    assert _check(contract, orders(800, 1), tmp_path).failures == ()
    assert not _check(contract, orders(800, 1).drop(columns="total"), tmp_path).success


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["heat_pump", "water_meters", "quarter_of_sales", "monthly_file", "positions"])
def test_the_next_period_passes(contract_of, kind, tmp_path):
    later = _series(kind).between(0, 1)
    assert _check(contract_of(kind), later, tmp_path).success


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "column", "change", "rule"),
    [
        ("heat_pump", "meter_kwh", lambda s: s * 1000, "jumps far ahead"),
        ("heat_pump", "meter_kwh", lambda s: s - s.iloc[0], "goes on from the last value seen"),
        ("heat_pump", "starts", lambda s: s.where(s.index % 700 != 650, s - 400), "never goes back"),
        ("heat_pump", "starts", lambda s: s.clip(upper=s.quantile(0.6)), "goes on and is not stuck"),
        ("water_meters", "reading_m3", lambda s: s / 1000, "goes on from the last value seen"),
        ("quarter_of_sales", "month", lambda s: s % 12 + 1, "is the month of sold_at"),
        ("positions", "unix_time", lambda s: s * 1000, "values are dates"),
        ("positions", "unix_time", lambda s: s // 1000, "dates before the first one seen"),
    ],
)
def test_a_fault_in_an_advancing_column_is_named(contract_of, kind, column, change, rule, tmp_path):
    later = _series(kind).between(0, 1).reset_index(drop=True)
    outcome = _check(contract_of(kind), later.assign(**{column: change(later[column])}), tmp_path)
    assert ("critical", rule) in _told(outcome, column), outcome.failures


@pytest.mark.slow
@pytest.mark.parametrize("year", ["1970", "2099"])
def test_a_clock_that_is_off_for_a_few_rows_stops_the_file(contract_of, year, tmp_path):
    later = _series("retail_orders").between(0, 1).reset_index(drop=True)
    later.loc[later.index % 200 == 7, "ordered_at"] = pd.Timestamp(f"{year}-01-01")
    found = _told(_check(contract_of("retail_orders"), later, tmp_path), "ordered_at")
    assert {s for s, r in found if "dates" in r} == {"critical"}


@pytest.mark.slow
def test_what_stands_in_the_contract_wins(contract_of, tmp_path):
    """A column of which a person says that it does not advance is not judged by its steps."""
    made = contract_of("heat_pump")
    still = made.features["starts"].model_copy(update={"advances": None})
    contract = made.model_copy(update={"features": {**made.features, "starts": still}})
    later = _series("heat_pump").between(0, 1)
    later = later.assign(starts=later["starts"].to_numpy()[::-1])
    assert "never goes back" in {r for _, r in _told(_check(made, later, tmp_path), "starts")}
    assert "never goes back" not in {r for _, r in _told(_check(contract, later, tmp_path), "starts")}


def test_a_written_contract_needs_no_statistics(tmp_path):
    features = {
        "km": Feature(dtype="int", advances=Advances(by="time", within="car")),
        "car": Feature(dtype="string"),
        "n": Feature(dtype="int", advances=Advances(), severity="warning"),
    }
    contract = Contract(name="cars", time="at", features=features)
    frame = pd.DataFrame(
        {"at": ["2024-01-03", "2024-01-01", "2024-01-02"], "car": ["a", "a", "b"], "km": [9, 5, 7], "n": [1, 3, 2]}
    )
    outcome = _check(contract, frame, tmp_path)
    assert outcome.success and [(f.column, f.rule, f.rows) for f in outcome.failures] == [
        ("n", "never goes back", (3,))
    ]
    assert not _check(contract, frame.assign(km=[4, 5, 7]), tmp_path).success


@pytest.mark.slow
def test_drift_does_not_accuse_a_level_that_moves_on(contract_of):
    contract, series = contract_of("heat_pump"), _series("heat_pump")
    first, later = (pl.from_pandas(f.drop(columns="measured_at")) for f in (series.first, series.between(0, 1)))
    before = summarise(first, contract)
    now = summarise(later, contract, like=before)
    found = {d.feature: d for d in compare(now, before, DriftThresholds(), advancing(contract))}
    assert set(found["starts"].statistics) == {"missing_rate"} and not found["starts"].drifted
    assert {d.feature: d for d in compare(now, before, DriftThresholds())}["starts"].drifted


@pytest.mark.slow
def test_few_rows_are_judged_mildly(contract_of, tmp_path):
    """Any one row of the next period passes."""
    later = _series("retail_orders").between(0, 1)
    for row in (0, 700, len(later) - 1):
        assert _check(contract_of("retail_orders"), later.iloc[[row]], tmp_path).failures == ()


@pytest.mark.slow
def test_the_command_prints_the_words(contract_of, tmp_path):
    (tmp_path / "c.yaml").write_text(dump_contract(contract_of("heat_pump")))
    later = _series("heat_pump").between(0, 1).reset_index(drop=True)
    later.assign(starts=later["starts"] - later["starts"].iloc[0]).to_csv(tmp_path / "b.csv", index=False)
    command = ["check", str(tmp_path / "c.yaml"), str(tmp_path / "b.csv")]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(contract_app, command)
    assert result.exit_code == 1 and "goes on from the last value seen" in result.output


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 99)), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_texts_are_ordered_as_their_numbers_are(versions):
    texts = pl.Series([f"v{a}.{b}" for a, b in versions])
    assert usual_outline(texts) == "v9.9"
    found = ordered_texts(texts, "v9.9")
    assert [versions[i] for i in np.argsort(found, kind="stable")] == sorted(versions)


@pytest.mark.slow
def test_exports_name_what_they_cannot_say_and_a_round_trip_keeps_it():
    feature = Feature(dtype="float", min=0.0, advances=Advances(by="time", within="h", step=1.5))
    contract = Contract(name="c", features={"m": feature, "h": Feature(dtype="string")})
    schema = export_schema(contract)
    assert import_schema(schema.text, "c").contract.features["m"].advances == feature.advances
    for found in (schema.left_out, export_json_schema(contract).left_out, export_gx(contract).left_out):
        assert any(line.startswith("m: it advances") for line in found)


def test_rare_ones_among_zeros_do_not_advance(tmp_path):
    """They go back as often as they rise; of all steps that was below 1 %, so that later files had no range to keep."""
    r = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=4000, freq="2h")
    frame = pd.DataFrame({
        "at": days, "cancelled": (r.random(4000) < 0.005).astype(int), "holiday": (np.arange(4000) // 100 == 30) * 1,
        "meter": np.cumsum(r.random(4000) < 0.5), "price": r.gamma(3, 20, 4000).round(2),
        "late": r.integers(0, 2, 4000),
    })  # fmt: skip
    frame.to_csv(tmp_path / "rows.csv", index=False)
    contract = infer_contract(tmp_path / "rows.csv", label="late")
    assert {n for n, f in contract.features.items() if f.advances is not None} == {"meter"}


def test_a_flag_that_each_group_raises_once_does_not_advance(tmp_path):
    """Its share is to be checked in later files; a meter of each household goes on."""
    r = np.random.default_rng(0)
    n, homes = 4000, 80
    home = r.permutation(np.repeat(np.arange(homes), n // homes))
    frame = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=n, freq="2h"), "home": [f"h{one}" for one in home]})
    visit = frame.groupby("home").cumcount()
    frame["known"] = (visit >= 25).astype(int)
    frame["meter"] = visit * 7 + r.integers(0, 7, n)
    frame["late"] = r.integers(0, 2, n)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    contract = infer_contract(tmp_path / "rows.csv", label="late")
    assert {n: f.advances.within for n, f in contract.features.items() if f.advances is not None} == {"meter": "home"}
