"""The suite that a contract becomes, run by Great Expectations on rows that keep the rules and on spoiled ones."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.quality.expectations.data_docs import write_data_docs
from kilnworks.components.quality.expectations.frames import tensor_columns, to_pandas
from kilnworks.components.quality.expectations.rule import WHOLE
from kilnworks.components.quality.expectations.run_gx import check_splits, suites_of
from kilnworks.components.quality.rows.batches import rows_of_frame
from kilnworks.schemas.contract import Contract, Feature, parse_contract
from kilnworks.schemas.errors import ContractError, UnknownName
from tests.effort import tries

pytestmark = pytest.mark.slow

CONTRACT = parse_contract(
    """
    name: all_kinds
    key: id
    features:
      number: {dtype: float, min: -5, max: 5, nullable: true, max_missing: 0.5, description: Some number., unit: m}
      free: {dtype: float}
      count: {dtype: int, min: 0, max: 9}
      gappy: {dtype: int, nullable: true, allowed: [1, 2, 3]}
      letter: {dtype: string, allowed: [a, b, c]}
      word: {dtype: string, min_length: 2, max_length: 4, regex: "[a-z]+$"}
      flag: {dtype: bool}
      maybe: {dtype: bool, nullable: true}
      when: {dtype: datetime, nullable: true}
    label: {name: y, dtype: int, classes: [0, 1]}
    """
)
RULES = settings(max_examples=tries(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def clean(rows: int = 40, seed: int = 0) -> pl.DataFrame:
    """Rows that keep every rule."""
    r = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "id": [f"r{n}" for n in range(rows)],
            "number": [None if n % 5 == 0 else float(v) for n, v in enumerate(r.uniform(-5, 5, rows))],
            "free": r.normal(0, 1e6, rows),
            "count": r.integers(0, 10, rows),
            "gappy": [None if n % 4 == 0 else int(v) for n, v in enumerate(r.integers(1, 4, rows))],
            "letter": np.array(["a", "b", "c"])[r.integers(0, 3, rows)],
            "word": ["".join(chr(97 + c) for c in r.integers(0, 26, 2 + n % 3)) for n in range(rows)],
            "flag": r.integers(0, 2, rows) == 1,
            "maybe": [None if n % 3 == 0 else bool(n % 2) for n in range(rows)],
            "when": pl.Series([None if n % 2 else n * 86_400_000_000 for n in range(rows)]).cast(pl.Datetime("us")),
            "y": [n % 2 for n in range(rows)],
        }
    )


def check(frame: pl.DataFrame, contract: Contract = CONTRACT, split: str = "train"):
    """Outcomes by rule of one split, the whole's among them."""
    checked = check_splits({split: rows_of_frame(frame)}, contract, suites_of(contract, (split,)))
    return {outcome.rule: outcome for one in checked for outcome in one.outcomes}


def broken(frame: pl.DataFrame, contract: Contract = CONTRACT) -> set[str]:
    return {name for name, outcome in check(frame, contract).items() if not outcome.success}


@RULES
@given(rows=st.integers(12, 60), seed=st.integers(0, 10_000))
def test_rows_that_keep_the_rules_pass(rows, seed):
    assert broken(clean(rows, seed)) == set()


SPOILED = {
    "number: range": ("number", [-5.001, 6.0, float("inf")]),
    "free: range": ("free", [float("inf"), float("-inf")]),
    "free: present": ("free", [None]),
    "count: range": ("count", [-1, 10, 2**40]),
    "count: present": ("count", [None]),
    "gappy: allowed": ("gappy", [0, 4]),
    "letter: allowed": ("letter", ["d", "A", " a"]),
    "letter: present": ("letter", [None]),
    "word: length": ("word", ["q", "abcde"]),
    "word: pattern": ("word", ["a1", "1a", "A_"]),
    "flag: present": ("flag", [None]),
    "y: allowed": ("y", [2, -1]),
    "y: present": ("y", [None]),
    "id: present": ("id", [None]),
}


