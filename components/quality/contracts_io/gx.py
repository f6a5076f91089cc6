"""A contract as the JSON of a Great Expectations suite."""

from typing import Any

from components.quality.rules import rules_of
from components.quality.suite import compile_suite
from schemas.contract import Contract


def export_gx(contract: Contract) -> dict[str, Any]:
    """The suite with every rule of the contract, as Great Expectations reads it."""
    return dict(compile_suite(contract.name, rules_of(contract)).to_json_dict())
