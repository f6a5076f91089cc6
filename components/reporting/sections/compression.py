"""A model and the smaller one made of it, side by side."""

from typing import Any

from kilnworks.components.charts.scale import bytes_text
from kilnworks.components.reporting.reading import RunRecord
from kilnworks.components.reporting.sections.wording import metric_label
from kilnworks.schemas.json_values import as_dict, as_list, as_number
from kilnworks.schemas.words import figure, signed

WORDS = {
    "trained": "as it was trained",
    "int8": "weights in one byte (int8)",
    "pruned": "pruned",
    "litert": "a file for LiteRT",
}
VARIABLES = 30
"""Rows of the table of weights."""


def compression(run: RunRecord) -> dict[str, Any] | None:
    """Size, speed and metrics of both; None where nothing was compressed."""
    told = run.find("compression.json")
    models = [as_dict(one) for one in as_list(told.get("models"))]
    if not models:
        return None
    batches = [*as_dict(models[0].get("milliseconds"))]
    variables = [_variable(as_dict(one)) for one in as_list(told.get("variables"))]
    return {
        "batches": batches,
        "models": [_model(one, batches, models[0]) for one in models],
        "names": [str(one.get("name")) for one in models],
        "metrics": _metrics(models),
        "lost": str(as_dict(told.get("lost")).get("text") or ""),
        "said": str(told.get("said") or ""),
        "variables": variables[:VARIABLES],
        "more": max(0, len(variables) - VARIABLES),
        "measure": "weights that are 0" if told.get("to") == "pruned" else "largest change of a weight",
        "left": [_left(as_dict(one)) for one in as_list(told.get("left"))][:VARIABLES],
    }


def _model(one: dict[str, Any], batches: list[str], first: dict[str, Any]) -> dict[str, Any]:
    size, nonzero = as_number(one.get("bytes")) or 0.0, as_number(one.get("nonzero"))
    was = as_number(first.get("bytes")) or 0.0
    times = as_dict(one.get("milliseconds"))
    return {
        "name": WORDS.get(str(one.get("name")), str(one.get("name"))),
        "size": bytes_text(size),
        "share": f"{size / was:.0%} of it" if was and one is not first else "",
        "packed": bytes_text(as_number(one.get("packed")) or 0.0),
        "nonzero": f"{nonzero:,.0f}" if nonzero is not None else "",
        "times": [f"{figure(as_number(times.get(batch)) or 0.0, 3)} ms" for batch in batches],
    }


def _metrics(models: list[dict[str, Any]]) -> dict[str, Any]:
    """A row for each metric: of every split the values of both, and how far they are apart."""
    sides = [as_dict(one.get("metrics")) for one in models]
    splits = [*sides[0]]
    names = list(dict.fromkeys(name for side in sides for split in splits for name in as_dict(side.get(split))))
    rows = [
        {"name": metric_label(name), "cells": [cell for split in splits for cell in _cells(sides, split, name)]}
        for name in names
    ]
    return {"splits": splits, "rows": rows}


def _cells(sides: list[dict[str, Any]], split: str, name: str) -> list[str]:
    values = [as_number(as_dict(side.get(split)).get(name)) for side in sides]
    known = [value for value in values if value is not None]
    apart = signed(known[-1] - known[0]) if len(known) == len(values) else ""
    return [*("" if value is None else figure(value) for value in values), apart]


def _variable(one: dict[str, Any]) -> dict[str, str]:
    zero, moved = as_number(one.get("zero")), as_number(one.get("moved"))
    measure = f"{zero:.1%}" if zero is not None else "" if moved is None else f"{moved:.2%} of the largest"
    return {"name": str(one.get("name")), "shape": _shape(one), "measure": measure}


def _left(one: dict[str, Any]) -> str:
    why = str(one.get("why") or "")
    return f"{one.get('name')} {_shape(one)}" + (f": {why}" if why else "")


def _shape(one: dict[str, Any]) -> str:
    return "[" + ", ".join(str(axis) for axis in as_list(one.get("shape"))) + "]"
