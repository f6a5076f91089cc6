"""Running the fault catalogue: every fault on every source it can touch, and clean draws of every source."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.screening.check import ScreeningOutcome, check_file
from kilnworks.schemas.contract import Contract
from tests.quality.clean_sources import Source
from tests.quality.fault_catalogue import FAULTS, Batch
from tests.quality.next_period import pairs

BATCH = 1000
"""Rows of a spoiled batch, or all that the source has."""


@dataclass
class Score:
    """What was found.

    Attributes:
        faults: by fault and source ``critical``, ``warning`` or ``missed``.
        clean: severities of the clean draws, ``""`` where there was no alarm.
        alarms: what the clean draws were accused of.
    """

    faults: dict[str, dict[str, str]] = field(default_factory=dict)
    clean: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)

    def add(self, other: "Score") -> None:
        """Take in what was found elsewhere; faults stay in the order of the catalogue."""
        known = {name: {**self.faults.get(name, {}), **other.faults.get(name, {})} for name in FAULTS}
        self.faults = {name: found for name, found in known.items() if found}
        self.clean += other.clean
        self.alarms += other.alarms

    def share(self, *verdicts: str) -> float:
        """Share of spoiled batches with one of these verdicts."""
        all_verdicts = [v for found in self.faults.values() for v in found.values()]
        return sum(v in verdicts for v in all_verdicts) / len(all_verdicts)

    def clean_share(self, *verdicts: str) -> float:
        """Share of clean draws with one of these verdicts."""
        return sum(v in verdicts for v in self.clean) / len(self.clean)


def contract_of(source: Source, folder: Path) -> tuple[Contract, pd.DataFrame]:
    """The contract inferred from the clean file of a source, and its rows; in a process once for the same bytes."""
    clean = source.draw(source.rows, 0)
    clean.to_csv(folder / "clean.csv", index=False)
    key = hashlib.sha256((folder / "clean.csv").read_bytes()).hexdigest() + str(source.label)
    if key not in _INFERRED:
        _INFERRED[key] = infer_contract(folder / "clean.csv", label=source.label)
    return _INFERRED[key].model_copy(deep=True), clean


_INFERRED: dict[str, Contract] = {}


def verdict(outcome: ScreeningOutcome) -> str:
    """``critical``, ``warning`` or, with no alarm, nothing."""
    return "critical" if not outcome.success else "warning" if outcome.failures else ""


def score_faults(source: Source, contract: Contract, clean: pd.DataFrame, folder: Path, score: Score) -> None:
    """Every fault that the source has a place for, each on a fresh batch of its own."""
    for number in range(len(FAULTS)):
        score_fault(number, source, contract, clean, folder, score)


def score_fault(
    number: int, source: Source, contract: Contract, clean: pd.DataFrame, folder: Path, score: Score
) -> bool:
    """One fault on a fresh batch; whether the source has a place for it."""
    name, spoil = list(FAULTS.items())[number]
    frame = source.draw(min(source.rows, BATCH), 100 + number).reset_index(drop=True)
    spoiled = spoil(Batch(frame, clean, source.label, np.random.default_rng(number)))
    if spoiled is None:
        return False
    path = folder / "batch.csv"
    path.write_bytes(spoiled) if isinstance(spoiled, bytes) else spoiled.to_csv(path, index=False)
    score.faults.setdefault(name, {})[source.name] = verdict(check_file(contract, path)) or "missed"
    return True


def score_clean(source: Source, contract: Contract, folder: Path, draws: int, score: Score) -> None:
    """Clean draws of many sizes; a third of them drawn with replacement, as new rows with new keys."""
    sizes = [50, 80, 120, 200, 350, 500, 1000, source.rows]
    for number in range(draws):
        frame = source.draw(min(sizes[number % len(sizes)], source.rows), 1000 + number)
        if number % 3 == 2 and not source.ordered:
            keys = [c for c in frame.columns if c.endswith(("_id", "_no", "ID"))]
            again = frame.sample(frac=1.0, replace=True, random_state=number)
            frame = again.assign(**{k: frame[k].to_numpy() for k in keys})
        frame.to_csv(folder / "batch.csv", index=False)
        outcome = check_file(contract, folder / "batch.csv")
        score.clean.append(verdict(outcome))
        score.alarms += [f"{source.name} {len(frame)} rows: {f}" for f in outcome.failures[:2]]


@dataclass(frozen=True)
class NextFile:
    """A file of the next period, what it was judged as, and what it was accused of."""

    kind: str
    seed: int
    cut: str
    verdict: str
    alarms: tuple[str, ...]


def score_next(kind: str, seed: int, folder: Path) -> list[NextFile]:
    """The files that a kind of source sends in its next period, against the contract of the period before."""
    found, contract = [], None
    for pair in pairs(kind, seed):
        if contract is None:
            pair.first.to_csv(folder / "first.csv", index=False)
            contract = infer_contract(folder / "first.csv", label=pair.label)
        pair.later.to_csv(folder / "later.csv", index=False)
        outcome = check_file(contract, folder / "later.csv")
        alarms = tuple(f"{f.severity} {f.column}: {f.rule} ({f.seen})" for f in outcome.failures[:2])
        found.append(NextFile(kind, seed, pair.cut, verdict(outcome), alarms))
    return found
