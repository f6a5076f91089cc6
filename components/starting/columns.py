"""Which columns a first model leaves out, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kilnworks.components.dates.unread import unread, unread_dates
from kilnworks.components.quality.screening.columns.table import Spec, Table
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.magnitudes import FINITE
from kilnworks.schemas.words import shown

RARE_ROWS = 5
RARE_SHARE = 0.0005
"""A column whose other values fill fewer rows than this, and than ``RARE_ROWS``, hardly varies."""
TEXT_DISTINCT = 0.5
"""A text of which more than this share of values occur once is not a category."""
LONG_TEXT = 60
"""Characters, in the mean, from which on a text is one to be read."""
FEW_ENDLESS = 0.005
"""Up to this share of rows may hold an infinite number, or one beyond float32, and be set aside."""
MANY = 6
"""Whole numbers with more values than this, and the name of a code, are categories."""


@dataclass(frozen=True)
class LeftOut:
    """A column that the model does not see.

    Attributes:
        name: of the column.
        reason: key, constant, ... and the evidence.
    """

    name: str
    reason: str


def left_out(contract: Contract, frame: pl.DataFrame, specs: dict[str, Spec]) -> list[LeftOut]:
    """Keys, constants, near-constants and free texts, in the order of the columns.

    Args:
        contract: as inferred; its key and what it ignores are keys or constants.
        frame: all rows, in the types of the file.
        specs: what each column holds.
    """
    found = []
    for name in frame.columns:
        if contract.label is not None and name == contract.label.name:
            continue
        reason = _reason(name, contract, frame[name], specs[name])
        if reason:
            found.append(LeftOut(name, reason))
    return found


def columns_like_dates(frame: pl.DataFrame, specs: dict[str, Spec]) -> list[str]:
    """Columns of texts like dates that are read in no way, and so cannot say when a row was made."""
    texts = [n for n in frame.columns if frame[n].dtype == pl.String and specs[n].kind in ("text", "category")]
    return [n for n in texts if unread_dates(frame[n].filter(frame[n] != ""))]


def _reason(name: str, contract: Contract, series: pl.Series, spec: Spec) -> str:
    if name == contract.key or spec.kind == "key":
        return _key(series)
    if name == contract.time and name not in contract.features:
        return ""
    filled = series.drop_nulls()
    if series.dtype == pl.String:
        filled = filled.filter(filled != "")
    if name in contract.ignore or filled.n_unique() < 2 <= len(series):
        return _constant(series, filled)
    most = int(series.alias("value").value_counts(sort=True)["count"][0])
    others = len(series) - most
    if others <= max(RARE_ROWS, RARE_SHARE * len(series)):
        return f"nearly constant: all but {others} of {len(series):,} rows are alike"
    if name in contract.features and contract.features[name].text:
        return ""
    return _endless(series, spec) or ((unread(filled) or _text(filled)) if spec.kind == "text" else "")


def _key(series: pl.Series) -> str:
    """Why a column names rows: how far its values are all different."""
    filled = series.drop_nulls()
    filled = filled.filter(filled != "") if series.dtype == pl.String else filled
    if filled.n_unique() < len(filled):
        return f"key: {filled.n_unique():,} values in {len(filled):,} rows"
    where = "every row" if len(filled) == len(series) else f"each of the {len(filled):,} rows that have one"
    return f"key: another value in {where}"


def _endless(series: pl.Series, spec: Spec) -> str:
    """Why a column of numbers that no model can take is left out; a few such rows are set aside instead."""
    beyond = int(Table(series.to_frame(), {series.name: spec}).endless(series.name).sum())
    if beyond <= FEW_ENDLESS * len(series):
        return ""
    return f"not {FINITE} in {beyond} of {len(series):,} rows; write it in another unit, or as its logarithm"


def _constant(series: pl.Series, filled: pl.Series) -> str:
    if filled.is_empty():
        return "empty in every row"
    only = shown(filled[0]) if filled.dtype == pl.String else str(filled[0])
    return f"constant: always {only}" + (" or missing" if len(filled) < len(series) else "")


def _text(filled: pl.Series) -> str:
    texts = filled.cast(pl.String)
    distinct = texts.n_unique() / len(texts)
    length = float(texts.str.len_chars().mean() or 0)  # type: ignore[arg-type]
    if distinct > TEXT_DISTINCT or length > LONG_TEXT:
        return f"free text: {distinct:.0%} of the values differ, {length:.0f} characters in the mean"
    return ""


def codes(contract: Contract, frame: pl.DataFrame) -> list[str]:
    """Whole numbers that name something (``shop_id``, ``zip_code``) and repeat: categories, not amounts."""
    import re

    named = re.compile(r"(^|[_\W])(id|code|nr|no|zip|zipcode|postcode|postal|key)$|[a-z](Id|ID|Code)$", re.I)
    found = []
    for name, feature in contract.features.items():
        whole = feature.dtype == "int" and feature.allowed is None and not feature.shape
        if whole and named.search(name) and MANY < frame[name].n_unique() <= 0.2 * frame.height:
            found.append(name)
    return found
