"""One contract, one verdict: suite, quarantine, ``contract check`` and the check of requests against plain Python.

Random contracts and rows; each back end gets the same rows in its own form (a frame, a Parquet file, arrays). The right
answers come from ``broken`` below, which states every rule once more, one value at a time, with nothing of the package.
"""

import math
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.quality.expectations.run_gx import check_splits, suites_of
from kilnworks.components.quality.rows.batches import rows_of_files
from kilnworks.components.quality.rows.quarantine import set_aside
from kilnworks.components.quality.rows.row_rules import broken_rows
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.serving.inference.request_check import ContractCheck
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.contract import Contract, Feature, Label
from kilnworks.schemas.files import write_json
from kilnworks.schemas.wire import MISSING_INT
from tests.effort import tries

BIG = 2**53
FLOATS: list[Any] = [
    0.0,
    -0.0,
    1.0,
    0.5,
    -3.0,
    7.0,
    7.000001,
    1e300,
    -1e300,
    math.inf,
    -math.inf,
    math.nan,
    3.4e38,
    0.1,
    None,
]
INTS = [0, 1, -1, 7, 8, BIG - 1, BIG, BIG + 1, BIG + 2, -BIG - 1, 2**63 - 1, -(2**63) + 1, None]
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "abc",
    "a\n",
    "\n",
    " ",
    "ä",
    "ß",
    "Ä",
    "12",
    "١٢",
    "é",
    "🙂",
    "NA",
    "null",
    "\ufffd",
    "-",
    None,
]
PATTERNS = {
    r"[a-z]+$": lambda t: re.match(r"[a-z]+\Z", t),
    r"a|b": lambda t: re.match(r"[ab]", t),
    r"\w": lambda t: t[0].isalnum() or t[0] == "_",
    r"\d+$": lambda t: all(ch.isdecimal() for ch in t),
    r"(?i)ä": lambda t: t[0] in "äÄ",
    r".{2}": lambda t: len(t) >= 2 and "\n" not in t[:2],
    r"\p{Lu}": lambda t: t[0].isupper(),
    r"a\z": lambda t: t == "a",
}
"""Patterns of the contract, and the same in plain Python."""
TIMES = [None, 0, 1_700_000_000_000_000]
SHAPED = [[0.0, 1.0], [math.nan, 1.0], [math.nan, math.nan], [-5.0, 2.0], [1.0, math.inf], [7.0, 8.0]]
VALUES = {
    "float": FLOATS,
    "int": INTS,
    "string": TEXTS,
    "bool": [True, False, None],
    "datetime": TIMES,
    "shaped": SHAPED,
}
LABELS = {"int": [0, 1, 2, None], "string": ["no", "yes", "", "NO", None], "bool": [True, False, None]}
LABELS |= {"float": [0.5, 1.5, -1.0, math.inf, math.nan, None]}


@st.composite
def features(draw: st.DrawFn) -> tuple[str, Feature]:
    """A kind of ``VALUES`` and a feature of it."""
    kind = draw(st.sampled_from(sorted(VALUES)))
    rules: dict[str, Any] = {"dtype": "float" if kind == "shaped" else kind, "nullable": draw(st.booleans())}
    rules["severity"] = draw(st.sampled_from(["critical", "critical", "warning"]))
    if rules["nullable"] and draw(st.booleans()):
        rules["max_missing"] = draw(st.sampled_from([0.0, 0.29, 1 / 3, 0.5, 1.0]))
    if kind == "shaped":
        rules["shape"] = (2,)
    if kind in ("float", "int", "shaped"):
        ends = [-1.0, 0.0, 0.5, 7.0] if kind != "int" else [-1.0, 0.0, 7.0, BIG + 1, 0.5]
        low, high = sorted(draw(st.tuples(st.sampled_from(ends), st.sampled_from(ends))))
        rules |= {"min": low} if draw(st.booleans()) else {}
        rules |= {"max": high} if draw(st.booleans()) else {}
        if rules["dtype"] == "int" and math.ceil(rules.get("min", 0)) > math.floor(rules.get("max", 2**60)):
            rules.pop("min", None)
    known = [v for v in VALUES[kind] if v is not None and v != ""]
    if kind in ("float", "int", "string", "bool") and draw(st.booleans()):
        finite = [v for v in known if not isinstance(v, float) or math.isfinite(v)]
        rules["allowed"] = tuple(draw(st.lists(st.sampled_from(finite), min_size=1, max_size=4, unique_by=repr)))
    if kind == "string":
        rules |= {"min_length": 1} if draw(st.booleans()) else {}
        rules |= {"max_length": 2} if draw(st.booleans()) else {}
        rules |= {"regex": draw(st.sampled_from(sorted(PATTERNS)))} if draw(st.booleans()) else {}
    if kind != "shaped" and draw(st.integers(0, 5)) == 0:
        rules["unique"] = True
    return kind, Feature(**rules)


