"""Settings changed by dotted path: node by node, so that everything inside keeps the class that it has.

A config may hold an object of a class that the type of its field does not name: ``class My(Mlp)`` where an ``Mlp`` is
declared. Writing the whole as plain values and reading it again would make it an ``Mlp``.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.kinds import KIND, kinds_of, members_of, openings_of, place_of, without_kind
from kilnworks.schemas.words import brief, cut

MOST_FAULTS = 20
"""Faults that a message names."""
LONGEST_RULE = 500
"""Characters of a rule in a message; a validator may repeat the value."""

C = TypeVar("C", bound=BaseModel)


def updated(config: C, changes: Mapping[str, Any]) -> C:
    """A checked copy with fields replaced, addressed by dotted path: ``{"source.path": "x.csv"}``.

    Raises:
        ConfigError: an unknown field (the message lists those that exist) or a value out of range.
    """
    return _Update(type(config).__name__).config(config, changes, "")


def replacements(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """In words, every config in ``before`` that is of another class in ``after``, and the settings that it lost."""
    if isinstance(before, BaseModel) and isinstance(after, BaseModel) and type(before) is not type(after):
        fields, new = type(before).model_fields, type(after).model_fields
        lost = [name for name in fields if name in before.model_fields_set and name not in new]
        gone = f", which has no {', '.join(lost)}" if lost else ""
        yield f"{path} is {type(after).__name__} instead of {type(before).__name__}{gone}"
        return
    have, now = _children(before), _children(after)
    for name in have.keys() & now.keys():
        yield from replacements(have[name], now[name], _join(path, name))


def _children(node: Any) -> dict[str, Any]:
    """What lies directly in a config, mapping or sequence, by name."""
    if isinstance(node, BaseModel):
        return {name: getattr(node, name) for name in type(node).model_fields}
    if isinstance(node, Mapping):
        return {str(name): value for name, value in node.items()}
    return {str(i): value for i, value in enumerate(node)} if isinstance(node, list | tuple) else {}


def explain(error: ValidationError, path: str = "") -> str:
    """A pydantic error in one line a field: where, what was got, and the rule it broke."""
    lines = []
    for e in error.errors(include_url=False):
        where = ".".join(str(part) for part in ((path,) if path else ()) + e["loc"])
        message = cut(_rule(e, error.title), LONGEST_RULE)
        is_told = e["type"] in ("missing", "extra_forbidden", "secret_text") or isinstance(e["input"], dict | BaseModel)
        got = "" if is_told else f" (got {brief(e['input'])})"
        lines.append(f"{where + ': ' if where else ''}{message}{got}")
        if len(lines) == MOST_FAULTS < error.error_count():
            lines.append(f"and {error.error_count() - MOST_FAULTS} more")
            break
    return "; ".join(lines)


def _rule(error: ErrorDetails, owner: str) -> str:
    """The rule that was broken; for a setting that does not exist, the nearest one that does."""
    if error["type"] == "missing":
        return "is needed"
    if error["type"] != "extra_forbidden":
        return error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    have = sorted(_settings_of(owner)) if len(error["loc"]) == 1 else []
    near = difflib.get_close_matches(str(error["loc"][-1]), have, n=1, cutoff=0.5)
    offer = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(have)}" if have else ""
    return f"there is no such setting{offer}"


def _settings_of(name: str) -> set[str]:
    """Fields of the one class of that name; none where several have it."""
    found = [kind for kind in _below(BaseModel) if kind.__name__ == name]
    return set(found[0].model_fields) if len(found) == 1 else set()


def _below(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _below(kind)


class _Update:
    """One update of a config; ``owner`` is its name in messages."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    def config(self, config: C, changes: Mapping[str, Any], path: str) -> C:
        """A checked copy of a config."""
        have = _children(config)
        new = self._inside(have, changes, path, _types(type(config)))
        kept = {name: have[name] for name in config.model_fields_set}
        return self._made(type(config), {**kept, **new}, path)

    def _inside(
        self, have: Mapping[str, Any], changes: Mapping[str, Any], path: str, types: Mapping[str, Any]
    ) -> dict[str, Any]:
        """New values by name, of what is changed directly in ``have`` or below."""
        found: dict[str, Any] = {}
        for name, below in _by_first(changes).items():
            if name not in have:
                raise self._no_field(_join(path, name), list(have))
            value, where, declared = have[name], _join(path, name), types.get(name)
            if "" in below:
                value = self._given(value, below.pop(""), where, declared)
            found[name] = self._node(value, below, where, declared) if below else value
        return found

    def _node(self, node: Any, changes: Mapping[str, Any], path: str, declared: Any) -> Any:
        """A copy of whatever stands in a field, changed inside."""
        if isinstance(node, BaseModel):
            other = self._other_kind(node, changes.get(KIND), path, declared)
            return (
                self.config(node, _inside(type(node), changes), path)
                if other is None
                else self._switched(node, other, changes, path)
            )
        have = _children(node)
        if isinstance(node, Mapping):
            fresh: dict[str, Any] = {name: {} for name in _by_first(changes) if name not in have}
            return {**have, **self._inside({**have, **fresh}, changes, path, dict.fromkeys(have, declared))}
        if isinstance(node, list | tuple):
            return list({**have, **self._inside(have, changes, path, dict.fromkeys(have, declared))}.values())
        raise ConfigError(
            f"{self._owner} has no field {_join(path, next(iter(changes)))!r}",
            f"one of: a plain value {node!r} for {path}",
            "see `kilnworks show NAME`",
        )

    def _switched(self, node: BaseModel, kind: type[BaseModel], changes: Mapping[str, Any], path: str) -> BaseModel:
        """A config of another class, with what was set in ``node`` where it has that field too."""
        kept = {name: getattr(node, name) for name in node.model_fields_set & kind.model_fields.keys() - {KIND}}
        flat = _inside(kind, {name: value for name, value in changes.items() if "." not in name})
        below = {name: value for name, value in changes.items() if "." in name}
        made = self._made(kind, {**kept, **flat}, path)
        return self.config(made, below, path) if below else made

    def _given(self, old: Any, new: Any, path: str, declared: Any) -> Any:
        """A value from outside for what stands in a field; plain values for a config make one of the same class."""
        have = _children(old)
        if isinstance(old, BaseModel) and isinstance(new, Mapping):
            other = self._other_kind(old, new.get(KIND), path, declared)
            if other is not None:
                return self._made(other, _inside(other, new), path)
            types = _types(type(old))
            return self._made(type(old), self._each(have, _inside(type(old), new), path, types), path)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            return self._each(have, new, path, dict.fromkeys(map(str, new), declared))
        if isinstance(old, list | tuple) and isinstance(new, list | tuple):
            return list(self._each(have, _children(new), path, dict.fromkeys(have, declared)).values())
        return new

    def _each(
        self, have: Mapping[str, Any], new: Mapping[Any, Any], path: str, types: Mapping[str, Any]
    ) -> dict[Any, Any]:
        return {n: self._given(have.get(str(n)), v, _join(path, str(n)), types.get(str(n))) for n, v in new.items()}

    def _other_kind(self, node: BaseModel, kind: Any, path: str, declared: Any) -> type[BaseModel] | None:
        """The class that another ``kind`` asks for; None where the class of ``node`` is the one that is meant."""
        if kind is None or kind in kinds_of(type(node)) or kind == place_of(type(node)):
            return None
        members = {name: member for member in members_of(declared) for name in kinds_of(member)}
        if kind in members:
            return members[kind]
        if isinstance(kind, str):
            for opening in openings_of(declared):
                if isinstance(node, opening.base) and (":" in kind or kind in opening.known()):
                    return opening.named(kind)
        if len(set(members.values())) < 2:
            return None
        have = dict.fromkeys([*kinds_of(type(node)), *members, *(n for o in openings_of(declared) for n in o.known())])
        near = difflib.get_close_matches(str(kind), map(str, have), n=1, cutoff=0.5)
        raise ConfigError(
            f"{self._owner} has no {_join(path, KIND)} {kind!r}",
            f"one of: {', '.join(map(str, have))}",
            f"did you mean {near[0]!r}?" if near else "see `kilnworks show NAME`",
        )

    def _made(self, kind: type[C], values: Mapping[str, Any], path: str) -> C:
        """A config of a class. Raises ``ConfigError`` that names the field from the top."""
        try:
            return kind.model_validate(values)
        except ValidationError as error:
            for e in error.errors(include_url=False):
                if e["type"] == "extra_forbidden":
                    where, have = _located(kind, e["loc"])
                    raise self._no_field(_join(path, where), have) from None
            raise ConfigError(
                explain(error, path), f"a valid {self._owner}", "correct the value and run again"
            ) from None

    def _no_field(self, path: str, have: list[str]) -> ConfigError:
        near = difflib.get_close_matches(path.rpartition(".")[2], have, n=1, cutoff=0.5)
        fix = f"did you mean {near[0]!r}?" if near else "see `kilnworks show NAME`"
        return ConfigError(f"{self._owner} has no field {path!r}", f"one of: {', '.join(have) or 'none'}", fix)


