"""Whether the first run would go through: rows are set aside and split as the run will do it, and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from kilnworks.components.quality.rows.row_rules import broken_rows
from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.splitting.assign import make_assigner
from kilnworks.components.sources.splitting.splits import AnySplit
from kilnworks.schemas.contract import Contract, Scalar
from kilnworks.schemas.words import named, shown

Parts = Mapping[str | None, pl.DataFrame]
"""Rows by part of the source; one part ``None`` where it has none."""


@dataclass(frozen=True)
class Rehearsal:
    """What the first run would see.

    Attributes:
        rows: by split, without those that are set aside.
        reasons: rules that rows break which are set aside, with the number of rows.
        lacking: classes that a split lacks, by split; for numbers, splits in which the label does not vary.
    """

    rows: dict[str, int]
    reasons: dict[str, int]
    lacking: dict[str, tuple[Scalar, ...]]

    @property
    def empty(self) -> list[str]:
        """Splits without rows."""
        return [split for split, rows in self.rows.items() if rows == 0]

    @property
    def good(self) -> bool:
        """Whether every split has rows and every class."""
        return not self.empty and not self.lacking


def usable(contract: Contract, frame: pl.DataFrame) -> tuple[pl.Series, dict[str, int]]:
    """Which rows go on [n], and how many break each critical rule on single rows."""
    good = pl.Series([True]).new_from_index(0, frame.height)
    reasons: dict[str, int] = {}
    for broken in broken_rows(contract, frame):
        if broken.severity == "critical":
            what = f"{named(broken.column)} is {_words(broken.rule)}"
            reasons[what] = reasons.get(what, 0) + len(broken.rows)
            good = good.scatter(broken.rows, False)
    return good, reasons


def rehearse(contract: Contract, source: Source, parts: Parts, split: AnySplit) -> Rehearsal:
    """Split the rows as ``ingest`` does, set aside as ``validate`` does, and look at what is left.

    Args:
        contract: with the label.
        source: of the rows; read again only where a split by time looks for its cuts.
        parts: all rows in contract dtypes.
        split: the plan.
    """
    wanted = Wanted(contract_columns(contract), frozenset(contract.ignore))
    assigner = make_assigner(split, contract, source, wanted)
    rows = dict.fromkeys(assigner.splits, 0)
    labels: dict[str, list[pl.Series]] = {name: [] for name in assigner.splits}
    reasons: dict[str, int] = {}
    label = contract.label.name if contract.label else None
    for part, frame in parts.items():
        for name, placed in assigner.assign(frame, part).items():
            good, why = usable(contract, placed)
            for what, count in why.items():
                reasons[what] = reasons.get(what, 0) + count
            rows[name] += int(good.sum())
            if label is not None:
                labels[name].append(placed.get_column(label).filter(good))
    found = {name: pl.concat(series) for name, series in labels.items() if series}
    return Rehearsal(rows, reasons, _lacking(contract, found))


def _lacking(contract: Contract, labels: Mapping[str, pl.Series]) -> dict[str, tuple[Scalar, ...]]:
    if contract.label is None:
        return {}
    classes = contract.label.classes
    if classes is None:
        steady = "train" in labels and labels["train"].n_unique() < 2
        return {"train": ()} if steady else {}
    found = {name: set(series.unique().to_list()) for name, series in labels.items()}
    gone = {name: tuple(c for c in classes if c not in there) for name, there in found.items()}
    gone = gone if contract.label.learned else {name: gone[name] for name in gone if name == "test"}
    return {name: missing for name, missing in gone.items() if missing}


def _words(rule: str) -> str:
    """A rule that is broken, as what is wrong."""
    return "missing" if rule == "not missing" else f"not {rule}"


def lacking_words(lacking: Mapping[str, tuple[Scalar, ...]]) -> str:
    """``val would lack 'yes', 'maybe'; test would lack 'yes'``."""
    parts = []
    for split, classes in lacking.items():
        some = ", ".join(map(shown, classes[:6])) + (", ..." if len(classes) > 6 else "")
        parts.append(f"{split} would lack {some}" if classes else f"the label would not vary in {split}")
    return "; ".join(parts)
