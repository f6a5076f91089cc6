"""Contract -> rules: what must hold, for which column, on which splits, and how bad it is when it does not."""

import math
from collections.abc import Iterator
from typing import Any

from kilnworks.components.quality.expectations.rule import (
    WHOLE,
    Rule,
    between,
    in_set,
    listed,
    of_type,
    present,
    range_words,
    unique,
)
from kilnworks.components.quality.rows.tensor_columns import part_of
from kilnworks.schemas.boxes import box_patterns
from kilnworks.schemas.contract import Check, Contract, Feature, Label, Severity

ALMOST_NONE = 1e-12
DIGITS = 10**12
"""A share of values that must be there is rounded down to so many parts: 1 - 0.29 is a little more than 0.71."""


def rules_of(contract: Contract) -> tuple[Rule, ...]:
    """Every rule of a contract: key, time, features, label, the contract's own checks, and the whole data set.

    A check of the contract on what a file of an image holds, such as its height, stands in place of our own.
    """
    rules: list[Rule] = []
    if contract.key:
        rules += [
            present(contract.key, "critical", "The key names a row."),
            unique(contract.key, "critical", "The key names a row."),
        ]
    if contract.time and contract.time not in contract.features and contract.time != contract.key:
        rules.append(present(contract.time, "critical", "The time says when a row was made."))
    few, own = few_valued_columns(contract), [check.kwargs.get("column") for check in contract.checks]
    for name, feature in contract.features.items():
        rules += _tensor_rules(name, feature) if feature.shape else _scalar_rules(name, feature, name in few)
        if feature.dtype == "image":
            rules += [r for r in _file_rules(name, feature) if r.kwargs["column"] not in own]
    if contract.label is not None:
        rules += _label_rules(contract.label, contract.label.name in few)
    rules += [_own_check(number, contract) for number in range(len(contract.checks))]
    return (*rules, *_whole_rules(contract))


def few_valued_columns(contract: Contract) -> frozenset[str]:
    """Text columns whose only value rule is a list; the checked frame holds them as categories, which is fast."""
    found = {n for n, f in contract.features.items() if f.dtype == "string" and f.allowed is not None}
    by_text = {
        n for n, f in contract.features.items() if f.regex or f.min_length is not None or f.max_length is not None
    }
    if contract.label is not None and contract.label.dtype == "string" and not contract.label.several:
        found.add(contract.label.name)
    own = {value for check in contract.checks for value in check.kwargs.values() if isinstance(value, str)}
    return frozenset(found - by_text - own)


def _scalar_rules(name: str, feature: Feature, few_valued: bool) -> Iterator[Rule]:
    severity, about = feature.severity, feature.description
    yield of_type(name, feature.dtype, few_valued, severity, about)
    yield _missing_rule(name, feature)
    if feature.dtype in ("float", "int"):
        yield from between(name, feature.min, feature.max, feature.dtype, feature.unit, severity, about)
    if feature.allowed is not None:
        yield in_set(name, feature.allowed, severity, about)
    if feature.min_length is not None or feature.max_length is not None:
        kwargs = {"column": name, "min_value": feature.min_length, "max_value": feature.max_length}
        text = f"has {range_words(feature.min_length, feature.max_length, 'characters')}"
        yield Rule(f"{name}: length", "expect_column_value_lengths_to_be_between", kwargs, name, text, severity, about)
    if feature.regex is not None:
        kwargs = {"column": name, "regex": feature.regex}
        yield Rule(
            f"{name}: pattern",
            "expect_column_values_to_match_pattern",
            kwargs,
            name,
            f"matches {feature.regex}",
            severity,
            about,
        )
    if feature.unique:
        yield unique(name, severity, about)


def _missing_rule(name: str, feature: Feature) -> Rule:
    """Never missing; missing in at most a share; or at least there once in the training split."""
    if not feature.nullable:
        return present(name, feature.severity, feature.description)
    expectation = "expect_column_values_to_not_be_null"
    if feature.max_missing is None or feature.max_missing == 1:
        kwargs = {"column": name, "mostly": ALMOST_NONE}
        text = "is there in at least one row"
        return Rule(
            f"{name}: not all missing",
            expectation,
            kwargs,
            name,
            text,
            feature.severity,
            feature.description,
            ("train",),
        )
    return _share_missing(name, feature, expectation, name, {})