@st.composite
def labels(draw: st.DrawFn) -> Label:
    """Classes of each dtype, or a number to be predicted."""
    dtype = draw(st.sampled_from(sorted(LABELS)))
    if dtype == "float":
        return Label(name="y", dtype="float", max=draw(st.sampled_from([None, 1.0])))
    if dtype == "int" and draw(st.booleans()):
        return Label(name="y", dtype="int", min=draw(st.sampled_from([None, 1.0])))
    return Label(name="y", dtype=dtype, classes={"int": (0, 1), "string": ("no", "yes"), "bool": (False, True)}[dtype])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Contract, dict[str, str], list[dict[str, Any]]]:
    """A contract, the kind of each feature, and rows."""
    made = draw(st.lists(features(), min_size=1, max_size=3))
    label, kinds = draw(labels()), {f"f{i}": kind for i, (kind, _) in enumerate(made)}
    contract = Contract(name="c", key="id", features={f"f{i}": f for i, (_, f) in enumerate(made)}, label=label)
    if draw(st.booleans()):
        update = {"on_bad_rows": "quarantine", "max_quarantined": draw(st.sampled_from([0.0, 0.3, 1.0]))}
        contract = contract.model_copy(update=update)
    row = {"id": st.sampled_from(["k1", "k2", "k3", "k4", "k5", "k6", "", None])}
    row |= {name: st.sampled_from(VALUES[kind]) for name, kind in kinds.items()}
    row |= {"y": st.sampled_from(LABELS[label.dtype])}
    return contract, kinds, draw(st.lists(st.fixed_dictionaries(row), min_size=1, max_size=6))


def missing(value: Any) -> bool:
    if isinstance(value, list):
        return any(math.isnan(v) for v in value)
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def broken(feature: Feature, value: Any) -> set[str]:
    """Names of the rules that a value breaks, with ``!`` where that is critical."""
    mark = "!" if feature.severity == "critical" else ""
    found = set()
    numbers = [v for v in (value if isinstance(value, list) else [value]) if not missing(v)]
    if feature.dtype == "float" and any(abs(v) > 3.4028234663852886e38 for v in numbers):
        found.add("finite!")
    if missing(value):
        found |= {f"present{mark}"} if not feature.nullable else set()
        if not isinstance(value, list):
            return found
    if feature.min is not None and any(v < feature.min for v in numbers):
        found.add(f"range{mark}")
    if feature.max is not None and any(v > feature.max for v in numbers):
        found.add(f"range{mark}")
    if feature.allowed is not None and value not in feature.allowed:
        found.add(f"allowed{mark}")
    short = feature.min_length is not None and len(value) < feature.min_length
    if short or (feature.max_length is not None and len(value) > feature.max_length):
        found.add(f"length{mark}")
    if feature.regex is not None and not PATTERNS[feature.regex](value):
        found.add(f"pattern{mark}")
    return found


def asked(contract: Contract) -> dict[str, Feature]:
    """The columns of a row that a model learns from."""
    label = contract.label
    assert label is not None
    rule = Feature(dtype=label.dtype, allowed=label.classes, min=label.min, max=label.max)
    return {"id": Feature(dtype="string"), **contract.features, "y": rule}


