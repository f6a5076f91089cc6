"""Which column is to be predicted, and what kind of prediction that is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.quality.screening.columns.table import Spec
from kilnworks.components.starting.recipe import Decision
from kilnworks.components.starting.unsupported import refuse_guess, split_column
from kilnworks.components.tasks.asked import CLASSES, NUMBERS, Asked
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.magnitudes import FINITE, FLOAT32_MAX, LARGEST_SPREAD
from kilnworks.schemas.words import figure, named, shown

NAMES = ("label", "target", "y", "class", "outcome", "response", "churn", "churned", "default", "survived", "species")
"""Names that a label usually has, in lower case, the most usual first."""
FEW = 20
"""Whole numbers with at most this many different values are classes."""
WIDE = 10.0
"""Largest over smallest number from which on a label may be learned by its logarithm."""
CLEARLY = 0.05
"""Gain in log likelihood a row, in nats, from which on it is."""
_NAMED = re.compile(r"^(is_)?(label|target|class|outcome|response|y)(_|$)|(_|^)(label|target|class|outcome)$", re.I)


def asks_for_log(values: pl.Series) -> bool:
    """Whether numbers are usual in their logarithm rather than in their unit, as prices are: all above 0, and skewed.

    By the likelihood of a normal distribution of the values and of their logarithms (Box & Cox 1964), where the largest
    is at least ``WIDE`` times the smallest.
    """
    numbers = values.cast(pl.Float64).drop_nulls().to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < 2 or numbers.min() <= 0 or numbers.max() < WIDE * numbers.min():
        return False
    logs = np.log(numbers)
    return bool(np.log(logs.std()) + logs.mean() < np.log(numbers.std()) - CLEARLY)


def find_label(frame: pl.DataFrame, specs: dict[str, Spec], wanted: str | None) -> tuple[str, Decision | None]:
    """The label column; with a decision where nobody named it.

    Raises:
        UnknownName: no such column.
        ConfigError: nobody named it, and nothing tells which one it is.
    """
    if wanted is not None:
        if wanted not in frame.columns:
            raise UnknownName("column", wanted, frame.columns)
        return wanted, None
    split = split_column(frame)
    lower = {name.lower(): name for name in reversed(frame.columns)}
    for name in NAMES:
        if name in lower:
            return lower[name], guessed(lower[name], "its name is that of a label")
    named = [name for name in frame.columns if _NAMED.search(name)]
    if named:
        return named[-1], guessed(named[-1], "its name is that of a label")
    possible = [n for n in frame.columns if specs[n].kind in ("number", "category") and frame[n].n_unique() > 1]
    possible = [name for name in possible if name != split]
    if not possible:
        raise ConfigError("no column can be a label", "numbers or classes", "name it with --label")
    refuse_guess(frame, specs, possible[-1])
    return possible[-1], guessed(possible[-1], "it is the last column of numbers or classes")


def guessed(name: str, why: str) -> Decision:
    """What is said of a label that nobody named."""
    return Decision("label", named(name), f"a guess: {why}; name another with --label", flagged=True)


def refuse_one_class(label: str, classes: Sequence[Any]) -> None:
    """Raise ``ConfigError`` where a label has fewer than two classes."""
    if len(classes) < 2:
        found = f"one class, {shown(classes[0])}" if classes else "no value"
        raise ConfigError(f"label {named(label)} has {found}", "at least two classes", "name another --label")


def refuse_magnitude(series: pl.Series) -> None:
    """Raise ``ConfigError`` where numbers to be predicted are too large, or too small, for a model to learn."""
    values = series.cast(pl.Float64).drop_nulls()
    fit = values.filter(values.abs() <= FLOAT32_MAX)
    spread = float(fit.std() or 0.0) if fit.len() > 1 else 0.0  # type: ignore[arg-type]
    got = f"label {series.name!r} has a standard deviation of {figure(spread, 3)}" if spread else ""
    if fit.len() < 0.5 * values.len():
        got = f"label {series.name!r}: {values.len() - fit.len()} of {values.len()} values are not {FINITE}"
    elif not spread or 1 / LARGEST_SPREAD <= spread <= LARGEST_SPREAD:
        return
    raise ConfigError(
        got,
        f"a standard deviation from {1 / LARGEST_SPREAD:g} to {LARGEST_SPREAD:g}",
        "write the label in another unit, or as its logarithm",
    )


def task_of(spec: Spec, series: pl.Series, wanted: Asked | None) -> tuple[Asked, str]:
    """What kind of prediction, and why.

    Raises:
        ConfigError: texts for a regression.
    """
    kinds = series.drop_nulls().n_unique()
    number = spec.kind == "number" or spec.integer
    if wanted == NUMBERS and not number:
        raise ConfigError(
            f"--task regression, and {series.name!r} holds {spec.kind}",
            "a label of numbers",
            "leave --task out, or name another --label",
        )
    if wanted is not None:
        return wanted, "as asked"
    if spec.kind in ("category", "text") and not spec.integer:
        return CLASSES, "it holds texts"
    if spec.integer and kinds <= FEW:
        return CLASSES, f"it holds {kinds} different whole numbers"
    return NUMBERS, "it holds numbers"
