"""What a first look at a table does not make a pipeline of, refused by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import polars as pl

from kilnworks.components.quality.screening.columns.table import Spec, Table
from kilnworks.components.sources.splitting.splits import NAMES
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.words import listed, named

ROWS_A_CLASS = 10
"""Rows for each class, in the mean, below which values of a label are no classes."""
_SPLIT_NAME = re.compile(r"^(data_?)?(split|subset|partition|fold|set|part|usage)$", re.I)
_UNNAMED = re.compile(r"^(unnamed:?|column|col|field|feature|var|[cfvx])?[ _]?\d+$|^_duplicated|^$", re.I)
_VALUE = re.compile(r"[+-]?\d*[.,]\d+(e[+-]?\d+)?|[+-]\d+", re.I)
_BOX = re.compile(r"^\s*[\[({]?\s*-?\d+(\.\d+)?(\s*[,; ]\s*-?\d+(\.\d+)?){3}([,;]\s*-?\d+(\.\d+)?)*\s*[\])}]?\s*$")
_BOX_NAME = re.compile(r"(^|_)(bbox(es)?|box(es)?|bounding_?box(es)?)(_|$)", re.I)
_CORNERS = ({"xmin", "ymin", "xmax", "ymax"}, {"x1", "y1", "x2", "y2"}, {"left", "top", "right", "bottom"})
STEADY = 0.95
"""Share of equal steps in time from which on rows are a series."""


def split_column(frame: pl.DataFrame) -> str | None:
    """The column that names the split of a row (train, test, ...); None where there is none."""
    for name in frame.columns:
        if frame[name].dtype == pl.String and _SPLIT_NAME.match(name):
            values = {str(v).strip().lower() for v in frame[name].drop_nulls().unique().head(20)}
            if len(values) > 1 and values <= NAMES.keys():
                return name
    return None


def refuse_guess(frame: pl.DataFrame, specs: Mapping[str, Spec], label: str) -> None:
    """Raise ``ConfigError`` where nobody named the label and nothing tells that this column is one.

    Args:
        frame: all rows, in the types of the file.
        specs: what each column holds.
        label: the column that was guessed.
    """
    refuse_unnamed(label)
    values = [name for name in frame.columns if _VALUE.fullmatch(name.strip())]
    if values:
        raise ConfigError(
            f"a first line of values, such as {named(values[0])}",
            "names of the columns in the first line",
            "write them above the rows; --label takes the first line for names as it is",
        )
    dates = [name for name in frame.columns if specs[name].kind == "datetime"]
    numbers = [name for name in frame.columns if specs[name].kind == "number"]
    alone = specs[label].kind == "number" and len(dates) == 1 and len(numbers) == frame.width - 1
    if alone and _steady(frame[dates[0]], specs[dates[0]]):
        raise ConfigError(
            f"a series: {listed(map(named, numbers), 4)} at steady steps of {named(dates[0])}, and no horizon",
            "a label: what is known of a row together with its other columns",
            "--horizon N forecasts the next N steps of --label from those before; --label alone predicts a column from "
            "the others of its row",
        )


def refuse_unnamed(label: str) -> None:
    """Raise ``ConfigError`` where nobody named the label, and the column that was guessed has no name either."""
    if _UNNAMED.match(label):
        raise ConfigError(
            f"columns without names, such as {named(label)}",
            "the column that is to be predicted",
            "name it with --label; a first line with names helps",
        )


def _steady(series: pl.Series, spec: Spec) -> bool:
    """Whether rows follow each other at equal steps in time."""
    moments = Table(pl.DataFrame([series]), {series.name: spec}).numbers(series.name)
    steps = np.diff(moments[~np.isnan(moments)])
    if len(steps) < 10 or not np.median(steps) > 0:
        return False
    return bool((np.abs(steps - np.median(steps)) <= 0.11 * np.median(steps)).mean() >= STEADY)


def refuse_label(frame: pl.DataFrame, label: str) -> None:
    """Raise ``ConfigError`` for a label that says which split a row is of, or where boxes lie in a picture."""
    if label == split_column(frame):
        raise ConfigError(
            f"label {named(label)} names the split of each row", "what is to be predicted", "name another --label"
        )
    texts = frame[label].drop_nulls()
    shaped = texts.dtype == pl.String and len(texts) and all(_BOX.match(str(v)) for v in texts.head(200))
    corners = any({c.lower() for c in frame.columns} >= names for names in _CORNERS)
    if shaped or _BOX_NAME.search(label) or (corners and label.lower() in set().union(*_CORNERS)):
        raise ConfigError(
            f"label {named(label)}: boxes in pictures",
            "classes or numbers",
            "give the folder of the pictures with their boxes, or the file of boxes beside them (docs/detection.md)",
        )


def refuse_many_classes(contract: Contract, frame: pl.DataFrame) -> None:
    """Raise ``ConfigError`` where a label has more classes than a tenth of the rows."""
    label = contract.label
    if label is None or label.classes is None or len(label.classes) == 2:
        return
    rows = frame[label.name].len() - frame[label.name].null_count()
    if len(label.classes) > rows / ROWS_A_CLASS:
        raise ConfigError(
            f"label {named(label.name)}: {len(label.classes):,} classes in {rows:,} rows",
            f"at least {ROWS_A_CLASS} rows a class in the mean",
            "give more rows of each class, or name another --label; numbers are predicted with --task regression",
        )
