"""Contracts: what they accept, and what they say to a wrong one."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.schemas.contract import Contract, Feature, dump_contract, load_contract, parse_contract
from kilnworks.schemas.errors import ContractError
from kilnworks.schemas.patterns import matches

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
        ("name: a\nfeatures: {}\nlabel: {name: y, dtype: float}", 1, "features: there is none; name one"),
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


FEATURE = "name: a\nlabel: {name: y, dtype: int, classes: [0, 1]}\nfeatures:\n  x: {dtype: float, min: %s}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[a, b]: 1\n", "a list stands where a name does"),
        ("{a: 1}: 2\n", "a dict stands where a name does"),
        ("[" * 3000, "nested too deep"),
        ("{a: " * 3000, "nested too deep"),
        (FEATURE % ("9" * 5000), "is read as a whole number and is none"),
        (FEATURE % ("0x" + "f" * 9000), "a number of more than 4,300 digits"),
        (FEATURE % "2024-13-45", "is read as a date and is none"),
        (FEATURE % f"'{'x' * 300_000}'", "(300,000 characters in all)"),
        (f"{FEATURE % 1}  s: {{dtype: string, regex: '{'(' * 100_000}'}}\n", "at most 10,000 characters"),
        (f"{FEATURE % 1}  s: {{dtype: string, regex: '((a{{1000}}){{1000}}){{1000}}'}}\n", "size limit"),
        ("a: &a [*a]\n", "recursive"),
        ("!!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_odd_yaml_is_refused_in_one_line(text, says):
    with pytest.raises(ContractError) as caught:
        parse_contract(text)
    assert says in str(caught.value)
    assert "\n" not in caught.value.got and len(str(caught.value)) < 1_000


def test_a_pattern_that_is_catastrophic_elsewhere_takes_linear_time():
    pattern = "(a+)+$"
    contract = parse_contract(f"{FEATURE % 1}  s: {{dtype: string, regex: '{pattern}'}}\n")
    assert contract.features["s"].regex == pattern
    text = "a" * 100_000 + "!"
    assert matches(pl.Series([text]), pattern).to_list() == [False]


def test_a_contract_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "c.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ContractError, match="no UTF-8"):
        load_contract(tmp_path / "c.yaml")


def test_a_file_that_is_no_contract_by_its_size_is_refused_before_it_is_read(tmp_path):
    """A sparse file of a gigabyte, which reading would make real, and a text of a few MiB."""
    with (tmp_path / "data.yaml").open("wb") as file:
        file.truncate(2**30)
    long = "name: x\n" + "#" * 2**21
    for refuse in (lambda: load_contract(tmp_path / "data.yaml"), lambda: parse_contract(long)):
        with pytest.raises(ContractError, match=r"holds .* MiB") as refused:
            refuse()
        assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("yaml", "allowed"),
    [
        ("features: {a: {dtype: int}}\nchcks: []", "checks"),
        ("features: {advances: {dtype: int, rang: 3}}", "dtype"),
        ("features: {a: {dtype: int, advances: {wihtin: b}}}", "within"),
        ("features: {a: {dtype: int}}\nlabel: {name: y, dtype: int, clases: [0, 1]}", "classes"),
        ("features: {a: {dtype: int}}\nchecks: [{expectation: expect_x, severty: warning}]", "severity"),
        ("features: {a: {dtype: int}}\ndrift: {psy: 0.1}", "psi"),
        ("features: {a: {dtype: int}}\nnumbers: {a: {tousands: ','}}", "thousands"),
    ],
)
def test_an_unknown_field_is_answered_by_the_fields_of_its_place(yaml, allowed):
    with pytest.raises(ContractError) as raised:
        parse_contract(f"name: told\n{yaml}")
    assert allowed in raised.value.wanted.removeprefix("one of the fields ").split(", ")
