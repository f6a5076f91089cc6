"""The settings of a pipeline as a form: one field for each, with type, range, choices and help text.

Derived from the JSON schemas of the step configs, so that the form refuses what the config would refuse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pipelines.core.graph import Pipeline
from schemas.contract import Contract
from schemas.kinds import KIND

KEEP = (
    "type",
    "enum",
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
"""Rules of JSON schema that a form can show and check."""


@dataclass(frozen=True)
class Field:
    """One setting.

    Attributes:
        name: ``STEP.FIELD``, as ``--set`` takes it.
        step: the step that it belongs to.
        default: the value in force when nobody changes it; JSON.
        help: what it means, with its unit.
        schema: rules for a value, a JSON schema without references.
    """

    name: str
    step: str
    default: Any
    help: str
    schema: Mapping[str, Any]


def form(pipeline: Pipeline) -> tuple[Field, ...]:
    """Every setting of every step, in the order of the steps; not the contract, which is changed in its own file."""
    return tuple(
        field for step in pipeline.steps for field in _fields(step.name, step.name, step.config, type(step.config))
    )


def changed(pipeline: Pipeline, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``values`` that differ from the definition: what goes to ``Pipeline.configured``.

    Names that are no setting are kept, so that ``configured`` can refuse them with the nearest that exists. A form has
    no empty text, only nothing; nothing for a setting that is empty by default is the default.
    """
    defaults = {field.name: field.default for field in form(pipeline)}
    meant = {n: "" if v is None and defaults.get(n) == "" else v for n, v in values.items()}
    return {name: value for name, value in meant.items() if name not in defaults or value != defaults[name]}


def _fields(step: str, path: str, config: BaseModel, model: type[BaseModel]) -> list[Field]:
    """Fields of one config; a config inside it is opened as its own fields, a choice of configs as the one in force."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    dumped = config.model_dump(mode="json")
    found: list[Field] = []
    for name in model.model_fields:
        value = getattr(config, name)
        if isinstance(value, Contract):
            continue
        if isinstance(value, BaseModel) and not isinstance(dumped[name], str):
            found += _fields(step, f"{path}.{name}", value, type(value))
            continue
        rules = _rules(schema["properties"][name], definitions)
        if "const" not in rules and (name != KIND or "enum" in rules):
            kept = {key: rules[key] for key in KEEP if key in rules}
            found.append(Field(f"{path}.{name}", step, dumped[name], _help(schema["properties"][name]), kept))
    return found


def _rules(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The rules for one value, with references opened and a choice of types put together."""
    if "$ref" in schema:
        return _rules(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    rules = dict(schema)
    if "items" in rules and isinstance(rules["items"], dict):
        rules["items"] = {k: v for k, v in _rules(rules["items"], definitions).items() if k in KEEP}
    branches = [_rules(branch, definitions) for branch in rules.get("anyOf", rules.get("oneOf", []))]
    if not branches:
        return rules
    return _merged(branches)


def _merged(branches: list[dict[str, Any]]) -> dict[str, Any]:
    """Several types for one value as one list of types; rules of the only branch beside null stay in force."""
    types = [t for branch in branches for t in _as_list(branch.get("type", []))]
    solid = [branch for branch in branches if branch.get("type") != "null"]
    if len(types) < len(branches):
        return {}
    merged = {**solid[0]} if len(solid) == 1 else {}
    if "const" in merged:
        merged = {"enum": [merged["const"]], "type": merged["type"]}
    if "enum" in merged and len(solid) < len(branches):
        merged["enum"] = [*merged["enum"], None]
    unique = list(dict.fromkeys(types))
    return {**merged, "type": unique if len(unique) > 1 else unique[0]}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _help(schema: Mapping[str, Any]) -> str:
    return " ".join(str(schema.get("description", "")).split())
