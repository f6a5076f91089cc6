"""A contract as JSON Schema (draft 2020-12) of one row, for services and editors that know nothing of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kilnworks.components.dates.words import wanted_dates
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.dates import EPOCHS, DateFormat
from kilnworks.schemas.patterns import anchored
from kilnworks.schemas.rules import learned_columns


@dataclass(frozen=True)
class ExportedRow:
    """A JSON Schema of one row, and what of the contract is not in it, one line each."""

    tree: dict[str, Any]
    left_out: tuple[str, ...]


def export_json_schema(contract: Contract) -> ExportedRow:
    """The schema of one row as an object; rules over several rows (uniqueness, shares) have no place in it."""
    return ExportedRow(_row(contract), tuple(_left_out(contract)))


def _left_out(contract: Contract) -> Iterator[str]:
    for name, feature in contract.features.items():
        if feature.unique:
            yield f"{name}: no value twice: a schema sees one row"
        if feature.advances is not None:
            yield f"{name}: it advances: a schema sees one row"
        if feature.max_missing is not None:
            yield f"{name}: missing in at most {feature.max_missing:.4g} of the rows: a schema sees one row"
        if feature.severity == "warning":
            yield f"{name}: severity warning: a schema knows no warnings"
    if contract.key is not None:
        yield f"{contract.key}: no value twice: a schema sees one row"
    if contract.label is not None:
        yield f"{contract.label.name}: never missing: a row to be predicted has no label"
    for number, check in enumerate(contract.checks, 1):
        yield f"check {number}: {check.expectation}"
    if contract.reference is not None:
        yield "reference: the statistics of the clean data"


def _row(contract: Contract) -> dict[str, Any]:
    properties: dict[str, Any] = {name: _feature(f) for name, f in contract.features.items()}
    properties |= {n: _dated(properties[n], how) for n, how in contract.dates.items() if n in properties}
    required = [name for name, f in contract.features.items() if not f.nullable]
    label = contract.label
    if label is not None:
        properties[label.name] = _feature(learned_columns(contract)[label.name])
    if contract.key is not None:
        properties[contract.key] = {"type": ["string", "integer"], "description": "names the row; unique"}
        required.insert(0, contract.key)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": contract.name,
        "description": contract.description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": True,
    }


def _dated(tree: dict[str, Any], how: DateFormat) -> dict[str, Any]:
    """A date as the contract says it is written: not in the form that JSON Schema calls ``date-time``."""
    kind = {"string": "integer", "null": "null"} if how.format in EPOCHS else {}
    types = [kind.get(one, one) for one in (tree["type"] if isinstance(tree["type"], list) else [tree["type"]])]
    said = " ".join(filter(None, [tree.get("description", ""), f"({wanted_dates(how)})"]))
    rest = {name: value for name, value in tree.items() if name not in ("type", "format", "description")}
    return {"type": types if len(types) > 1 else types[0], **rest, "description": said}


def _feature(feature: Feature) -> dict[str, Any]:
    if feature.shape:
        return _array(feature, list(feature.shape))
    kinds = {"float": "number", "int": "integer", "bool": "boolean", "image": "integer"}
    tree: dict[str, Any] = {"type": kinds.get(feature.dtype, "string")}
    if feature.dtype == "datetime":
        tree["format"] = "date-time"
    if feature.min is not None:
        tree["minimum"] = feature.min
    if feature.max is not None:
        tree["maximum"] = feature.max
    if feature.allowed is not None:
        tree["enum"] = [*feature.allowed, *([None] if feature.nullable else [])]
    if feature.dtype == "string" and feature.allowed is None:
        tree["minLength"] = max(0 if feature.nullable else 1, feature.min_length or 0)
    if feature.max_length is not None:
        tree["maxLength"] = feature.max_length
    if feature.regex is not None:
        tree["pattern"] = anchored(feature.regex)
    if feature.nullable:
        tree["type"] = [tree["type"], "null"]
    described = " ".join(filter(None, [feature.description, f"({feature.unit})" if feature.unit else ""]))
    return tree | ({"description": described} if described else {})


def _array(feature: Feature, shape: list[int]) -> dict[str, Any]:
    if not shape:
        return _feature(
            feature.model_copy(update={"shape": (), "dtype": "int" if feature.dtype == "image" else feature.dtype})
        )
    size, *rest = shape
    return {"type": "array", "minItems": size, "maxItems": size, "items": _array(feature, rest)}