@settings(RULES, max_examples=tries(8))
@given(data=st.data())
def test_one_spoiled_cell_is_found_and_nothing_else_is_blamed(data):
    rule = data.draw(st.sampled_from(sorted(SPOILED)))
    column, values = SPOILED[rule]
    value, row = data.draw(st.sampled_from(values)), data.draw(st.integers(0, 39))
    frame = clean(40)
    cells = frame[column].to_list()
    cells[row] = value
    outcomes = check(frame.with_columns(pl.Series(column, cells, dtype=frame.schema[column])))
    found = {name for name, outcome in outcomes.items() if not outcome.success}
    assert found == {rule}
    assert (outcomes[rule].unexpected, outcomes[rule].checked) == (1, 40)
    assert not outcomes[rule].could_not_check
    if value is not None and column != "free":
        assert str(value) in map(str, outcomes[rule].samples)


def test_key_twice_names_it():
    outcome = check(pl.concat([clean(20), clean(1)]))["id: unique"]
    assert not outcome.success and outcome.unexpected == 2 and outcome.samples == ("r0",)


def test_too_much_missing():
    outcome = check(clean().with_columns(number=pl.lit(None, dtype=pl.Float64)))["number: share missing"]
    assert not outcome.success and outcome.unexpected == 40


def test_all_missing_of_a_nullable_column():
    assert broken(clean().with_columns(maybe=pl.lit(None, dtype=pl.Boolean))) == {"maybe: not all missing"}


def test_class_that_is_not_there():
    outcome = check(clean().with_columns(y=pl.lit(1)))["y: every class"]
    assert not outcome.success and outcome.severity == "critical"


def test_wrong_dtype_is_found():
    assert "count: dtype" in broken(clean().with_columns(pl.col("count").cast(pl.String)))
    assert "letter: dtype" in broken(clean().with_columns(letter=pl.lit(1)))


@pytest.mark.parametrize("gaps", [False, True])
def test_dtypes_hold_with_and_without_gaps(gaps):
    frame = clean(30)
    if not gaps:
        frame = frame.with_columns(
            gappy=pl.col("gappy").fill_null(1),
            maybe=pl.col("maybe").fill_null(True),
            when=pl.lit(0).cast(pl.Datetime("us")),
        )
    assert broken(frame) == set()
    pandas = to_pandas(frame, CONTRACT)
    assert str(pandas["gappy"].dtype) == ("Int64" if gaps else "int64")


def test_large_whole_numbers_with_gaps_stay_exact():
    contract = parse_contract("{name: x, features: {n: {dtype: int, nullable: true, unique: true}}}")
    frame = pl.DataFrame({"n": [2**60, 2**60 + 1, None]})
    assert check(frame, contract)["n: unique"].success


def test_same_key_in_two_splits():
    suites = suites_of(CONTRACT, ("train", "test"))
    checked = check_splits(
        {"train": rows_of_frame(clean(20)), "test": rows_of_frame(clean(30, seed=1))}, CONTRACT, suites
    )
    outcome = next(o for one in checked for o in one.outcomes if o.rule == "id: in one split")
    assert not outcome.success and outcome.split == WHOLE


def test_an_empty_split_is_named_and_the_rest_is_checked():
    suites = suites_of(CONTRACT, ("train", "val"))
    checked = check_splits(
        {"train": rows_of_frame(clean(20)), "val": rows_of_frame(clean(20).clear())}, CONTRACT, suites
    )
    found = [o.rule for one in checked for o in one.outcomes if not o.success]
    assert found == ["rows: no empty split"]


