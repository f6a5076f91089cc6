"""A contract as the JSON of a Great Expectations suite, for people who use that library alone.

The suite of a run asks for columns and types of our own frames. This one asks what holds of the file itself, as pandas
reads it with ``read_csv`` or ``read_parquet`` and no further argument: numbers with gaps as floats, dates as texts or
times, texts that look like numbers as numbers. What cannot be asked there is listed. How to read the file so that no
reading is guessed stands in the suite's ``meta``.
"""

import math
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from kilnworks.components.quality.expectations.rule import WHOLE, Rule
from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.components.quality.expectations.suite import compile_suite
from kilnworks.components.sources.cast import FALSE_TEXTS, TRUE_TEXTS
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.patterns import anchored
from kilnworks.schemas.rules import learned_columns

NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
NUMBERS += [f"{kind}{bits}Dtype" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)]
NUMBERS += ["Float32Dtype", "Float64Dtype"]
"""Types in which pandas holds numbers; whole ones with gaps become floats."""
WHOLE_NUMBER = r"^[+-]?\d+(\.0*)?$|[eE]\+"
"""How pandas writes a whole number as text, also one that it holds as a float."""
HAS_DIGIT = r"\d"
"""What every date has, however it is written."""
READ_AS_MISSING = frozenset(
    ("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL")
) | {"NaN", "None", "n/a", "nan", "null"}
"""Texts that ``pandas.read_csv`` takes for missing."""


@dataclass(frozen=True)
class ExportedSuite:
    """A suite as JSON, and what of the contract it cannot ask, one line each."""

    tree: dict[str, Any]
    left_out: tuple[str, ...]


def export_gx(contract: Contract) -> ExportedSuite:
    """The suite that a file of this contract meets in Great Expectations alone, and what is left out."""
    rules: list[Rule] = []
    left_out: list[str] = []
    columns = learned_columns(contract)
    for rule in rules_of(contract):
        kept, words = _outside(rule, contract, columns)
        rules += kept
        left_out += [words] if words else []
    advancing = [n for n, f in contract.features.items() if f.advances is not None]
    left_out += [f"{n}: it advances: a suite sees one file" for n in advancing]
    suite = compile_suite(contract.name, rules)
    suite.meta = {**(suite.meta or {}), "read_csv": read_csv_arguments(contract)}
    return ExportedSuite(dict(suite.to_json_dict()), tuple(dict.fromkeys(left_out)))


def read_csv_arguments(contract: Contract) -> dict[str, Any]:
    """Arguments of ``pandas.read_csv`` that read texts as texts, and only empty fields as missing."""
    texts = [name for name, feature in learned_columns(contract).items() if feature.dtype == "string"]
    return {"dtype": dict.fromkeys(texts, "str"), "keep_default_na": False, "na_values": [""]}


def _outside(rule: Rule, contract: Contract, columns: dict[str, Feature]) -> tuple[list[Rule], str]:
    """The rule as it holds outside, and words for what is lost of it; a rule on rows has no column."""
    name = rule.column
    if rule.name == "rows: count":
        return [_row_count(contract)], ""
    if rule.splits == (WHOLE,):
        return [], ""
    feature = columns.get(name) if name is not None else None
    if feature is not None and feature.shape:
        return _of_a_tensor(rule, feature)
    if name is None or feature is None or rule.name.startswith("check "):
        return [rule], ""
    match rule.name.removeprefix(f"{name}: "):
        case "dtype":
            return list(_types(rule, name, feature)), ""
        case "present" if _read_as_missing(feature):
            words = ", ".join(sorted(_read_as_missing(feature)))
            return [], f"{name}: never missing: pandas reads {words} as missing unless it is told (see meta.read_csv)"
        case "allowed" | "every class" if feature.dtype in ("string", "bool"):
            return [_with_readings(rule, feature)], ""
        case "pattern" if not _known_to_python(anchored(str(rule.kwargs["regex"]))):
            return [], f"{name}: {rule.text}: not a regular expression of Python, which pandas asks for"
        case "pattern":
            kwargs = {"column": name, "regex": anchored(str(rule.kwargs["regex"]))}
            return [replace(rule, expectation="expect_column_values_to_match_regex", kwargs=kwargs)], ""
        case _:
            return [rule], ""


