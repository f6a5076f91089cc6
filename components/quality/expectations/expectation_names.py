"""Names of the expectations that Great Expectations ships, without importing it."""

import importlib.util
from functools import cache
from pathlib import Path

from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import UnknownName


@cache
def expectation_names() -> frozenset[str]:
    """Snake-case names; the library keeps one expectation a file."""
    spec = importlib.util.find_spec("great_expectations")
    if spec is None:
        raise ModuleNotFoundError("No module named 'great_expectations'", name="great_expectations")
    folders = list(spec.submodule_search_locations or [])
    files = [file for folder in folders for file in (Path(folder) / "expectations" / "core").glob("expect_*.py")]
    return frozenset(file.stem for file in files)


def refuse_unknown_checks(contract: Contract) -> None:
    """Raise ``UnknownName`` for a check whose expectation does not exist; the message offers the nearest."""
    for check in contract.checks:
        if check.expectation not in expectation_names():
            raise UnknownName("expectation", check.expectation, expectation_names())
