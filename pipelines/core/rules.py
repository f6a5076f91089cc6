"""The rules of one setting: from the JSON schema of its config, without references; and the same in words."""

from collections.abc import Iterator, Mapping
from typing import Any

KEEP = (
    "type",
    "enum",
    "const",
    "anyOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "items",
    "minItems",
    "maxItems",
)
"""Rules of JSON schema that a form can check."""
NOUNS = {"integer": "whole number", "number": "number"}


def rules(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The rules for one value, with references opened and a choice of types put together."""
    if "$ref" in schema:
        return rules(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    found = dict(schema)
    if "items" in found and isinstance(found["items"], dict):
        found["items"] = kept(rules(found["items"], definitions))
    branches = [rules(branch, definitions) for branch in found.pop("anyOf", found.pop("oneOf", []))]
    return _merged(branches) if branches else found


def kept(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the rules that a form can check."""
    return {key: schema[key] for key in KEEP if key in schema}


def in_words(schema: Mapping[str, Any]) -> str:
    """The range of a value; empty where its type says all.

    >>> in_words({"type": "integer", "minimum": 1, "maximum": 50})
    'whole number from 1 to 50'
    >>> in_words({"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1})
    'number above 0 and below 1'
    >>> in_words({"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1})
    'list of 1 value or more, each a whole number from 1 on'
    >>> in_words({"type": "string", "pattern": "^[a-z]+$"})
    'text that matches `^[a-z]+$`'
    >>> in_words({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all", "type": "string"}]})
    'whole number from 1 on, or `all`'
    """
    if "anyOf" in schema:
        return ", or ".join(dict.fromkeys(filter(None, map(_branch, schema["anyOf"]))))
    types = [t for t in as_list(schema.get("type", [])) if t != "null"]
    if "enum" in schema or len(types) != 1:
        return ""
    if types[0] == "array":
        return _list(schema)
    if types[0] == "string":
        return _text(schema)
    return " ".join([NOUNS[types[0]], *filter(None, [_between(schema)])]) if types[0] in NOUNS else ""


def as_list(value: Any) -> list[Any]:
    """A list, or the list of one value."""
    return value if isinstance(value, list) else [value]


def _branch(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    return in_words(schema) or {"string": "text", "object": "JSON object"}.get(str(schema.get("type")), "")


def _between(schema: Mapping[str, Any], least: str = "minimum", most: str = "maximum") -> str:
    low, high = schema.get(least), schema.get(most)
    if low is not None and high is not None:
        return f"from {_number(low)} to {_number(high)}"
    return " and ".join(_limits(schema, low, high))


def _limits(schema: Mapping[str, Any], low: Any, high: Any) -> Iterator[str]:
    if low is not None:
        yield f"from {_number(low)} on"
    if "exclusiveMinimum" in schema:
        yield f"above {_number(schema['exclusiveMinimum'])}"
    if high is not None:
        yield f"up to {_number(high)}"
    if "exclusiveMaximum" in schema:
        yield f"below {_number(schema['exclusiveMaximum'])}"


def _list(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    count = "list"
    if least is not None and most is not None:
        count = f"list of {least} to {most} values" if least != most else f"list of {least} values"
    elif least is not None:
        count = f"list of {least} value{'s' * (least != 1)} or more"
    elif most is not None:
        count = f"list of at most {most} values"
    each = in_words(schema.get("items") or {})
    choices = (schema.get("items") or {}).get("enum")
    if choices:
        return f"{count}, each one of {', '.join(f'`{choice}`' for choice in choices)}"
    return f"{count}, each a {each}" if each else count


def _text(schema: Mapping[str, Any]) -> str:
    parts = [f"matches `{schema['pattern']}`"] if "pattern" in schema else []
    least, most = schema.get("minLength"), schema.get("maxLength")
    if least is not None or most is not None:
        parts.append(f"has {_count(least, most)}")
    return f"text that {' and '.join(parts)}" if parts else ""


def _count(least: int | None, most: int | None) -> str:
    if least == most or most is None:
        return f"{least} character{'s' * (least != 1)}{'' if least == most else ' or more'}"
    return f"at most {most} characters" if not least else f"{least} to {most} characters"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _merged(branches: list[dict[str, Any]]) -> dict[str, Any]:
    """Several types for one value as one list of types; the rules of each branch stay in force."""
    types = [t for branch in branches for t in as_list(branch.get("type", []))]
    solid = [branch for branch in branches if branch.get("type") != "null"]
    if len(types) < len(branches):
        return {}
    merged = {**solid[0]} if len(solid) == 1 else {}
    if "const" in merged:
        merged = {"enum": [merged["const"]], "type": merged["type"]}
    if "enum" in merged and len(solid) < len(branches):
        merged["enum"] = [*merged["enum"], None]
    if len(solid) > 1 and any(kept(branch).keys() - {"type"} for branch in solid):
        merged["anyOf"] = [kept(branch) for branch in branches]
    unique = list(dict.fromkeys(types))
    return {**merged, "type": unique if len(unique) > 1 else unique[0]}
