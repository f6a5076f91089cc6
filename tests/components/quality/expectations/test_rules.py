import pytest

from kilnworks.components.quality.expectations.expectation_names import expectation_names, refuse_unknown_checks
from kilnworks.components.quality.expectations.rule import WHOLE
from kilnworks.components.quality.expectations.rules import few_valued_columns, rules_of
from kilnworks.schemas.contract import load_contract, parse_contract
from kilnworks.schemas.errors import UnknownName


def rule(contract, name):
    return next(r for r in rules_of(contract) if r.name == name)


def test_every_rule_of_a_feature_is_there_with_its_severity_and_description():
    contract = parse_contract(
        """
        name: x
        features:
          s: {dtype: string, nullable: true, max_missing: 0.25, allowed: [a, bb], min_length: 1, max_length: 2,
              regex: "[ab]+", unique: true, severity: warning, description: Letters.}
        """
    )
    rules = {r.name: r for r in rules_of(contract) if r.column == "s" and r.applies_to("train")}
    assert set(rules) == {"s: dtype", "s: share missing", "s: allowed", "s: length", "s: pattern", "s: unique"}
    assert {r.severity for r in rules.values()} == {"warning"}
    assert {r.description for r in rules.values()} == {"Letters."}
    assert rules["s: share missing"].kwargs["mostly"] == 0.75
    assert rules["s: pattern"].kwargs["regex"] == "[ab]+"


def test_floats_are_finite_even_without_a_range():
    contract = parse_contract("{name: x, features: {f: {dtype: float}, i: {dtype: int}}}")
    assert rule(contract, "f: range").text == "is a finite number of at most 3.4e+38"
    assert not [r for r in rules_of(contract) if r.name == "i: range"]


def test_a_nullable_feature_is_there_at_least_once_in_train():
    contract = parse_contract("{name: x, features: {f: {dtype: float, nullable: true}}}")
    found = rule(contract, "f: not all missing")
    assert found.applies_to("train") and not found.applies_to("test")


def test_rules_on_the_whole_are_not_run_on_splits():
    contract = load_contract("schemas/contracts/churn.yaml")
    whole = [r.name for r in rules_of(contract) if r.applies_to(WHOLE)]
    assert whole == ["rows: count", "rows: no empty split", "customerID: in one split"]
    assert not set(whole) & {r.name for r in rules_of(contract) if r.applies_to("train")}


def test_names_of_rules_are_unique():
    for path in ("schemas/contracts/churn.yaml", "schemas/contracts/digits.yaml"):
        names = [r.name for r in rules_of(load_contract(path))]
        assert len(names) == len(set(names))


def test_texts_that_own_checks_look_at_stay_texts():
    text = """
        name: x
        features: {a: {dtype: string, allowed: [p, q]}, b: {dtype: string, allowed: [p, q]}}
        checks: [{expectation: expect_column_value_lengths_to_equal, kwargs: {column: a, value: 1}}]
        """
    assert few_valued_columns(parse_contract(text)) == {"b"}


def test_unknown_expectation_offers_the_nearest():
    text = "{name: x, features: {a: {dtype: int}}, checks: [{expectation: expect_column_meen_to_be_between}]}"
    with pytest.raises(UnknownName) as error:
        refuse_unknown_checks(parse_contract(text))
    assert "expect_column_mean_to_be_between" in error.value.fix


def test_names_are_found_without_importing_the_library():
    assert {"expect_column_values_to_be_between", "expect_table_row_count_to_be_between"} <= expectation_names()


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("{expectation: expect_column_values_to_be_between, kwargs: {column: a, min_value: 1}}", "is at least 1"),
        ("{expectation: expect_column_values_to_be_between, kwargs: {column: a, min_value: 2, max_value: 2}}", "is 2"),
        ("{expectation: expect_column_values_to_be_in_set, kwargs: {column: a, value_set: [1, 3]}}", "is one of 1, 3"),
        (
            "{expectation: expect_column_values_to_be_between, kwargs: {column: a, max_value: '2024', mostly: 0.9}}",
            "column values to be between (max_value=2024, mostly=0.9)",
        ),
        (
            "{expectation: expect_column_values_to_be_between, kwargs: {column: a}}",
            "expect_column_values_to_be_between",
        ),
    ],
)
def test_own_checks_in_words(check, words):
    rules = rules_of(parse_contract(f"{{name: x, features: {{a: {{dtype: int}}}}, checks: [{check}]}}"))
    assert [rule.text for rule in rules if rule.name == "check 1: a"] == [words]
