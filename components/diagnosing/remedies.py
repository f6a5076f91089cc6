"""What to try, with the command for it: settings that the definition's own architecture has. Plain values."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import yaml

from kilnworks.schemas.json_values import as_dict, as_list, as_number

if TYPE_CHECKING:
    from kilnworks.components.diagnosing.facts import Facts

WIDTHS = ("units", "filters")
"""Settings of architectures that hold the widths of layers."""


@dataclass(frozen=True)
class Remedy:
    """What to try.

    Attributes:
        words: what it is.
        command: that does it; empty where there is none.
    """

    words: str
    command: str


def other(words: str, command: str) -> Remedy:
    """One that no setting decides."""
    return Remedy(words, command)


def more_able(facts: Facts) -> tuple[Remedy, ...]:
    """Against high bias."""
    model, found = as_dict(as_dict(facts.training.get("config")).get("model")), []
    for name in WIDTHS:
        widths = [as_number(width) for width in as_list(model.get(name))]
        if widths and all(width is not None for width in widths):
            wider = [max(32, 2 * int(width or 0)) for width in widths]
            found.append(_set(facts, "wider layers", {f"model.{name}": wider}))
    found += [_set(facts, f"without {name}", {f"model.{name}": 0}) for name in ("dropout", "l2") if model.get(name)]
    return (
        *found[:2],
        Remedy("a learning rate that fits", f"kilnworks lr-find {facts.pipeline}"),
        Remedy("a search for a better network", f"kilnworks tune {facts.pipeline}"),
    )


def less_free(facts: Facts) -> tuple[Remedy, ...]:
    """Against high variance."""
    config = as_dict(facts.training.get("config"))
    model, found = as_dict(config.get("model")), []
    if "dropout" in model:
        rate = as_number(model["dropout"]) or 0.0
        found.append(_set(facts, "more dropout", {"model.dropout": round(min(0.7, rate + 0.3), 3)}))
    if "l2" in model:
        found.append(_set(facts, "a penalty on weights", {"model.l2": 10 * (as_number(model["l2"]) or 1e-4)}))
    widths = [int(as_number(width) or 0) for width in as_list(model.get("units"))]
    if widths:
        found.append(_set(facts, "narrower layers", {"model.units": [max(4, width // 4) for width in widths]}))
    if not config.get("early_stopping"):
        found.append(_set(facts, "an end when validation gets no better", {"early_stopping": {"patience": 5}}))
    curve = Remedy(
        "more rows, if they are to be had; this says whether they help", f"kilnworks diagnose {facts.pipeline}"
    )
    return (
        *found,
        *([] if facts.points else [curve]),
        Remedy("a search for a better network", f"kilnworks tune {facts.pipeline}"),
    )


def longer(facts: Facts, epochs: int) -> tuple[Remedy, ...]:
    """Against an early end."""
    return (
        _set(facts, "more epochs", {"epochs": 3 * epochs}),
        Remedy("a higher learning rate", f"kilnworks lr-find {facts.pipeline}"),
    )


def _set(facts: Facts, words: str, settings: dict[str, Any]) -> Remedy:
    new = {f"{facts.step}.{name}": value for name, value in settings.items()}
    return Remedy(words, run_with(facts.pipeline, {**facts.settings, **new}))


def run_with(pipeline: str, settings: Mapping[str, Any]) -> str:
    """The command that runs a pipeline with some settings."""
    given = (f"--set {shlex.quote(f'{name}={_value(value)}')}" for name, value in settings.items())
    return " ".join([f"kilnworks run {pipeline}", *given])


def _value(value: Any) -> str:
    """As ``--set`` reads it: YAML 1.1 takes an exponent for a number only behind a point."""
    if isinstance(value, float):
        text = f"{Decimal(repr(float(value))):f}"
        return text if "." in text else f"{text}.0"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    """A text, in quotes where YAML takes it for something else: a number, a word such as ``yes``, one with a ``#``."""
    try:
        return value if yaml.safe_load(value) == value else json.dumps(value)
    except yaml.YAMLError:
        return value
