"""What a piece of work came to, in a few lines, from its ``results.json``, which may be damaged."""

from collections.abc import Mapping
from typing import Any

from kilnworks.schemas.json_values import as_dict, as_list, as_number

SHOWN = 4
"""Numbers that are told, at most."""


def headline(results: Mapping[str, Any]) -> str:
    """Mean and spread of a cross-validation, the verdicts of a diagnosis, or the command with a learning rate."""
    if "summary" in results:
        return "\n".join(_spread(name, as_dict(one)) for name, one in [*as_dict(results["summary"]).items()][:SHOWN])
    if "verdicts" in results:
        return "\n".join(map(_verdict, map(as_dict, as_list(results["verdicts"])))) or "nothing found"
    commands = [str(command) for command in as_list(results.get("commands")) if command]
    return "\n".join(commands) or "the loss hardly falls at these rates: try others"


def _spread(name: str, one: Mapping[str, Any]) -> str:
    mean, spread = as_number(one.get("mean")), as_number(one.get("sd"))
    words = "" if spread is None else f", standard deviation over folds {spread:.2g}"
    return f"{name} {'not known' if mean is None else f'{mean:.5g}'}{words}"


def _verdict(one: Mapping[str, Any]) -> str:
    return f"{one.get('title')}{'' if one.get('sure') else ', perhaps'}: {one.get('said')}"
