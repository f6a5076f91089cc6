"""The base of every setting: a frozen, strictly checked value next to the function that it sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from kilnworks.schemas.kinds import OpenTo
from kilnworks.schemas.masking import masked_tree
from kilnworks.schemas.places import anchored_path
from kilnworks.schemas.secret import Secret, SecretUrl
from kilnworks.schemas.updates import updated

__all__ = ["Config", "Secret", "SecretUrl", "accept_any"]


class Config(BaseModel):
    """Frozen settings. An unknown name is an error; the text below every field says its unit (``field_texts``).

    Subclasses are written next to the component that they set. ``identity`` is what counts for the
    fingerprint of a step: two configs with the same identity make the same artifact.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        polymorphic_serialization=True,
    )

    path_fields: ClassVar[tuple[str, ...]] = ()
    """Texts that name a file, a folder or a URL; a field of type ``Path`` needs no mention."""

    def anchored(self, root: Path) -> Self:
        """A copy whose relative paths count from ``root``, also those of the configs inside; itself without any."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        found = {name: _anchored(value, root, name in self.path_fields) for name, value in fields.items()}
        moved = {name: value for name, value in found.items() if value is not fields[name]}
        return self.model_copy(update=moved) if moved else self

    def without_secrets(self) -> dict[str, Any]:
        """JSON-serializable content to print and to store: without secrets, also those in fields of other types."""
        return dict(masked_tree(self.model_dump(mode="json")))

    def identity(self) -> dict[str, Any]:
        """JSON-serializable content that decides what a step makes.

        A source replaces its location by the fingerprint of the bytes found there.
        """
        return {name: _identity(getattr(self, name)) for name in sorted(type(self).model_fields)}

    def updated(self, changes: Mapping[str, Any]) -> Self:
        """A checked copy with fields replaced, addressed by dotted path: ``{"source.path": "x.csv"}``.

        Every config inside keeps its class, also one that the type of its field does not name. Only another ``kind``
        asks for another class; what was set of fields that this one has too is kept (``replacements`` says so).

        Raises:
            ConfigError: an unknown field (the message lists those that exist) or a value out of range.
        """
        return updated(self, changes)


def accept_any(base: type[Config]) -> OpenTo:
    """For a union of configs: every other subclass of ``base`` is taken too, also as plain values.

    Plain values name such a class by its place: ``{"kind": "my_project.models:MyNet", ...}``; so are they written.
    """
    return OpenTo(base)


def _anchored(value: Any, root: Path, is_path: bool) -> Any:
    """A value of a setting with its paths counted from ``root``; the same object where nothing changes."""
    match value:
        case Config():
            return value.anchored(root)
        case Path():
            return Path(anchored_path(str(value), root)) if not value.is_absolute() else value
        case str() if is_path:
            return anchored_path(value, root)
        case Mapping():
            found = {key: _anchored(one, root, is_path) for key, one in value.items()}
            return found if any(found[key] is not one for key, one in value.items()) else value
        case list() | tuple():
            parts = [_anchored(one, root, is_path) for one in value]
            return type(value)(parts) if any(a is not b for a, b in zip(parts, value, strict=True)) else value
        case _:
            return value


def _identity(value: Any) -> Any:
    if isinstance(value, Config):
        return {"type": f"{type(value).__module__}:{type(value).__qualname__}", **value.identity()}
    if isinstance(value, Secret):
        return value.identity()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(k): _identity(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_identity(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((_identity(v) for v in value), key=repr)
    if callable(value):
        return f"{value.__module__}:{getattr(value, '__qualname__', type(value).__qualname__)}"
    if isinstance(value, Path):
        return str(value)
    return value