def _inside(kind: type[BaseModel], changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Changes of a config without the name of its class, where that is no value of a field."""
    return without_kind(changes) if changes.get(KIND) == place_of(kind) else changes


def _by_first(changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """``{"a.b": 1, "a.c": 2, "d": 3}`` as ``{"a": {"b": 1, "c": 2}, "d": {"": 3}}``."""
    found: dict[str, dict[str, Any]] = {}
    for path, value in changes.items():
        first, _, rest = path.partition(".")
        found.setdefault(first, {})[rest] = value
    return found


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _types(model: type[BaseModel]) -> dict[str, Any]:
    """Name -> declared type of every field, with what is annotated to it."""
    return {
        name: Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        for name, field in model.model_fields.items()
    }


def _located(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """Dotted path of an unknown name, and the names that exist where it was found.

    In a location, ``kind`` of a member of a union stands behind the field that holds it.
    """
    found, path = [model], []
    for part in location[:-1]:
        tagged = [member for member in found if part in kinds_of(member)]
        if not tagged:
            path.append(str(part))
        inside = [member for one in found for member in members_of(_types(one).get(str(part)))]
        found = tagged or inside or found
    return ".".join([*path, str(location[-1])]), list(dict.fromkeys(name for one in found for name in _types(one)))
