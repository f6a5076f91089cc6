"""Rows as a few codes by column, for tests that look at several columns at once."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from kilnworks.components.quality.screening.probes.probe import ProbeInput
from kilnworks.components.quality.stats.histogram import Histogram

Codes = NDArray[np.int16]
Floats = NDArray[np.float64]

COLUMNS = 40
"""Most columns that are looked at together."""
BINS = 6
LEVELS = 7
SHARE = 0.02
"""Share of the rows that a level must have to get a code of its own; choosing among rarer ones would favour chance."""


@dataclass(frozen=True)
class Coding:
    """How one column becomes a code: cut points of numbers or known levels; the last code means missing.

    Attributes:
        column: its name.
        edges: cut points, for numbers.
        levels: texts, for categories; another text gets the code after them.
        scores: normal scores of the codes, 0 for missing; [size].
    """

    column: str
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.edges) + 2 if not self.levels else len(self.levels) + 2

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` reads them back."""
        return {"column": self.column, "edges": self.edges, "levels": self.levels, "scores": self.scores}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> "Coding":
        """Read what ``to_json`` wrote."""
        return cls(tree["column"], tuple(tree["edges"]), tuple(tree["levels"]), tuple(tree["scores"]))


def learn_codings(batch: ProbeInput) -> list[Coding]:
    """Codings of the columns that vary, the label first."""
    table = batch.sample
    names = [n for n in table.names("number", "category", "datetime", "text") if n != batch.notes.get("stream")]
    names = [n for n in names if n not in batch.advances and (n not in batch.drifts or n == batch.label)]
    names.sort(key=lambda n: n != batch.label)
    found = [_learn(batch, n) for n in names]
    return [c for c in found if c is not None][:COLUMNS]


def _learn(batch: ProbeInput, name: str) -> Coding | None:
    table = batch.sample
    if table.specs[name].kind == "category":
        counts = table.texts(name).drop_nulls().alias("value").value_counts(sort=True)
        enough = counts.filter(pl.col("count") >= max(10.0, SHARE * int(counts["count"].sum()))).head(LEVELS)
        levels = tuple(enough[enough.columns[0]].to_list())
        if not levels or counts.height < 2:
            return None
        return Coding(name, levels=levels)
    values = _values(batch, name)
    if np.isfinite(values).sum() < 20:
        return None
    coarse = Histogram.quantiles(values, 60).coarse(BINS)
    if coarse.edges.size == 0 or (coarse.counts > 0).sum() < 2:
        return None
    return Coding(name, tuple(coarse.edges.tolist()), scores=(*ndtri(coarse.mid_ranks()).tolist(), 0.0))


def _values(batch: ProbeInput, name: str) -> Floats:
    if batch.sample.specs[name].kind == "text":
        lengths = batch.sample.texts(name).str.len_chars().cast(pl.Float64).to_numpy()
        return lengths.astype(float)
    return batch.sample.numbers(name)


def encode(batch: ProbeInput, codings: list[Coding]) -> Codes:
    """Codes [n, columns] of the sample's rows."""
    columns = [_encode(batch, c) for c in codings]
    return np.stack(columns, axis=1) if columns else np.zeros((batch.sample.rows, 0), np.int16)


def _encode(batch: ProbeInput, coding: Coding) -> Codes:
    if coding.levels:
        texts = batch.sample.texts(coding.column)
        position = {v: i for i, v in enumerate(coding.levels)}
        codes = texts.replace_strict(position, default=len(coding.levels), return_dtype=pl.Int64)
        return np.where(batch.sample.missing(coding.column), coding.size - 1, codes.fill_null(0).to_numpy()).astype(
            np.int16
        )
    values = _values(batch, coding.column)
    bins = np.searchsorted(np.asarray(coding.edges), values, side="left")
    return np.where(np.isnan(values), coding.size - 1, bins).astype(np.int16)


def one_hot(codes: Codes, codings: list[Coding]) -> tuple[NDArray[np.float32], list[slice]]:
    """Indicators [n, sum of sizes] and the place of each column in them."""
    starts = np.concatenate([[0], np.cumsum([c.size for c in codings])]).astype(int)
    out = np.zeros((codes.shape[0], int(starts[-1])), np.float32)
    rows = np.arange(codes.shape[0])
    for j in range(len(codings)):
        out[rows, starts[j] + codes[:, j]] = 1.0
    return out, [slice(int(a), int(b)) for a, b in pairwise(starts)]
