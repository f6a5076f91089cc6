"""Unions that a user's own classes may join: told apart by ``kind``, the package's by a word, others by their place.

::

    {"kind": "mlp", "units": [8]}                       a member of the union
    {"kind": "my_project.models:MyNet", "depth": 3}     any other subclass of the base
"""

from collections.abc import Iterator, Mapping
from inspect import isabstract
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler, SerializationInfo, SerializerFunctionWrapHandler
from pydantic_core import core_schema

from kilnworks.schemas.closure.loading import load
from kilnworks.schemas.errors import ConfigError, UnknownName

KIND = "kind"
"""The field by which the members of a union of configs are told apart."""


class OpenTo:
    """In ``Annotated``: the union also takes every subclass of ``base``, as an object or as plain values."""

    def __init__(self, base: type[BaseModel]) -> None:
        self.base = base

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """The union's own schema, with what it would refuse taken before."""
        members = frozenset(members_of(source))

        def taken(value: Any, check: core_schema.ValidatorFunctionWrapHandler) -> Any:
            return self._taken(value, check, members)

        def written(value: Any, write: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
            plain = write(value)
            if isinstance(plain, dict) and isinstance(value, self.base) and type(value) not in members:
                kind = place_of(type(value))
                return plain if kind is None or _left_out(info) else {KIND: kind, **without_kind(plain)}
            return plain

        inner = handler(source)
        serialization = core_schema.wrap_serializer_function_ser_schema(written, info_arg=True, schema=inner)
        return core_schema.no_info_wrap_validator_function(taken, inner, serialization=serialization)

    def _taken(self, value: Any, check: Any, members: frozenset[type[BaseModel]]) -> Any:
        if isinstance(value, self.base):
            return value
        if isinstance(value, BaseModel | type) or callable(value):
            raise ConfigError(
                f"{value!r}",
                f"an object of a class that derives from {self.base.__name__}",
                f"make an object of it, or derive its class from {self.base.__name__}",
            )
        if not isinstance(value, Mapping) or not isinstance(value.get(KIND), str):
            return check(value)
        kind = value[KIND]
        if any(kind in kinds_of(member) for member in members):
            return check(value)
        other = self.named(kind)
        return other.model_validate(value if kind in kinds_of(other) else without_kind(value))

    def named(self, kind: str) -> type[BaseModel]:
        """The class that a ``kind`` names.

        Raises:
            UnknownName: there is none; the message lists those that exist.
            ConfigError: ``module:name`` is something else than a subclass of the base, or cannot be imported.
        """
        if ":" in kind:
            return self._at(kind)
        found = [other for other in self.others() if kind in kinds_of(other)]
        if len(found) > 1:
            places = ", ".join(sorted(place_of(other) or other.__qualname__ for other in found))
            raise ConfigError(f"kind {kind!r} is that of {places}", "one class", "name it by its place, module:name")
        if not found:
            raise UnknownName(f"kind of {self.base.__name__}", kind, self.known())
        return found[0]

    def _at(self, place: str) -> type[BaseModel]:
        found = load(place)
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise ConfigError(
                f"{place} is no {self.base.__name__}",
                f"a class that derives from {self.base.__module__}.{self.base.__name__}",
                f"name such a class, or one of the kinds {', '.join(self.known())}",
            )
        return found

    def others(self) -> Iterator[type[BaseModel]]:
        """Every subclass of the base that this process has met and that can be made."""
        todo = [self.base]
        while todo:
            found = todo.pop()
            todo += found.__subclasses__()
            if found is not self.base and not isabstract(found):
                yield found

    def known(self) -> list[str]:
        """How the classes are called that this process has met: by their word, those of a project by their place."""
        return sorted({kind for other in self.others() for kind in (kinds_of(other) or (place_of(other),)) if kind})


def _left_out(info: SerializationInfo) -> bool:
    """Whether the caller asked for less than everything, so that a kind may be missing on purpose."""
    named = (info.exclude, info.include)
    return any(isinstance(part, set | dict) and KIND in part for part in named)


def place_of(kind: type) -> str | None:
    """``module:name`` of a class; None for one that was made inside of a function."""
    return None if "<locals>" in kind.__qualname__ else f"{kind.__module__}:{kind.__qualname__}"


def without_kind(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config apart from the name of its class."""
    return {name: value for name, value in values.items() if name != KIND}


def kinds_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Values of ``kind`` that a class takes; empty for a class that lists none."""
    field = model.model_fields.get(KIND)
    if field is None:
        return ()
    listed = get_args(field.annotation) if get_origin(field.annotation) is Literal else (field.default,)
    return tuple(kind for kind in listed if isinstance(kind, str) and kind)


def members_of(declared: Any) -> list[type[BaseModel]]:
    """The config classes that a type names, in a union or inside of a container."""
    if isinstance(declared, type) and issubclass(declared, BaseModel):
        return [declared]
    return [member for inner in get_args(declared) for member in members_of(inner)]


def openings_of(declared: Any) -> list[OpenTo]:
    """What a type is open to, in a union or inside of a container."""
    if isinstance(declared, OpenTo):
        return [declared]
    return [opening for inner in get_args(declared) for opening in openings_of(inner)]
