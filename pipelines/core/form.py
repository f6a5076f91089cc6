"""The settings of a pipeline as a form: one field for each, with type, range, choices and help text.

Derived from the JSON schemas of the step configs, so that the form refuses what the config would refuse.

::

    model.optimizer.kind             a choice of configs: which one
    model.optimizer.learning_rate    the settings of the one that the definition has
    model.optimizer.sgd.momentum     those of each other one; they count where it is chosen
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel

from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.rules import in_words, kept, rules
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.field_texts import field_texts
from kilnworks.schemas.kinds import KIND, kinds_of, members_of, openings_of
from kilnworks.schemas.masking import masked_tree
from kilnworks.schemas.updates import updated

OWN = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
"""Where a class of one's own is: ``module:name``."""


@dataclass(frozen=True)
class Field:
    """One setting.

    Attributes:
        name: of the field: ``STEP.FIELD``, as ``--set`` takes it, or ``STEP.FIELD.KIND.FIELD`` for what only counts
            where that kind is chosen.
        step: the step that it belongs to.
        default: the value in force when nobody changes it; JSON.
        help: what it means, with its unit and its range; Markdown.
        schema: rules for a value, a JSON schema without references.
        setting: as ``--set`` takes it.
        choice: the field that chooses a kind, and the kind for which this one counts; None where it always does.
    """

    name: str
    step: str
    default: Any
    help: str
    schema: Mapping[str, Any]
    setting: str
    choice: tuple[str, str] | None = None

    @property
    def section(self) -> str:
        """The heading it stands under: its step, and what must be chosen for it to count."""
        if self.choice is None:
            return self.step
        return f"{self.step}: {self.choice[0].partition('.')[2]} {self.choice[1]}"

    @property
    def title(self) -> str:
        """Its name below the step."""
        return self.setting.partition(".")[2]

    @property
    def is_choice(self) -> bool:
        """Whether it chooses between configs that have settings of their own."""
        return "open" in self.schema


def form(pipeline: Pipeline) -> tuple[Field, ...]:
    """Every setting of every step, in the order of the steps; not the contract, which is changed in its own file.

    Settings of kinds that are not in force come last of all, so that no long list of them stands before the next step.
    """
    fields = [field for step in pipeline.steps for field in settings_of(step.name, step.config)]
    return tuple(sorted(fields, key=lambda field: bool(field.choice)))


def settings_of(step: str, config: BaseModel) -> tuple[Field, ...]:
    """Every setting of one config, named below ``step``."""
    return tuple(_fields(_Place(step, step, step), config))


