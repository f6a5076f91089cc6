"""The rows that are checked hold what real rows may lack."""

import polars as pl

from kilnworks.components.exporting.probes import UNSEEN_TEXT, probed
from tests.components.features import tabular


def test_missing_empty_extreme_and_unseen_values_are_among_the_rows():
    frame = tabular.rows(30).select(*tabular.FEATURES)
    rows = probed(tabular.contract(), frame)
    assert rows.schema == frame.schema and rows.height == 30 + 12
    assert rows.head(30).equals(frame)
    missing, extreme, unseen = rows[30:34], rows[34:38], rows[38:42]
    for name in [*tabular.nullable(), "spent"]:
        assert missing[name].null_count() == 4, name
    assert missing["visits"].null_count() == missing["shop"].null_count() == 0
    assert (extreme["shop"] == "").all() and (extreme["plan"] == "").all() and (extreme["age"] == 0).all()
    assert (unseen["shop"] == UNSEEN_TEXT).all() and (unseen["rating"] == 8).all() and (unseen["grade"] == 4).all()


def test_a_split_with_a_single_row_is_enough():
    contract = tabular.contract(features={"s": {"dtype": "string"}})
    assert probed(contract, pl.DataFrame({"s": ["a"]}))["s"].to_list() == ["a", "a", "", UNSEEN_TEXT]
