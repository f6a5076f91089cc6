"""Data Docs of a hostile contract and hostile data: every name and value is a text, shown once and as it is."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.quality.expectations.data_docs import write_data_docs
from kilnworks.components.quality.expectations.markup import arrived, carried
from kilnworks.components.quality.expectations.run_gx import check_splits, suites_of
from kilnworks.components.quality.rows.batches import rows_of_frame
from kilnworks.schemas.contract import Contract, parse_contract
from tests.hostile import HOSTILE, MARK, Read, harmless

pytestmark = pytest.mark.slow


def hostile() -> Contract:
    """Each text as the name, an allowed value, the description and the unit of a column, and in checks of its own."""
    features = {
        text: {"dtype": "string", "allowed": [text, f"other {text}"], "description": text, "unit": text}
        for text in HOSTILE
    }
    first, second = HOSTILE[:2]
    checks = [
        {"expectation": "expect_column_values_to_be_in_set", "kwargs": {"column": first, "value_set": list(HOSTILE)}},
        {
            "expectation": "expect_column_distinct_values_to_equal_set",
            "kwargs": {"column": first, "value_set": [second]},
        },
        {"expectation": "expect_column_pair_values_to_be_equal", "kwargs": {"column_A": first, "column_B": second}},
        {"expectation": "expect_column_values_to_match_regex", "kwargs": {"column": first, "regex": f"<b>{MARK}</b>("}},
        {"expectation": "expect_table_columns_to_match_set", "kwargs": {"column_set": list(HOSTILE)}},
    ]
    return parse_contract(
        json.dumps({"name": "hostile", "description": HOSTILE[1], "features": features, "checks": checks})
    )


def test_nothing_of_a_contract_or_of_the_data_becomes_markup(tmp_path):
    contract = hostile()
    frame = pl.DataFrame({name: [f"<b>{MARK}</b>", *HOSTILE, None] for name in contract.features})
    checked = check_splits({"train": rows_of_frame(frame)}, contract, suites_of(contract, ("train",)))
    write_data_docs(checked, contract, tmp_path)
    pages = {path.name: path.read_text() for path in tmp_path.glob("*.html")}
    assert {"index.html", "train.html"} <= set(pages)
    read = {name: " ".join(harmless(page).words.split()) for name, page in pages.items()}
    for text in HOSTILE:
        assert " ".join(text.split()) in read["index.html"]
        assert " ".join(text.split()) in read["train.html"]


@given(st.text())
def test_what_is_carried_arrives_as_the_same_text(text):
    for escaped in (carried(text), carried([{"n": text}])[0]["n"]):
        assert not set(escaped) & set("<>&\"'`")
        read = Read(f"<p>{arrived(escaped)}</p>")
        assert [tag for tag, _ in read.elements] == ["p"]
