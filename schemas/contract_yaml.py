"""Contracts as YAML: names written once, lines in every message, texts quoted where YAML would read something else."""

import difflib
import re
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from kilnworks.schemas.errors import ContractError
from kilnworks.schemas.updates import LONGEST_RULE
from kilnworks.schemas.words import brief, cut, escaped, odd

LONGEST_FILE = 2 * 2**20
"""Most bytes of a contract file."""


def require_readable(size: int, origin: str) -> None:
    """Refuse a file that is no contract by its size: reading it would take minutes and gigabytes."""
    if size > LONGEST_FILE:
        raise ContractError(
            f"{origin} holds {size / 2**20:.1f} MiB",
            f"a contract of at most {LONGEST_FILE // 2**20} MiB",
            "name the contract, not the data; leave long lists of allowed values to a check of your own",
        )


def read_yaml(text: str, origin: str) -> Any:
    """The tree in a YAML text.

    Raises:
        ContractError: it is no YAML, nested too deep, or a name stands twice; ``origin`` and the line are named.
    """
    require_readable(len(text), origin)
    try:
        return yaml.load(text, _UniqueKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{origin}:{mark.line + 1}" if mark else origin
        problem = cut(getattr(error, "problem", None) or str(error), LONGEST_RULE)
        raise ContractError(f"{where}: not valid YAML: {problem}", "a YAML mapping", "correct the file") from None
    except RecursionError:
        raise ContractError(
            f"{origin}: brackets or blanks nested too deep", "a YAML mapping of a few levels", "correct the file"
        ) from None


def write_yaml(tree: dict[str, Any]) -> str:
    """A tree of plain values as YAML: a feature is one line, a list too; what a reader would not see is escaped."""
    return escaped(yaml.dump(tree, Dumper=_FlowLeaves, sort_keys=False, allow_unicode=True, width=120))


def refused(error: ValidationError, model: type[BaseModel], text: str, origin: str) -> ContractError:
    """The first fault that pydantic found, with its line of the file and what may stand there.

    Args:
        error: what validating raised.
        model: what the whole file was validated as.
        text: the file.
        origin: its name in the message.
    """
    first = error.errors(include_url=False)[0]
    location = tuple(p for p in first["loc"] if isinstance(p, int) or not p.startswith("function-"))
    line = _line(text, location)
    path = ".".join(map(str, location)) or "the file"
    message = cut(first["msg"].removeprefix("Value error, "), LONGEST_RULE)
    wanted = message
    fix = "correct this line"
    if first["type"] == "extra_forbidden":
        allowed = _fields_at(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), allowed, n=1, cutoff=0.5)
        wanted = f"one of the fields {', '.join(allowed)}"
        fix = f"did you mean {near[0]!r}?" if near else fix
        return ContractError(f"{origin}:{line}: unknown field {brief(path)}", wanted, fix)
    got = (
        "nothing"
        if first["type"] == "missing"
        else brief(first["input"])
        if not isinstance(first["input"], dict)
        else "a mapping"
    )
    return ContractError(f"{origin}:{line}: {path}: got {got}", wanted, fix)


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Field names allowed at a place of the file."""
    is_key = False
    for part in location:
        field = None if is_key else model.model_fields.get(str(part))
        inner, holds_many = _model_in(field.annotation) if field is not None else (None, False)
        model, is_key = inner or model, holds_many
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model that a field holds, if it does, and whether it holds several, by name or by number."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    found = [(model, many) for model, many in map(_model_in, get_args(annotation)) if model is not None]
    if not found:
        return None, False
    return found[0][0], found[0][1] or get_origin(annotation) in (dict, list, tuple)


def _line(text: str, location: tuple[int | str, ...]) -> int:
    """Line (from 1) of the deepest part of ``location`` that stands in the file."""
    node = yaml.compose(text, yaml.SafeLoader)
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            hit = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if hit is None:
                break
            line, node = hit[0].start_mark.line + 1, hit[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


class _UniqueKeys(yaml.SafeLoader):
    """Safe YAML in which a name written twice is an error, and every error names its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node. Raises ``MarkedYAMLError`` also for what is no date, no number, or no name of a key."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as error:
            kind = str(node.tag).rpartition(":")[2]
            text = brief(getattr(node, "value", ""), 40)
            problem = f"{text} is read as {_KINDS.get(kind, kind)} and is none ({cut(str(error), 80)}); quote a text"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from None


_KINDS = {"timestamp": "a date", "int": "a whole number", "float": "a number"}


def _unique_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict | set):
            problem = f"a {type(key).__name__} stands where a name does; quote a name with brackets"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
        if key in seen:
            raise yaml.MarkedYAMLError(problem=f"{brief(key)} is written twice", problem_mark=key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


class _FlowLeaves(yaml.SafeDumper):
    """Block style outside, ``{...}`` for a feature and ``[...]`` for a list: a contract reads as a table."""

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style)
        node.flow_style = all(
            isinstance(v, yaml.ScalarNode | yaml.SequenceNode) or k.value == "advances" for k, v in node.value
        ) and not {"name", "sketch"} & {k.value for k, _ in node.value}
        return node


_SKETCH = re.compile(r"([A-Za-z0-9+/=]+\n)+")


def _quoted_where_needed(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Plain text as PyYAML likes it; base 64 as a block; what is not seen, or not for sure, in double quotes."""
    style = None if not any(map(odd, text)) else "|" if _SKETCH.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_FlowLeaves.add_representer(str, _quoted_where_needed)