def _share_missing(name: str, feature: Feature, expectation: str, column: str, about: dict[str, Any]) -> Rule:
    """Missing in at most ``max_missing`` of the rows; a tensor is, where one of its elements is."""
    share = feature.max_missing or 0.0
    kwargs = {"column": column, "mostly": math.floor((1 - share) * DIGITS) / DIGITS, **about}
    text = f"is missing in at most {share:.4g} of the rows"
    return Rule(f"{name}: share missing", expectation, kwargs, name, text, feature.severity, feature.description)


def _tensor_rules(name: str, feature: Feature) -> Iterator[Rule]:
    """Rules on the columns that ``frames.py`` makes of a tensor: its size, dtype, and smallest and largest element."""
    severity, about = feature.severity, feature.description
    size, image = math.prod(feature.shape), feature.dtype == "image"
    stored = f"is stored as {size} {'bytes' if image else 'elements'}"
    yield _part_rule(name, "size", [size], stored, severity, about)
    if not image:
        dtype = {"float": "float32", "int": "int64"}[feature.dtype]
        yield _part_rule(name, "dtype", [dtype], f"is stored as {dtype}", severity, about)
    if feature.dtype == "float" and not feature.nullable:
        yield _part_rule(name, "missing", [0], "has no missing element", severity, about)
    elif feature.dtype == "float" and feature.max_missing is not None and feature.max_missing < 1:
        yield _share_missing(name, feature, "expect_column_values_to_be_in_set", f"{name}__missing", {"value_set": [0]})
    for part, text in (("min", "smallest"), ("max", "largest")):
        column = f"{name}__{part}"
        for rule in between(column, feature.min, feature.max, feature.dtype, feature.unit, severity, about):
            words = f"{text} element {rule.text}"
            end = " is finite" if rule.name.endswith(": finite") else ""
            rule_name = f"{name}: {text} element{end}"
            yield Rule(rule_name, rule.expectation, rule.kwargs, name, words, rule.severity, about)


