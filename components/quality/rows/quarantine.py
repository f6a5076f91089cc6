"""Rows that break a critical rule on single rows, set aside with their reasons; the others go on.

Nothing is lost: rows that go on and rows set aside are together the rows that came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from kilnworks.components.quality.rows.batches import rows_of_files
from kilnworks.components.quality.rows.row_rules import Broken, broken_rows
from kilnworks.components.sources.shards import write_shard
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.contract import Contract

FOLDER = "quarantine"
REASONS, POSITION = "quarantine_reasons", "quarantine_row"
"""Columns that a row set aside gets: the rules it breaks (list of texts), and its place in the split, from 0."""
SAMPLES = 5


@dataclass(frozen=True)
class Reason:
    """One rule and the rows of a split that break it; a row may break several."""

    split: str
    column: str
    rule: str
    rows: int
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Quarantine:
    """What was found, and what goes on.

    Attributes:
        bad: rows by split that break at least one rule.
        total: rows by split that came.
        limit: largest share that may be set aside, 0 to 1.
        reasons: by split and rule.
        files: Parquet files by split that go on; those of the examples where nothing was set aside.
    """

    bad: Mapping[str, int]
    total: Mapping[str, int]
    limit: float
    reasons: tuple[Reason, ...]
    files: Mapping[str, Sequence[Path]]

    @property
    def share(self) -> float:
        """Share of all rows that are bad, 0 to 1."""
        return sum(self.bad.values()) / max(1, sum(self.total.values()))

    @property
    def within(self) -> bool:
        """Whether the bad rows may be, and are, set aside."""
        return self.share <= self.limit

    def rows(self, split: str) -> int:
        """Rows of a split that go on."""
        return self.total[split] - (self.bad[split] if self.within else 0)

    def record(self) -> dict[str, Any]:
        """Plain values for ``validation.json``."""
        return {
            "set_aside": self.within,
            "rows": dict(self.bad),
            "total": dict(self.total),
            "share": self.share,
            "limit": self.limit,
            "folder": FOLDER,
            "reasons": [{**vars(r), "samples": list(r.samples)} for r in self.reasons],
        }


def set_aside(examples: Examples, out: Path) -> Quarantine:
    """Look at every row; where few enough are bad, write them to ``out/quarantine`` and the others to ``out``.

    Shards without bad rows are not written again. Where more than ``max_quarantined`` are bad nothing is written.
    """
    contract = examples.contract
    found = {file: _look(split, file, contract) for split in examples.splits for file in examples.files(split)}
    bad = {s: sum(found[file][0] for file in examples.files(s)) for s in examples.splits}
    reasons = tuple(_merged(reason for _, by_file in found.values() for reason in by_file))
    total = {s: examples.rows(s) for s in examples.splits}
    files = {s: examples.files(s) for s in examples.splits}
    seen = Quarantine(bad, total, contract.max_quarantined, reasons, files)
    if not seen.within or not sum(bad.values()):
        return seen
    for split in examples.splits:
        start, kept = 0, []
        for file in examples.files(split):
            kept.append(_part(file, out / split / file.name, out, start, contract) if found[file][0] else file)
            start += rows_of_files([file], contract).height
        files[split] = kept
    return Quarantine(bad, total, contract.max_quarantined, reasons, files)


def _critical(contract: Contract, frame: pl.DataFrame) -> list[Broken]:
    return [b for b in broken_rows(contract, frame) if b.severity == "critical"]


def _look(split: str, file: Path, contract: Contract) -> tuple[int, list[Reason]]:
    """How many rows of a shard are bad, and by which rules."""
    bad = 0
    reasons: list[Reason] = []
    for batch in rows_of_files([file], contract).batches:
        broken = _critical(contract, batch.frame(contract.columns))
        bad += len(pl.concat([b.rows for b in broken]).unique()) if broken else 0
        reasons += [Reason(split, b.column, b.rule, len(b.rows), b.samples) for b in broken]
    return bad, reasons


def _merged(reasons: Iterable[Reason]) -> list[Reason]:
    """One entry a split and rule: the rows of all batches together, and the first few samples."""
    found: dict[tuple[str, str, str], Reason] = {}
    for one in reasons:
        key = (one.split, one.column, one.rule)
        before = found.get(key, Reason(*key, 0, ()))
        samples = tuple(dict.fromkeys([*before.samples, *one.samples]))[:SAMPLES]
        found[key] = Reason(*key, before.rows + one.rows, samples)
    return list(found.values())


def _part(file: Path, target: Path, out: Path, start: int, contract: Contract) -> Path:
    """Write the good rows of a shard to ``target`` and the bad ones, with reasons, below ``quarantine``."""
    frame = pl.read_parquet(file, glob=False)
    reasons: dict[int, list[str]] = {}
    for broken in _critical(contract, frame):
        for row in broken.rows.to_list():
            reasons.setdefault(row, []).append(f"{broken.column}: {broken.rule}")
    places = sorted(reasons)
    bad = pl.Series(range(frame.height), dtype=pl.Int64).is_in(places)
    notes = {
        REASONS: pl.Series([reasons[place] for place in places], dtype=pl.List(pl.String)),
        POSITION: pl.Series([start + place for place in places], dtype=pl.Int64),
    }
    aside = out / FOLDER / target.relative_to(out)
    for folder in (target.parent, aside.parent):
        folder.mkdir(parents=True, exist_ok=True)
    frame.filter(bad).with_columns(**notes).write_parquet(aside, compression="lz4")
    write_shard(frame.filter(~bad), target)
    return target
