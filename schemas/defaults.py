"""Which settings of a config somebody has chosen: those that differ from what the class would have taken."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from kilnworks.schemas.config import Config


def not_default(config: Config) -> dict[str, Any]:
    """Dotted name -> value of every setting that differs from its default, JSON-serializable and without secrets.

    A config inside that is of the same class as the default in its place is compared with that one, any other with the
    defaults of its own class; its ``kind`` is named too. A required setting has no default and is always named.
    """
    return dict(_chosen(config, None, config.without_secrets(), ""))


def _chosen(
    config: BaseModel, usual: BaseModel | None, shown: Mapping[str, Any], above: str
) -> Iterator[tuple[str, Any]]:
    if usual is None and "kind" in shown:
        yield f"{above}kind", shown["kind"]
    for name in type(config).model_fields:
        value, base = getattr(config, name), _default(config, usual, name)
        if value != base and name in shown and name != "kind":
            yield from _inside(value, base, shown[name], f"{above}{name}")


def _inside(value: Any, base: Any, shown: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A value that differs, by its parts where it is a config or maps names to configs."""
    if isinstance(value, BaseModel) and isinstance(shown, Mapping):
        yield from _chosen(value, base if type(base) is type(value) else None, shown, f"{name}.")
    elif isinstance(value, Mapping) and any(isinstance(one, BaseModel) for one in value.values()):
        usual = base if isinstance(base, Mapping) else {}
        for key, one in value.items():
            if one != usual.get(key):
                yield from _inside(one, usual.get(key), shown[key], f"{name}.{key}")
    else:
        yield name, shown


def _default(config: BaseModel, usual: BaseModel | None, name: str) -> Any:
    """What a field would hold if nobody had said anything; a value that equals nothing where it is required."""
    if usual is not None:
        return getattr(usual, name)
    field = type(config).model_fields[name]
    return PydanticUndefined if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