def frame_of(contract: Contract, kinds: dict[str, str], rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows as examples hold them: in the dtypes of the contract, missing as null."""
    dtypes = {"float": pl.Float64, "int": pl.Int64, "string": pl.String, "bool": pl.Boolean}
    dtypes |= {"datetime": pl.Datetime("us"), "shaped": pl.Array(pl.Float32, 2)}
    assert contract.label is not None
    columns = {"id": pl.Series([r["id"] or None for r in rows], dtype=pl.String)}
    for name, kind in {**kinds, "y": contract.label.dtype}.items():
        values = [None if kind != "shaped" and missing(r[name]) else r[name] for r in rows]
        if kind == "datetime":
            columns[name] = pl.Series(values, dtype=pl.Int64).cast(pl.Datetime("us"))
        else:
            columns[name] = pl.Series(values, dtype=dtypes[kind])
    return pl.DataFrame(columns)


def examples_of(contract: Contract, frame: pl.DataFrame, folder: Path) -> Examples:
    (folder / "train").mkdir(parents=True)
    frame.write_parquet(folder / "train/part-0.parquet")
    tree = {"format": 1, "contract": contract.model_dump(mode="json")}
    tree["splits"] = {"train": {"rows": frame.height, "files": ["train/part-0.parquet"]}}
    write_json(folder / "examples.json", tree)
    return Examples(folder)


def kind_of(words: str) -> str:
    """The kind of a rule from its words in reports on rows."""
    if words in ("not missing", "not null", "key is never missing"):
        return "present"
    if words.endswith("characters"):
        return "length"
    starts = {"at least": "range", "at most": "range", "one of": "allowed", "match": "pattern", "a finite": "finite"}
    return next(kind for start, kind in starts.items() if words.startswith(start))


def by_rows(contract: Contract, frame: pl.DataFrame) -> set[tuple[str, int, str]]:
    """Column, row and rule of every breach, as rows are set aside for it."""
    return {
        (b.column, row, kind_of(b.rule) + ("!" if b.severity == "critical" else ""))
        for b in broken_rows(contract, frame)
        for row in b.rows.to_list()
    }


def by_suite(contract: Contract, examples: Examples) -> tuple[dict[tuple[str, str], int | None], bool]:
    """Broken rules of single values with the rows that break them, and whether a critical rule is broken.

    Left out: rules that only a whole split can break and no file, such as that it holds every class.
    """
    rows = {"train": rows_of_files(examples.files("train"), contract)}
    checked = check_splits(rows, contract, suites_of(contract, ("train",)))
    found: dict[tuple[str, str], int | None] = {}
    stopped = False
    for outcome in (o for one in checked for o in one.outcomes if not o.success):
        assert not outcome.could_not_check, outcome.line()
        name = outcome.rule.partition(": ")[2]
        if name in ("every class", "varies", "not all missing", "count", "no empty split"):
            continue
        names = {"share missing": "share", "missing": "present"}
        name = (
            "finite"
            if name.endswith("element is finite")
            else "range"
            if name.endswith("element")
            else names.get(name, name)
        )
        mark = "!" if outcome.severity == "critical" else ""
        shaped = outcome.column in contract.features and contract.features[outcome.column].shape
        found[str(outcome.column), name + mark] = None if shaped else outcome.unexpected
        stopped |= outcome.severity == "critical"
    return found, stopped


def by_check(contract: Contract, file: Path) -> tuple[dict[tuple[str, str], int], bool]:
    """The same of ``contract check``."""
    outcome = check_file(contract, file)
    found: dict[tuple[str, str], int] = {}
    for failure in (one for one in outcome.failures if one.column is not None):
        if failure.rule.startswith("at most this share"):
            name, rows = "share", -1
        else:
            unique = failure.rule in ("unique", "keys are unique")
            name, rows = "unique" if unique else kind_of(failure.rule), int(failure.seen.split()[0])
        found[str(failure.column), name] = max(rows, found.get((str(failure.column), name), -1))
    return found, outcome.success


def by_request(contract: Contract, kinds: dict[str, str], row: dict[str, Any], folder: Path) -> bool:
    """Whether a request of one row is refused."""
    made: dict[str, np.ndarray] = {}
    for name, kind in kinds.items():
        value = row[name]
        if kind == "string":
            made[name] = np.array([(value or "").encode()], object)
        elif kind == "datetime":
            made[name] = np.array([MISSING_INT if value is None else value // 1_000_000], np.int64)
        elif kind == "float" or value is None:
            with np.errstate(over="ignore"):
                made[name] = np.array([math.nan if value is None else value]).astype(np.float32)
        else:
            made[name] = np.array([value], {"int": np.int64, "bool": np.bool_, "shaped": np.float32}[kind])
    try:
        ContractCheck()("m", 1, str(folder), "serving_default", made)
    except Exception as error:
        assert "breaks the contract" in str(error), error
        return True
    return False


def whole(contract: Contract, rows: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """Rules on all rows that are broken: the share of missing values, and values that are there twice."""
    found: dict[tuple[str, str], int] = {}
    for name, feature in asked(contract).items():
        gaps = sum(missing(r[name]) for r in rows)
        mark = "!" if feature.severity == "critical" else ""
        most = 1 if feature.max_missing is None else feature.max_missing
        if gaps / len(rows) > most:
            found[name, f"share{mark}"] = gaps
        if feature.unique or name == "id":
            there = [r[name] for r in rows if not missing(r[name])]
            twice = sum(there.count(v) > 1 for v in there)
            found |= {(name, f"unique{mark}"): twice} if twice else {}
    return found


@pytest.mark.slow
@settings(
    max_examples=tries(20), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(cases())
def test_four_back_ends_and_plain_python_agree(case):
    contract, kinds, rows = case
    right = {(n, i, rule) for n, f in asked(contract).items() for i, r in enumerate(rows) for rule in broken(f, r[n])}
    bad = {i for _, i, rule in right if rule.endswith("!")}
    frame = frame_of(contract, kinds, rows)
    assert by_rows(contract, frame) == right

    with TemporaryDirectory() as folder:
        examples = examples_of(contract, frame, Path(folder) / "examples")
        _requests(contract, kinds, rows, right, Path(folder))
        suite, stopped = by_suite(contract, examples)
        counted: dict[tuple[str, str], set[int]] = {}
        for name, i, rule in right:
            apart = asked(contract)[name].severity == "warning"
            counted.setdefault((name, "range!" if rule == "finite!" and not apart else rule), set()).add(i)
        expected = {key: len(found) for key, found in counted.items()} | whole(contract, rows)
        assert suite.keys() == expected.keys()
        assert all(found is None or found == expected[key] for key, found in suite.items()), (suite, expected)

        check, passed = by_check(contract, examples.files("train")[0])
        names = {(n, "range" if rule.startswith("finite") else rule.rstrip("!")) for n, rule in expected}
        assert {(n, "range" if rule == "finite" else rule) for n, rule in check} == names

        if contract.on_bad_rows == "quarantine" and (Path(folder) / "out").mkdir() is None:
            aside = set_aside(examples, Path(folder) / "out")
            assert aside.bad["train"] == len(bad)
            if aside.within:
                kept = [r for i, r in enumerate(rows) if i not in bad]
                stopped = any(rule.endswith("!") for _, rule in whole(contract, kept)) if kept else False
                if len(kept) == len(rows) or not whole(contract, rows):
                    assert passed is (bool(kept) and not stopped)
                return
        assert passed is not stopped


def _requests(
    contract: Contract,
    kinds: dict[str, str],
    rows: list[dict[str, Any]],
    right: set[tuple[str, int, str]],
    folder: Path,
) -> None:
    """A request is refused where one of its features breaks a critical rule."""
    write_json(folder / "model/assets.extra/contract.json", contract.model_dump(mode="json"))
    for i, row in enumerate(rows):
        refused = any(n in kinds and j == i and rule.endswith("!") for n, j, rule in right)
        assert by_request(contract, kinds, row, folder / "model") is refused, row
