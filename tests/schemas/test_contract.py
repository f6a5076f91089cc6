"""Contracts: what they accept, and what they say to a wrong one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import Contract, Feature, dump_contract, load_contract, parse_contract
from schemas.errors import ContractError

GOOD = """
name: churn
key: id
features:
  tenure: {dtype: int, min: 0, max: 100, unit: months}
  plan: {dtype: string, allowed: [basic, plus], nullable: true, max_missing: 0.1}
  photo: {dtype: image, shape: [8, 8, 1], max: 16}
label: {name: left, dtype: string, classes: ["No", "Yes"]}
"""


def test_reads_back_what_it_wrote():
    contract = parse_contract(GOOD)
    assert parse_contract(dump_contract(contract)) == contract
    assert contract.columns == ("id", "tenure", "plan", "photo", "left")
    assert contract.label is not None and contract.label.classes == ("No", "Yes")


@given(
    st.dictionaries(
        st.text("abcxyz_", min_size=1, max_size=6),
        st.builds(
            lambda low, span, unit: Feature(dtype="float", min=low, max=low + span, unit=unit),
            st.floats(-1e6, 1e6),
            st.floats(0, 1e6),
            st.text(max_size=5),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_contract_survives_yaml(features):
    contract = Contract(name="any", features=features)
    assert parse_contract(dump_contract(contract)) == contract


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("name: a\nfeatures:\n  x: {dtype: flot}", 3, "'float', 'int'"),
        ("name: a\nfeatures:\n  x:\n    dtype: int\n    mim: 3", 5, "did you mean 'min'?"),
        ("name: a\nfeatures:\n  x: {dtype: int}\n  y: {dtype: int, min: 3, max: 1}", 4, "min 3 is above max 1"),
        ("name: a\nfeatures:\n  x: {dtype: image}", 3, "shape: [height, width, channels]"),
        ("name: a\nfeatures:\n  x: {dtype: string, min: 1}", 3, "not for dtype string"),
        ("name: a\nfeatures:\n  x: {dtype: int, max_missing: .1}", 3, "nullable: true"),
        ("name: a\nlabel: {name: x, dtype: int}\nfeatures:\n  x: {dtype: int}", 1, "also the label"),
        (
            "name: a\nfeatures:\n  b: {dtype: int}\nlabel: {name: x, dtype: string, classes: [yes, no]}",
            4,
            "quote texts",
        ),
        ("name: a\nfeatures:\n  b: {dtype: int}\nlabel: {name: x, dtype: string}", 4, "needs classes"),
        ("name: a\nname: b", 2, "written twice"),
        ("name: a\nfeatures: [1, 2]", 2, "mapping"),
        ("name: a", 1, "Field required"),
        ("name: a\nfeatures: {x: {dtype: int}}\nchecks:\n  - {expectation: Nonsense}", 4, "expectation"),
        ("a: [", 1, "not valid YAML"),
    ],
)
def test_a_wrong_contract_names_the_line_and_what_may_stand_there(text, line, says):
    with pytest.raises(ContractError) as caught:
        parse_contract(text, "c.yaml")
    assert f"c.yaml:{line}:" in str(caught.value)
    assert says in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ContractError, match="no contract file"):
        load_contract(tmp_path / "none.yaml")


def test_every_bundled_contract_is_read(root: Path):
    for path in (root / "schemas" / "contracts").glob("*.yaml"):
        contract = load_contract(path)
        assert contract.name == path.stem
        assert all(f.description for f in contract.features.values()), path
