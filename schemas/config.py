"""The base of every setting: a frozen, strictly checked value next to the function that it sets."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import ConfigError


class Config(BaseModel):
    """Frozen settings. An unknown name is an error; every field's description says its unit.

    Subclasses are written next to the component that they set. ``identity`` is what counts for the
    fingerprint of a step: two configs with the same identity make the same artifact.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)

    def identity(self) -> dict[str, Any]:
        """JSON-serializable content that decides what a step makes.

        A source replaces its location by the fingerprint of the bytes found there.
        """
        return {name: _identity(getattr(self, name)) for name in sorted(type(self).model_fields)}

    def updated(self, changes: Mapping[str, Any]) -> "Config":
        """A checked copy with fields replaced, addressed by dotted path: ``{"source.path": "x.csv"}``.

        Raises:
            ConfigError: an unknown field (the message lists those that exist) or a value out of range.
        """
        tree = self.model_dump()
        for path, value in changes.items():
            _set(tree, path, value, type(self).__name__)
        try:
            return type(self).model_validate(tree)
        except ValidationError as error:
            for e in error.errors(include_url=False):
                if e["type"] == "extra_forbidden":
                    raise _unknown_field(tree, e["loc"], type(self).__name__) from None
            raise ConfigError(
                explain(error), f"a valid {type(self).__name__}", "correct the value and run again"
            ) from None


def explain(error: ValidationError) -> str:
    """A pydantic error in one line a field: where, what was got, and the rule it broke."""
    lines = []
    for e in error.errors(include_url=False):
        where = ".".join(str(part) for part in e["loc"])
        message = e["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        got = "" if e["type"] == "missing" or isinstance(e["input"], dict) else f" (got {e['input']!r})"
        lines.append(f"{where + ': ' if where else ''}{message}{got}")
    return "; ".join(lines)


def _set(tree: dict[str, Any], path: str, value: Any, owner: str) -> None:
    """Replace one leaf of a nested dict, refusing names that are not there."""
    *parents, leaf = path.split(".")
    node: Any = tree
    for i, part in enumerate(parents):
        if not isinstance(node, dict) or part not in node:
            raise _no_field(".".join(parents[: i + 1]), node, owner)
        node = node[part]
    if not isinstance(node, dict):
        raise _no_field(path, node, owner)
    node[leaf] = value


def _no_field(path: str, node: Any, owner: str) -> ConfigError:
    have = ", ".join(map(str, node)) if isinstance(node, dict) else f"a plain value {node!r}"
    return ConfigError(f"{owner} has no field {path!r}", f"one of: {have}", "see `python -m pipelines show NAME`")


def _unknown_field(tree: dict[str, Any], location: tuple[int | str, ...], owner: str) -> ConfigError:
    """The error for a name that is not there, with those that are and the nearest of them."""
    node: Any = tree
    taken = []
    for part in location[:-1]:
        inside = node[part : part + 1] if isinstance(part, int) else [node[part]] if part in node else []
        if inside:
            node = inside[0]
            taken.append(part)
    have = [str(name) for name in node if name != location[-1]]
    near = difflib.get_close_matches(str(location[-1]), have, n=1, cutoff=0.5)
    path = ".".join(map(str, [*taken, location[-1]]))
    fix = f"did you mean {near[0]!r}?" if near else "see `python -m pipelines show NAME`"
    return ConfigError(f"{owner} has no field {path!r}", f"one of: {', '.join(have)}", fix)


def _identity(value: Any) -> Any:
    if isinstance(value, Config):
        return {"type": type(value).__name__, **value.identity()}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(k): _identity(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_identity(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    return value
