"""One file against one contract: what is said, how it is printed, and that nothing ends in a traceback."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.quality.screening.files import large
from kilnworks.components.quality.screening.files.text_file import inspect_text
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain, judge, suspicious
from kilnworks.components.quality.stats.memory import inflation
from kilnworks.components.quality.stats.tails import bounds
from kilnworks.pipelines.cli.contract import contract_app
from kilnworks.schemas.contract import Contract, Feature, Label, dump_contract
from tests.quality.clean_sources import orders

ORDER = "rows are in no order of this column"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with ``clean.csv``, ``contract.yaml`` and ``fresh.csv``."""
    folder = tmp_path_factory.mktemp("check")
    orders(2000, 0).to_csv(folder / "clean.csv", index=False)
    orders(600, 1).to_csv(folder / "fresh.csv", index=False)
    (folder / "contract.yaml").write_text(dump_contract(infer_contract(folder / "clean.csv", label="returned")))
    return folder


def _run(*arguments):
    return CliRunner().invoke(contract_app, [str(a) for a in arguments])


def _spoiled(home, tmp_path, change):
    frame = change(pl.read_csv(home / "fresh.csv", infer_schema=False))
    frame.write_csv(tmp_path / "spoiled.csv")
    result = _run("check", home / "contract.yaml", tmp_path / "spoiled.csv", "--json")
    return result.exit_code, json.loads(result.stdout)["failures"]


@pytest.mark.slow
def test_fresh_rows_and_the_clean_file_itself_pass(home):
    for name in ("fresh.csv", "clean.csv"):
        result = _run("check", home / "contract.yaml", home / name, "--json")
        assert (result.exit_code, json.loads(result.stdout)) == (0, {"success": True, "failures": []})


def test_a_failure_names_column_rule_and_severity(home, tmp_path):
    code, failures = _spoiled(home, tmp_path, lambda f: f.drop("total"))
    assert code == 1
    assert {"column": "total", "rule": "column is missing", "severity": "critical"} in failures


def test_a_warning_alone_ends_with_0(home, tmp_path):
    code, failures = _spoiled(home, tmp_path, lambda f: f.with_columns(extra=pl.lit("x")))
    assert code == 0
    assert failures == [{"column": "extra", "rule": "column is new", "severity": "warning"}]


def test_the_table_for_a_person_shows_rows(home, tmp_path):
    frame = pl.read_csv(home / "fresh.csv", infer_schema=False)
    frame.with_columns(country=pl.when(pl.int_range(600) > 570).then(pl.lit("ZZ")).otherwise("country")).write_csv(
        tmp_path / "s.csv"
    )
    result = _run("check", home / "contract.yaml", tmp_path / "s.csv")
    assert result.exit_code == 1
    assert "ZZ" in result.stdout and "572" in result.stdout and "critical" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"order_id,total\n",
        b"\x00\x01\x02" * 999,
        b"PAR1 and nothing else",
        b"\x1f\x8b\x08",
        b"\xff\xfe",
        b"{",
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_what_cannot_be_read_is_a_failure_and_no_traceback(home, tmp_path, content, suffix):
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(content)
    result = _run("check", home / "contract.yaml", path, "--json")
    assert (result.exit_code == 1 and result.exception is None) or isinstance(result.exception, SystemExit)
    tree = json.loads(result.stdout)
    assert tree["success"] is False and tree["failures"][0]["severity"] == "critical"


def test_no_file_is_a_failure(home):
    assert json.loads(_run("check", home / "contract.yaml", home / "none.csv", "--json").stdout)["success"] is False


@pytest.mark.slow
def test_a_rule_can_be_switched_off(home):
    contract = infer_contract(home / "clean.csv", label="returned")
    assert contract.reference is not None
    frame = pl.read_csv(home / "fresh.csv", infer_schema=False).drop("note")
    frame.write_csv(home / "no_note.csv")
    off = contract.reference.model_copy(update={"off": ("note: column is missing",)})
    assert not check_file(contract, home / "no_note.csv").success
    assert check_file(contract.model_copy(update={"reference": off}), home / "no_note.csv").success


@pytest.mark.slow
def test_sensitive_values_are_not_shown(home, tmp_path):
    contract = infer_contract(home / "clean.csv", label="returned")
    hidden = contract.features["city"].model_copy(update={"sensitive": True})
    contract = contract.model_copy(update={"features": {**contract.features, "city": hidden}})
    frame = pl.read_csv(home / "fresh.csv", infer_schema=False).with_columns(city=pl.lit("Atlantis"))
    frame.write_csv(tmp_path / "s.csv")
    failures = check_file(contract, tmp_path / "s.csv").failures
    assert any(f.column == "city" for f in failures)
    assert not any("Atlantis" in f.seen + f.rule for f in failures if f.column == "city")


HAND = Contract(
    name="hand",
    key="id",
    features={
        "a": Feature(dtype="float", min=0, max=10),
        "b": Feature(dtype="string", allowed=("x", "y"), nullable=True, max_missing=0.3),
        "c": Feature(dtype="string", regex=r"[A-Z]{2}\d", min_length=3, max_length=3, severity="warning"),
    },
    label=Label(name="y", dtype="int", classes=(0, 1)),
)