def test_regression_label():
    contract = parse_contract("{name: x, features: {a: {dtype: int}}, label: {name: y, dtype: float, min: 0}}")
    frame = pl.DataFrame({"a": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
    assert broken(frame, contract) == set()
    assert broken(frame.with_columns(y=pl.lit(2.0)), contract) == {"y: varies"}
    assert broken(frame.with_columns(y=pl.Series([1.0, 2.0, float("inf")])), contract) == {"y: range"}
    assert broken(frame.with_columns(y=pl.Series([1.0, 2.0, None])), contract) == {"y: present"}


def test_row_count():
    contract = parse_contract("{name: x, features: {a: {dtype: int}}, rows: {min: 5, max: 6}}")
    for rows, good in ((4, False), (5, True), (6, True), (7, False)):
        assert check(pl.DataFrame({"a": range(rows)}), contract)["rows: count"].success is good


IMAGE = parse_contract(
    "{name: x, features: {i: {dtype: image, shape: [2, 3, 1], min: 0, max: 16}, t: {dtype: float, shape: [2]}}}"
)


def images(pixels: np.ndarray, tensor: np.ndarray | None = None) -> pl.DataFrame:
    tensor = np.zeros((len(pixels), 2), dtype=np.float32) if tensor is None else tensor
    return pl.DataFrame([pl.Series("i", pixels), pl.Series("t", tensor)])


def test_images():
    good = np.random.default_rng(0).integers(0, 17, (9, 6), dtype=np.uint8)
    assert broken(images(good), IMAGE) == set()
    bright = good.copy()
    bright[4, 2] = 17
    assert broken(images(bright), IMAGE) == {"i: largest element"}
    assert check(images(bright), IMAGE)["i: largest element"].unexpected == 1
    assert broken(images(good[:, :5]), IMAGE) == {"i: size"}
    assert broken(images(good.astype(np.float32)), IMAGE) == {"i: size", "i: dtype"}
    assert broken(images(good, np.array([[0, np.inf]] * 9, dtype=np.float32)), IMAGE) == {"t: largest element"}


def test_profile_columns_of_an_image():
    feature = Feature(dtype="image", shape=(2, 3, 1))
    frame = pl.DataFrame(tensor_columns(pl.Series("i", np.array([[0, 9, 1, 2, 3, 4]], dtype=np.uint8)), feature))
    assert frame.to_dicts() == [
        {
            "i__dtype": "uint8",
            "i__size": 6,
            "i__height": 2,
            "i__width": 3,
            "i__channels": 1,
            "i__min": 0.0,
            "i__max": 9.0,
        }
    ]


def own(check: str) -> Contract:
    return parse_contract(f"{{name: x, features: {{a: {{dtype: int}}}}, checks: [{check}]}}")


def test_own_checks_and_their_severity():
    contract = own(
        "{expectation: expect_column_mean_to_be_between, kwargs: {column: a, min_value: 5}, severity: warning}"
    )
    outcome = check(pl.DataFrame({"a": [1, 2, 3]}), contract)["check 1: a"]
    assert not outcome.success and outcome.severity == "warning" and outcome.observed == 2.0
    assert check(pl.DataFrame({"a": [5, 6]}), contract)["check 1: a"].success


@pytest.mark.parametrize(
    "check_text",
    [
        "{expectation: expect_column_kl_divergence_to_be_less_than, kwargs: {column: a, threshold: 9,"
        " partition_object: {values: [1, 2], weights: [0.5, 0.5]}}}",
        "{expectation: expect_column_value_z_scores_to_be_less_than,"
        " kwargs: {column: a, threshold: 9, double_sided: true}}",
        "{expectation: expect_column_quantile_values_to_be_between, kwargs: {column: a,"
        " quantile_ranges: {quantiles: [0.5], value_ranges: [[0, 9]]}}}",
    ],
)
def test_expectations_that_need_the_late_modules(check_text):
    outcome = check(pl.DataFrame({"a": [1, 2, 1, 2]}), own(check_text))["check 1: a"]
    assert outcome.success, outcome
    json.dumps(outcome.record(), allow_nan=False)


def test_unknown_argument_offers_the_nearest():
    contract = own("{expectation: expect_column_mean_to_be_between, kwargs: {column: a, min_valu: 5}}")
    with pytest.raises(ContractError) as error:
        suites_of(contract, ("train",))
    assert "min_value" in error.value.fix


def test_missing_argument_and_wrong_name():
    with pytest.raises(ContractError):
        suites_of(own("{expectation: expect_column_mean_to_be_between, kwargs: {min_value: 5}}"), ("train",))
    with pytest.raises(UnknownName):
        suites_of(own("{expectation: expect_column_to_sing}"), ("train",))


def test_a_check_that_crashes_is_not_bad_data():
    contract = own("{expectation: expect_column_mean_to_be_between, kwargs: {column: nowhere, min_value: 5}}")
    outcome = check(pl.DataFrame({"a": [1]}), contract)["check 1: nowhere"]
    assert outcome.could_not_check and not outcome.success and "nowhere" in (outcome.exception or "")
    assert "could not check" in outcome.line()


SECRET = parse_contract(
    "{name: x,"
    " features: {who: {dtype: string, allowed: [a], sensitive: true}, n: {dtype: int, max: 5, sensitive: true}},"
    " checks: [{expectation: expect_column_max_to_be_between, kwargs: {column: n, max_value: 5}}]}"
)


def test_sensitive_values_are_masked_everywhere(tmp_path):
    frame = pl.DataFrame({"who": ["Ada", "Bob"], "n": [987654, 3]})
    checked = check_splits({"train": rows_of_frame(frame)}, SECRET, suites_of(SECRET, ("train",)))
    write_data_docs(checked, SECRET, tmp_path)
    outcomes = [o for one in checked for o in one.outcomes if not o.success]
    assert {o.rule for o in outcomes} == {"who: allowed", "n: range", "check 1: n"}
    everything = json.dumps([o.record() for o in outcomes]) + "".join(p.read_text() for p in tmp_path.iterdir())
    assert not [word for word in ("Ada", "Bob", "987654", "987,654") if word in everything]


def test_data_docs_load_nothing_and_escape_the_data(tmp_path):
    hostile = "<img src=http://evil.example/x onerror=alert(1)>"
    frame = clean(20).with_columns(letter=pl.lit(hostile), word=pl.lit(hostile), id=pl.lit(hostile))
    checked = check_splits({"train": rows_of_frame(frame)}, CONTRACT, suites_of(CONTRACT, ("train",)))
    index = write_data_docs(checked, CONTRACT, tmp_path / "docs")
    pages = {p.name: p.read_text() for p in index.parent.iterdir()}
    assert set(pages) == {"index.html", "train.html", "all.html"}
    for page in pages.values():
        assert "<img" not in page and "Content-Security-Policy" in page
        assert "https://" not in page and 'src="http' not in page and 'href="http' not in page and "url(" not in page
    assert "evil.example" in pages["train.html"], "shown as text"
    assert "Some number." in pages["train.html"] and "critical" in pages["train.html"]


def test_log_and_standard_output_stay_quiet(capfd, caplog):
    with caplog.at_level(logging.INFO):
        check(clean(20))
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err == ""
    assert not [r for r in caplog.records if r.levelno < logging.ERROR and r.name.startswith("great_expectations")]


def test_import_leaves_out_spark_and_puts_off_charts_and_statistics():
    code = """if True:
        import os, sys
        from kilnworks.components.quality.expectations.gx import load_gx
        gx = load_gx()
        assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
        import inspect
        inspect.getmodule(load_gx)
        assert "pyspark" not in sys.modules, "left out"
        late = [m for m in ("scipy.stats._stats_py", "altair.vegalite") if m in sys.modules]
        assert not late, late
        from scipy import stats
        import scipy.stats
        assert abs(stats.norm.cdf(0) - 0.5) < 1e-12 and scipy.stats is stats
        print("ok")
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[4], check=False
    )
    assert done.stdout.strip() == "ok", done.stderr
