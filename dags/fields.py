"""The fields of Airflow's forms: what a setting means, its range, and rules that refuse instead of correcting.

Airflow's form brings a number back into ``minimum`` and ``maximum`` of its field without a word, and cuts a text at
``maxLength``. So these rules stand one level deeper, where the server holds the value against them and refuses.
"""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from kilnworks.dags.markdown import plain
from kilnworks.pipelines.core.form import OWN, Field

CORRECTED = ("minimum", "maximum", "minLength", "maxLength")
"""Rules that the form would apply by itself."""
DRAFT = "http://json-schema.org/draft-07/schema#"
"""JSON schema in which nothing beside a reference counts."""


def param(field: Field) -> Param:
    """The field of a setting; what it sets, and when it counts, are kept for those who check what a trigger gives."""
    return asked(
        field.default,
        field.schema,
        field.help,
        title=field.title,
        section=field.section,
        setting=field.setting,
        **({} if field.choice is None else {"choice": list(field.choice)}),
    )


def asked(default: Any, schema: Mapping[str, Any], help_text: str, **look: Any) -> Param:
    """A field of a form.

    Args:
        default: what it shows when the form opens.
        schema: rules for a value.
        help_text: shown below it; backticks around code are left out.
        look: ``title``, ``section`` and whatever else Airflow keeps for the form.
    """
    return Param(default, description=plain(help_text), **_rules(schema, default), **look)


def settings_of(each: str) -> Param:
    """A field for settings, one a line, of every ``each``, such as a trial."""
    return Param(
        None,
        type=["string", "null"],
        format="multiline",
        title=f"settings of every {each}",
        description="STEP.FIELD=VALUE, one a line, such as model.epochs=10; those of the definition where empty.",
    )


def _rules(schema: Mapping[str, Any], default: Any) -> dict[str, Any]:
    """The rules; a field that may be left empty says so by its type, or the form would insist on a value."""
    if schema.get("open"):
        return _listed(schema)
    deeper = {key: schema[key] for key in CORRECTED if key in schema}
    rules = {key: value for key, value in schema.items() if key not in deeper} | ({"allOf": [deeper]} if deeper else {})
    if default is None and "type" not in rules:
        rules["type"] = ["object", "array", "string", "number", "boolean", "null"]
    if default == "" or (default is None and "null" not in _types(rules)):
        rules["type"] = [*_types(rules), "null"]
        rules |= {"enum": [*rules["enum"], None]} if "enum" in rules else {}
    return rules


def _listed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A list to choose from, beside which the place of a class of one's own may be given by REST."""
    either = {"type": "string", "anyOf": [{"enum": schema["enum"]}, {"pattern": OWN}]}
    return {**schema, "$schema": DRAFT, "$ref": "#/definitions/kind", "definitions": {"kind": either}}


def _types(rules: Mapping[str, Any]) -> list[str]:
    found = rules.get("type", [])
    return list(found) if isinstance(found, list) else [found]