def test_a_contract_written_by_hand_is_checked_without_statistics(tmp_path):
    path = tmp_path / "hand.csv"
    path.write_text("id,a,b,c,y\n1,1,x,AB1,0\n2,11,q,ab1,1\n2,foo,,AB12,3\n4,,,AB1,1\n")
    failures = {(f.column, f.rule): (f.severity, f.rows) for f in check_file(HAND, path).failures}
    assert failures[("a", "at most 10")] == ("critical", (2,))
    assert failures[("a", "not null")] == ("critical", (4,))
    assert failures[("a", "values are of type float")] == ("critical", (3,))
    assert failures[("b", "one of the allowed values")] == ("critical", (2,))
    assert failures[("b", "at most this share of missing values")][0] == "critical"
    assert failures[("c", "matches [A-Z]{2}\\d")] == ("warning", (2,))
    assert failures[("c", "at most 3 characters")] == ("warning", (3,))
    assert failures[("id", "keys are unique")] == ("critical", (2, 3))
    assert failures[("y", "one of the allowed values")] == ("critical", (3,))
    path.write_text("id,a,b,c,y\n1,1,x,AB1,0\n2,5,y,CD2,1\n")
    assert check_file(HAND, path).failures == ()


def test_slices_give_the_same_counts_as_the_whole(tmp_path, monkeypatch):
    r = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"id": range(5000), "a": r.uniform(0, 10.2, 5000), "b": r.choice(["x", "y", "z"], 5000, p=[0.5, 0.49, 0.01])}
    ).with_columns(c=pl.lit("AB1"), y=pl.lit(1))
    frame.write_parquet(tmp_path / "f.parquet", row_group_size=700)
    contract = HAND.model_copy(update={"key": None})
    whole = check_file(contract, tmp_path / "f.parquet")
    monkeypatch.setattr(large, "ROWS", 1000)
    monkeypatch.setattr(large, "SLICE", 700)
    assert check_file(contract, tmp_path / "f.parquet") == whole
    assert {f.rule for f in whole.failures} == {"at most 10", "one of the allowed values"}


def test_evidence_is_corrected_for_the_number_of_tests():
    alone = [Evidence("a", "r", -4.0)]
    among = [*alone, *(Evidence("b", "r", -0.1) for _ in range(1000))]
    assert [f.severity for f in judge(alone)] == ["critical"]
    assert judge(among) == []
    assert [f.severity for f in judge([Evidence("a", "r", -4.0, effect=0.5)])] == ["warning"]
    assert judge([Evidence("a", "r", -200.0, effect=0.01)]) == []
    assert [f.severity for f in judge([suspicious("a", "r"), certain("b", "r")])] == ["critical", "warning"]


def test_facts_about_text():
    _, facts = inspect_text(b"a;b;c\n1;2;3\n4;5\n6;7;8;9\n1;2", None)
    assert facts.delimiter == ";" and facts.ragged == (2, 3, 4) and facts.last_short and not facts.ends_with_newline
    _, facts = inspect_text('\ufeffa,b\n"x,\n1",2\n'.encode(), None)
    assert facts.encoding == "utf-8-sig" and facts.ragged_count == 0 and facts.quotes
    data, facts = inspect_text("a,b\ncafé,1\n".encode("cp1252"), ",")
    assert facts.encoding == "not utf-8" and data.decode() == "a,b\ncafé,1\n"


def test_bounds_are_crossed_by_hardly_any_clean_row():
    r = np.random.default_rng(1)
    draws = {"normal": r.normal, "exponential": r.exponential, "lognormal": lambda size: r.lognormal(0, 1, size)}
    for name, draw in draws.items():
        low, high = bounds(draw(size=2000))
        fresh = draw(size=200_000)
        assert ((fresh < low) | (fresh > high)).mean() < 1e-4, name
        assert high < 60 * np.quantile(fresh, 0.99), name


def test_neighbours_that_resemble_each_other_count_for_less():
    r = np.random.default_rng(2)
    noise = r.normal(size=5000)
    series = np.zeros(5000)
    for i in range(1, 5000):
        series[i] = 0.9 * series[i - 1] + noise[i]
    assert inflation(noise) < 2.5
    assert 9 < inflation(series) < 45, "the exact value for an autoregression of 0.9 is 19"


@pytest.mark.slow
def test_a_sorted_file_is_shown(home, tmp_path):
    code, failures = _spoiled(home, tmp_path, lambda f: f.sort("weight_kg"))
    assert code == 0
    assert {"column": "weight_kg", "rule": ORDER, "severity": "warning"} in failures
    code, failures = _spoiled(home, tmp_path, lambda f: f.sort("returned"))
    assert {"column": "returned", "rule": ORDER, "severity": "warning"} in failures