def _of_a_tensor(rule: Rule, feature: Feature) -> tuple[list[Rule], str]:
    """Nothing but that a value is there can be asked of lists in a frame; pixels are in no table at all."""
    words = f"{rule.column}: {rule.text}: Great Expectations does not look into lists"
    if feature.dtype == "image" or not rule.name.endswith(": size"):
        return [], words
    if feature.nullable:
        return [], words
    kwargs = {"column": rule.column}
    present = replace(rule, expectation="expect_column_values_to_not_be_null", kwargs=kwargs, text="is never missing")
    return [present], words


def _row_count(contract: Contract) -> Rule:
    kwargs = {"min_value": contract.rows.min, "max_value": contract.rows.max}
    text = f"there are at least {contract.rows.min} rows"
    text += f" and at most {contract.rows.max}" if contract.rows.max is not None else ""
    return Rule("rows: count", "expect_table_row_count_to_be_between", kwargs, None, text)


def _types(rule: Rule, name: str, feature: Feature) -> Iterator[Rule]:
    """What a dtype asks of the values, whatever pandas holds them in; any value can be a text."""
    if feature.dtype in ("int", "float"):
        kwargs: dict[str, Any] = {"column": name, "type_list": NUMBERS}
        expectation = "expect_column_values_to_be_in_type_list"
        yield replace(rule, expectation=expectation, kwargs=kwargs, text="holds numbers")
    patterns = {"int": ("whole numbers", WHOLE_NUMBER), "datetime": ("dates", HAS_DIGIT)}
    if feature.dtype in patterns:
        what, regex = patterns[feature.dtype]
        kwargs = {"column": name, "regex": regex}
        expectation = "expect_column_values_to_match_regex"
        yield replace(rule, name=f"{name}: {what}", expectation=expectation, kwargs=kwargs, text=f"holds {what}")
    if feature.dtype == "bool":
        kwargs = {"column": name, "value_set": _spellings((True, False))}
        yield replace(rule, expectation="expect_column_values_to_be_in_set", kwargs=kwargs, text="is true or false")


def _with_readings(rule: Rule, feature: Feature) -> Rule:
    """Allowed values with the forms in which pandas may hold them. A rule that each is there asks for one form."""
    values = rule.kwargs["value_set"]
    if rule.expectation == "expect_column_distinct_values_to_contain_set":
        known = [v for v in values if v not in READ_AS_MISSING]
        if feature.dtype == "string" and not _numbers(values) and len(known) == len(values):
            return rule
        kwargs = {"column": rule.column, "min_value": len(set(map(_number, known)))}
        return replace(rule, expectation="expect_column_unique_value_count_to_be_between", kwargs=kwargs)
    kept = _spellings(values) if feature.dtype == "bool" else [*values, *_numbers(values)]
    return replace(rule, kwargs={**rule.kwargs, "value_set": kept})


def _spellings(values: Iterable[Any]) -> list[Any]:
    """True and false in every way that a source reads."""
    found: list[Any] = []
    for value in values:
        texts = TRUE_TEXTS if value else FALSE_TEXTS
        found += [bool(value), *(form for text in texts for form in (text, text.upper(), text.capitalize()))]
    return list(dict.fromkeys(found))


def _numbers(values: Iterable[Any]) -> list[Any]:
    """The numbers and truth values that pandas reads for texts which look like them."""
    read = [_number(value) for value in values]
    return [value for value in dict.fromkeys(read) if not isinstance(value, str)]


def _number(text: Any) -> Any:
    """What pandas reads for a text: true, false, a number, or the text itself."""
    truth = {"true": True, "false": False}
    if str(text).lower() in truth:
        return truth[str(text).lower()]
    try:
        number = float(text)
    except ValueError:
        return text
    return text if not math.isfinite(number) else int(number) if number.is_integer() else number


def _known_to_python(pattern: str) -> bool:
    """Whether a pattern of ours is one of Python too, without a warning that it may be read otherwise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, FutureWarning):
        return False
    return True


def _read_as_missing(feature: Feature) -> set[str]:
    """Allowed texts that ``read_csv`` takes for missing."""
    return set(map(str, feature.allowed or ())) & READ_AS_MISSING if feature.dtype == "string" else set()
