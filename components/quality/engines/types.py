"""Rules on how a column is stored, in the words of another engine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from kilnworks.components.quality.expectations.rule import Rule
from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.schemas.contract import Contract

Types = Mapping[str, Sequence[str]]
"""Dtype of the contract -> names of the engine's types that hold it."""


def rules_with_types(contract: Contract, types: Types) -> tuple[Rule, ...]:
    """The rules of a contract with each rule on a dtype asking for one of the engine's types."""
    return tuple(_translated(rule, contract, types) for rule in rules_of(contract))


def rules_for(rules: Iterable[Rule], split: str) -> list[Rule]:
    """Those that hold for a split, or for the whole data set."""
    return [rule for rule in rules if rule.applies_to(split)]


def _translated(rule: Rule, contract: Contract, types: Types) -> Rule:
    if rule.expectation != "expect_column_values_to_be_of_type" or not rule.name.endswith(": dtype"):
        return rule
    column = rule.column or ""
    feature, label = contract.features.get(column), contract.label
    dtype = feature.dtype if feature else label.dtype if label is not None and label.name == column else ""
    if dtype not in types:
        return rule
    kwargs = {"column": column, "type_list": list(types[dtype])}
    return replace(rule, expectation="expect_column_values_to_be_in_type_list", kwargs=kwargs)