def test_many_equal_values_are_no_order(tmp_path):
    r = np.random.default_rng(5)

    def draw(rows):
        extras = np.where(r.random(rows) < 0.6, 0.0, r.gamma(2, 30, rows).round(2))
        return pl.DataFrame({"extras": extras, "rare": (r.random(rows) < 0.005).astype(int), "x": r.normal(size=rows)})

    draw(2000).write_csv(tmp_path / "clean.csv")
    contract = infer_contract(tmp_path / "clean.csv", label="rare")
    for _ in range(5):
        draw(2000).write_csv(tmp_path / "b.csv")
        assert check_file(contract, tmp_path / "b.csv").failures == ()


def test_a_row_of_totals_stops(home, tmp_path):
    def with_totals(f):
        sums = f.select(pl.col("quantity", "total").cast(pl.Float64).sum().round(2).cast(pl.String))
        return pl.concat([f, sums.with_columns(order_id=pl.lit("Total"))], how="diagonal")

    code, failures = _spoiled(home, tmp_path, with_totals)
    assert code == 1 and {"column": None, "rule": "the last row holds totals", "severity": "critical"} in failures


def test_old_rows_with_one_column_changed_are_known(home, tmp_path):
    old = pl.read_csv(home / "clean.csv", infer_schema=False).head(150)

    def mixed(f):
        changed = old.with_columns(weight_kg=pl.lit("1.234"), order_id=f["order_id"].head(150))
        return pl.concat([changed, f.tail(450)])

    code, failures = _spoiled(home, tmp_path, mixed)
    rule = "rows of the clean file come back in part"
    assert code == 1 and {"column": None, "rule": rule, "severity": "critical"} in failures


@pytest.mark.slow
def test_days_with_many_rows_each_go_on(tmp_path):
    r = np.random.default_rng(6)

    def days(first, count):
        day = np.repeat(np.arange(first, first + count), 30)
        start = np.datetime64("2024-01-01")
        return pl.DataFrame(
            {"day": (start + day).astype(str), "guests": r.poisson(50, day.size), "shop": np.tile(np.arange(30), count)}
        )

    days(0, 60).write_csv(tmp_path / "clean.csv")
    contract = infer_contract(tmp_path / "clean.csv", label="guests")
    assert contract.time == "day"
    days(65, 20).write_csv(tmp_path / "b.csv")
    assert check_file(contract, tmp_path / "b.csv").failures == ()


def test_labels_not_known_yet_at_the_end_stop(home, tmp_path):
    late = pl.int_range(pl.len()) > 400
    code, failures = _spoiled(
        home, tmp_path, lambda f: f.with_columns(returned=pl.when(late).then(pl.lit("no")).otherwise("returned"))
    )
    stuck = {"column": "returned", "rule": "a value is stuck over many rows", "severity": "critical"}
    assert code == 1 and stuck in failures


def test_bytes_that_are_no_text_stop(home, tmp_path):
    data = (home / "fresh.csv").read_bytes()
    at = data.index(b"\n", 70_000) if len(data) > 70_000 else len(data) - 2
    (tmp_path / "b.csv").write_bytes(data[:at] + b"\0" * 3 + data[at:])
    result = _run("check", home / "contract.yaml", tmp_path / "b.csv", "--json")
    failures = json.loads(result.stdout)["failures"]
    assert {"column": None, "rule": "the file is text throughout", "severity": "critical"} in failures


def test_times_of_day_are_no_keys_because_sixty_of_them_differ(tmp_path):
    r = np.random.default_rng(8)
    minutes, codes = r.permutation(1440), r.permutation(1500)

    def rows(taken):
        clock = [f"{m // 60:02d}:{m % 60:02d}" for m in minutes[taken]]
        code = [f"{'ABCDE'[c % 5]}{c // 5:03d}" for c in codes[r.permutation(taken)]]
        x = r.normal(size=len(taken))
        return pl.DataFrame({"clock": clock, "code": code, "x": x, "y": np.where(x > 0, "a", "b")})

    rows(np.arange(60)).write_csv(tmp_path / "clean.csv")
    contract = infer_contract(tmp_path / "clean.csv", label="y")
    assert contract.key is None
    rows(np.arange(40, 120)).write_csv(tmp_path / "b.csv")
    assert check_file(contract, tmp_path / "b.csv").success


def test_equal_rows_of_a_draw_with_replacement_are_no_block(tmp_path):
    r = np.random.default_rng(9)

    def rows(n):
        return pl.DataFrame({"a": r.integers(1, 6, n), "b": r.integers(0, 30, n), "y": r.integers(0, 2, n)})

    rows(60).write_csv(tmp_path / "clean.csv")
    contract = infer_contract(tmp_path / "clean.csv", label="y")
    for n in (30, 200) * 5:
        rows(n).sample(n, with_replacement=True, seed=n).write_csv(tmp_path / "b.csv")
        assert check_file(contract, tmp_path / "b.csv").success


def test_one_value_far_outside_in_a_small_file_is_a_warning(home, tmp_path):
    first = pl.int_range(pl.len()) == 3
    code, failures = _spoiled(
        home, tmp_path, lambda f: f.head(60).with_columns(weight_kg=pl.when(first).then(900).otherwise("weight_kg"))
    )
    assert code == 0 and {f["column"] for f in failures} >= {"weight_kg"}
