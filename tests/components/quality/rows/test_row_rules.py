"""Rules on single rows, against a loop over plain Python values."""

import math
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.quality.rows.row_rules import broken_rules
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.wire import MASK

FEATURES = {
    "age": Feature(dtype="int", min=0, max=120, unit="years"),
    "income": Feature(dtype="float", nullable=True, min=0),
    "plan": Feature(dtype="string", allowed=("basic", "plus"), nullable=True),
    "code": Feature(dtype="string", regex=r"[A-Z]\d", max_length=3, min_length=2),
}
CONTRACT = Contract(name="c", features=FEATURES)
SCHEMA = {"age": pl.Int64, "income": pl.Float64, "plan": pl.String, "code": pl.String}

values = {
    "age": st.one_of(st.none(), st.integers(-50, 200)),
    "income": st.one_of(st.none(), st.floats(-10, 10), st.sampled_from([math.inf, -math.inf, 1e39, -1e308, 3e38])),
    "plan": st.sampled_from([None, "basic", "plus", "gold"]),
    "code": st.one_of(st.none(), st.text("AB12", max_size=4)),
}


def breaks(name: str, value) -> set[str]:
    """Independent statement of the rules, one value at a time."""
    feature, found = FEATURES[name], set()
    if value is None or value == "":
        return set() if feature.nullable else {"not missing"}
    if name == "income" and abs(value) > 3.4028235e38:
        found.add("a finite number of at most 3.4e+38")
    if feature.min is not None and value < feature.min:
        found.add("at least 0" + (" years" if name == "age" else ""))
    if feature.max is not None and value > feature.max:
        found.add("at most 120 years")
    if feature.allowed and value not in feature.allowed:
        found.add("one of basic, plus")
    if name == "code":
        found |= {"at least 2 characters"} if len(value) < 2 else set()
        found |= {"at most 3 characters"} if len(value) > 3 else set()
        found |= {r"matching [A-Z]\d"} if not re.match(r"[A-Z]\d", value) else set()
    return found


@pytest.mark.slow
@given(st.lists(st.fixed_dictionaries(values), max_size=12))
def test_rows_found_are_those_that_a_loop_finds(rows):
    frame = pl.DataFrame(rows, schema=SCHEMA)
    found = {(b.column, b.rule, row) for b in broken_rules(CONTRACT, frame) for row in b.rows.to_list()}
    assert found == {(n, rule, i) for i, row in enumerate(rows) for n, v in row.items() for rule in breaks(n, v)}


def test_values_of_sensitive_features_are_masked():
    contract = Contract(name="c", features={"age": Feature(dtype="int", max=120, sensitive=True)})
    assert broken_rules(contract, pl.DataFrame({"age": [150]}))[0].samples == (MASK,)
    contract = Contract(name="c", features={"age": Feature(dtype="int", max=120)})
    assert broken_rules(contract, pl.DataFrame({"age": [150]}))[0].samples == ("150",)


@pytest.mark.parametrize("dtype", [pl.Array(pl.UInt8, (2, 2, 1)), pl.Array(pl.UInt8, 4), pl.List(pl.UInt8)])
def test_every_pixel_of_an_image_counts(dtype):
    contract = Contract(name="c", features={"x": Feature(dtype="image", shape=(2, 2, 1), max=16)})
    good, bad = [0, 1, 2, 16], [0, 1, 17, 3]
    nested = isinstance(dtype, pl.Array) and len(dtype.shape) == 3
    rows = [[[[v] for v in r[:2]], [[v] for v in r[2:]]] if nested else r for r in (good, bad, good)]
    broken = broken_rules(contract, pl.DataFrame({"x": pl.Series(rows, dtype=dtype)}))
    assert [(b.rule, b.rows.to_list()) for b in broken] == [("at most 16", [1])]