def changed(pipeline: Pipeline, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``values`` that differ from the definition: what goes to ``Pipeline.configured``.

    Names that are no setting are kept, so that ``configured`` can refuse them with the nearest that exists. A form has
    no empty text, only nothing; nothing for a setting that is empty by default is the default.

    Raises:
        ConfigError: a setting of a kind that is not chosen, or two values for one setting.
    """
    fields = {field.name: field for field in form(pipeline)}
    chosen = {name: values.get(name, field.default) for name, field in fields.items() if field.is_choice}
    found: dict[str, Any] = {}
    for name, value in values.items():
        field = fields.get(name)
        meant = "" if value is None and field is not None and field.default == "" else value
        if field is not None and meant == field.default:
            continue
        setting = name if field is None else field.setting
        _check_choice(field, value, chosen)
        if setting in found and found[setting] != meant:
            raise ConfigError(f"{found[setting]!r} and {meant!r} for {setting}", "one value", f"leave {name} as it is")
        found[setting] = meant
    return found


def _check_choice(field: Field | None, value: Any, chosen: Mapping[str, Any]) -> None:
    if field is not None and field.choice is not None and chosen.get(field.choice[0]) != field.choice[1]:
        choice, kind = field.choice
        raise ConfigError(
            f"{field.name} is {value!r}, and {choice} is {chosen.get(choice)!r}",
            f"settings of {chosen.get(choice)!r} only",
            f"choose {kind!r} for {choice}, or leave {field.name} as it was",
        )


@dataclass(frozen=True)
class _Place:
    """Where a config stands: its step, the names of its fields and settings, and the kind for which it counts."""

    step: str
    name: str
    setting: str
    choice: tuple[str, str] | None = None

    def inside(self, name: str) -> "_Place":
        return _Place(self.step, f"{self.name}.{name}", f"{self.setting}.{name}", self.choice)


def _fields(place: _Place, config: BaseModel) -> Iterator[Field]:
    """Fields of one config; a config inside it is opened as its own fields."""
    model = type(config)
    properties, definitions = _properties(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a config with required settings that are not filled in yet
        dumped = masked_tree(config.model_dump(mode="json"))
    for name, info in model.model_fields.items():
        value, here = getattr(config, name, None), place.inside(name)
        declared = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        if isinstance(value, Contract):
            continue
        if isinstance(value, BaseModel) and not isinstance(dumped.get(name), str):
            yield from _opened(here, config, name, declared)
            continue
        found = rules(properties[name], definitions)
        if "const" not in found and (name != KIND or "enum" in found):
            help_ = _help(model, name, found, declared)
            yield Field(here.name, here.step, dumped.get(name), help_, kept(found), here.setting, here.choice)


@cache
def _properties(model: type[BaseModel]) -> tuple[dict[str, Any], dict[str, Any]]:
    """JSON schema of each field, and what their references name; of a class that holds itself too."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    top = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return top.get("properties", {}), definitions


def _opened(here: _Place, config: BaseModel, name: str, declared: Any) -> Iterator[Field]:
    """Which config stands in a field, where there is a choice, its settings, and those of the others."""
    value = getattr(config, name)
    kinds = {kind: member for member in members_of(declared) for kind in kinds_of(member)}
    choice = here.choice is None and len(set(kinds.values())) > 1  # a kind inside of another one is JSON
    if choice:
        yield _choice(here, config, name, tuple(kinds), bool(openings_of(declared)))
    yield from _fields(here, value)
    for kind, member in kinds.items() if choice else ():
        if kind not in kinds_of(type(value)):
            there = _Place(here.step, f"{here.name}.{kind}", here.setting, (f"{here.name}.{KIND}", kind))
            yield from _fields(there, _switched(config, name, kind, member))


def _choice(here: _Place, config: BaseModel, name: str, kinds: tuple[str, ...], is_open: bool) -> Field:
    now = config.model_dump(mode="json")[name].get(KIND)
    listed = list(dict.fromkeys([now, *kinds]))
    own = "; a class of your own by its place, `module:Class`" if is_open else ""
    title, other = here.setting.partition(".")[2], next(kind for kind in kinds if kind != now)
    help_ = (
        f"Which {name}: {', '.join(f'`{kind}`' for kind in kinds)}{own}. The settings of `{now}` stand below, those of "
        f"each other one in a section of its own, such as `{here.step}: {title}.{KIND} {other}`."
    )
    schema = {"type": "string", "enum": listed, "open": is_open}
    return Field(f"{here.name}.{KIND}", here.step, now, help_, schema, f"{here.setting}.{KIND}")


def _switched(config: BaseModel, name: str, kind: str, member: type[BaseModel]) -> BaseModel:
    """The config of another kind as it would be if that alone were changed; without what must be filled in."""
    try:
        found = getattr(updated(config, {f"{name}.{KIND}": kind}), name)
    except ConfigError:
        return member.model_construct()
    return found if isinstance(found, BaseModel) else member.model_construct()


def _help(model: type[BaseModel], name: str, found: Mapping[str, Any], declared: Any) -> str:
    """What the field means, what is inside of it, and its range."""
    limits = in_words(found)
    ranges = f"{limits[0].upper()}{limits[1:]}." if limits else ""
    return " ".join(filter(None, [_meaning(model, name, found), _inside(declared), ranges]))


def _meaning(model: type[BaseModel], name: str, found: Mapping[str, Any]) -> str:
    """The text of the field; where it has none that of a base class, or of the config that stands in it."""
    classes = [base for base in model.__mro__ if issubclass(base, BaseModel)]
    bases = [base for base in classes if name in base.model_fields]
    said = [base.model_fields[name].description or field_texts(base).get(name) for base in bases]
    texts = [*said, found.get("description")]
    text = next((str(text) for text in texts if text), "")
    return " ".join(text.partition("\n\n")[0].split())


def _inside(declared: Any) -> str:
    """The settings of a config that is written as JSON."""
    members = [member for member in dict.fromkeys(members_of(declared)) if _properties(member)[0]]
    if len(members) > 1:
        kinds = ", ".join(f"`{kind}`" for member in members for kind in kinds_of(member))
        return f"JSON with `{KIND}` (one of {kinds}) and the settings of that kind." if kinds else ""
    return f"JSON with {_names(members[0])}." if members else ""


def _names(model: type[BaseModel]) -> str:
    properties, definitions = _properties(model)
    found = {name: rules(schema, definitions) for name, schema in properties.items()}
    return ", ".join(f"`{name}`{_bracketed(name, model, rule)}" for name, rule in found.items())


def _bracketed(name: str, model: type[BaseModel], rule: Mapping[str, Any]) -> str:
    enum = [f"`{value}`" for value in rule.get("enum", []) if value is not None and str(value).strip()]
    words = "one of " + ", ".join(enum) if enum else f"`{rule['const']}`" if "const" in rule else in_words(rule)
    needed = "needed" if model.model_fields[name].is_required() else ""
    inside = ", ".join(filter(None, [needed, words]))
    return f" ({inside})" if inside else ""
