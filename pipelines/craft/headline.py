"""What a piece of work came to, in a few lines, from its ``results.json``, which may be damaged."""

from collections.abc import Mapping
from typing import Any

from kilnworks.schemas.json_values import as_dict, as_list, as_number
from kilnworks.schemas.words import figure

SHOWN = 4
"""Numbers that are told in a line, or a line each, at most."""


def headline(results: Mapping[str, Any]) -> str:
    """Mean and spread of a cross-validation, the verdicts of a diagnosis, or the command with a learning rate."""
    if "summary" in results:
        summary = as_dict(results["summary"])
        return "\n".join(_spread(name, as_dict(summary[name])) for name in told_first(results))
    if "verdicts" in results:
        return "\n".join(map(_verdict, map(as_dict, as_list(results["verdicts"])))) or "nothing found"
    commands = [str(command) for command in as_list(results.get("commands")) if command]
    return "\n".join(commands) or "the loss hardly falls at these rates: try others"


def told_first(results: Mapping[str, Any]) -> list[str]:
    """Names of the numbers of a cross-validation that are told where few fit: the monitored, then the validation's."""
    summary, folds = as_dict(results.get("summary")), as_list(results.get("folds"))
    names = [*(str(as_dict(fold).get("monitor")) for fold in folds[:1]), *(n for n in summary if n.startswith("val_"))]
    return [name for name in dict.fromkeys(names if folds else summary) if name in summary][:SHOWN]


def _spread(name: str, one: Mapping[str, Any]) -> str:
    mean, spread = as_number(one.get("mean")), as_number(one.get("sd"))
    words = "" if spread is None else f", standard deviation over folds {figure(spread, 2)}"
    return f"{name} {'not known' if mean is None else figure(mean, 5)}{words}"


def _verdict(one: Mapping[str, Any]) -> str:
    return f"{one.get('title')}{'' if one.get('sure') else ', perhaps'}: {one.get('said')}"