def _file_rules(name: str, feature: Feature) -> Iterator[Rule]:
    """Warnings where a file of an image lost or lacked something when it was brought to the contract's shape.

    A file is enlarged to at most twice its height and width, and keeps its channels and all bits of a sample.
    """
    height, width, channels = feature.shape
    about = feature.description
    for part, side, text in (("height", height, "high"), ("width", width, "wide")):
        least = -(-side // 2)
        kwargs = {"column": f"{name}__{part}", "min_value": least, "max_value": None}
        words = f"file is at least {least} pixels {text} (the model takes {side})"
        yield Rule(f"{name}: {part}", "expect_column_values_to_be_between", kwargs, name, words, "warning", about)
    words = f"file has {channels} channel{'s' if channels > 1 else ''}, as the model takes"
    yield _part_rule(name, "channels", [channels], words, "warning", about)
    yield _part_rule(name, "dtype", ["uint8"], "file has samples of 8 bits (uint8)", "warning", about)


def _part_rule(name: str, part: str, allowed: list[Any], text: str, severity: Severity, about: str) -> Rule:
    kwargs = {"column": f"{name}__{part}", "value_set": allowed}
    return Rule(f"{name}: {part}", "expect_column_values_to_be_in_set", kwargs, name, text, severity, about)


def _label_rules(label: Label, few_valued: bool) -> Iterator[Rule]:
    about = label.description or "What the model is to predict."
    if label.boxes is not None:
        yield from _box_rules(label, about)
        return
    if label.many:
        yield from _classes_rules(label, about)
        return
    yield of_type(label.name, label.dtype, few_valued, "critical", about)
    yield present(label.name, "critical", about)
    if label.classes is None:
        yield from between(label.name, label.min, label.max, label.dtype, label.unit, "critical", about)
        kwargs: dict[str, Any] = {"column": label.name, "min_value": 2}
        expectation = "expect_column_unique_value_count_to_be_between"
        yield Rule(
            f"{label.name}: varies",
            expectation,
            kwargs,
            label.name,
            "has at least two different values",
            "critical",
            about,
            ("train",),
        )
        return
    yield in_set(label.name, label.classes, "critical", about)
    if not label.learned:
        return
    kwargs = {"column": label.name, "value_set": list(label.classes)}
    text = f"holds every class: {listed(label.classes)}"
    expectation = "expect_column_distinct_values_to_contain_set"
    yield Rule(f"{label.name}: every class", expectation, kwargs, label.name, text, "critical", about)


def _classes_rules(label: Label, about: str) -> Iterator[Rule]:
    """Of a label of which a row may have many classes: each is known, and each occurs."""
    yield of_type(label.name, "string", False, "critical", about)
    yield present(label.name, "critical", about)
    kwargs: dict[str, Any] = {"column": label.name, "regex": label.pattern}
    expectation = "expect_column_values_to_match_pattern"
    text = f"any of {listed(label.classes or ())}"
    yield Rule(f"{label.name}: known classes", expectation, kwargs, label.name, text, "critical", about)


def _box_rules(label: Label, about: str) -> Iterator[Rule]:
    """Of a label of boxes: a row may have none; each is inside of the image, has an area, and is of a known class."""
    yield of_type(label.name, "string", False, "critical", about)
    yield present(label.name, "critical", about)
    inside, filled, known = box_patterns(tuple(str(c) for c in label.classes or ()))
    for name, pattern, text in (
        ("inside the image", inside, "has every box inside the image"),
        ("not empty", filled, "has no box without height or width"),
        ("known classes", known, f"has boxes of {listed(label.classes or ())} alone"),
    ):
        kwargs: dict[str, Any] = {"column": label.name, "regex": pattern}
        expectation = "expect_column_values_to_match_pattern"
        yield Rule(f"{label.name}: {name}", expectation, kwargs, label.name, text, "critical", about)


def _whole_rules(contract: Contract) -> Iterator[Rule]:
    """Rules on the table of splits: one row a split, with its rows and how many of its keys other splits hold too."""
    kwargs: dict[str, Any] = {"column": "rows", "min_value": contract.rows.min, "max_value": contract.rows.max}
    text = f"the data set has {range_words(contract.rows.min, contract.rows.max, 'rows')}"
    yield Rule("rows: count", "expect_column_sum_to_be_between", kwargs, None, text, splits=(WHOLE,))
    kwargs = {"column": "rows", "min_value": 1}
    yield Rule(
        "rows: no empty split",
        "expect_column_values_to_be_between",
        kwargs,
        None,
        "each split has rows",
        splits=(WHOLE,),
    )
    singles = [name for name, feature in contract.features.items() if feature.unique]
    for name in dict.fromkeys([*([contract.key] if contract.key else []), *singles]):
        kwargs = {"column": f"{name}__shared", "min_value": 0, "max_value": 0}
        text = "no value is in two splits"
        severity = contract.features[name].severity if name in contract.features else "critical"
        yield Rule(
            f"{name}: in one split", "expect_column_values_to_be_between", kwargs, name, text, severity, splits=(WHOLE,)
        )


def _own_check(number: int, contract: Contract) -> Rule:
    check = contract.checks[number]
    named = check.kwargs.get("column")
    named = named if isinstance(named, str) else None
    tensor = part_of(named, contract) if named else None
    column = tensor or named
    text = _own_words(check)
    about = check.description or (contract.features[column].description if column in contract.features else "")
    return Rule(
        f"check {number + 1}: {named or 'table'}",
        check.expectation,
        dict(check.kwargs),
        column,
        f"{named} {text}" if tensor else text,
        check.severity,
        about,
    )


def _own_words(check: Check) -> str:
    """What a check asks: in the words of our own rules where it says no more than they do."""
    given = {name: value for name, value in check.kwargs.items() if name != "column"}
    low, high = given.get("min_value"), given.get("max_value")
    ends = [end for end in (low, high) if end is not None]
    plain = given.keys() <= {"min_value", "max_value"} and ends and all(isinstance(end, int | float) for end in ends)
    if check.expectation == "expect_column_values_to_be_between" and plain:
        return f"is {range_words(low, high, '')}"
    values = given.get("value_set")
    if check.expectation == "expect_column_values_to_be_in_set" and len(given) == 1 and isinstance(values, list):
        return f"is one of {listed(tuple(values))}"
    arguments = ", ".join(f"{name}={value}" for name, value in given.items())
    words = check.expectation.removeprefix("expect_").replace("_", " ")
    return f"{words} ({arguments})" if arguments else check.expectation
