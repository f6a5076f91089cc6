"""``contract evolve``: the smallest change of a contract that would accept a file, and what it would loosen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kilnworks.components.quality.contracts.diff import Change, diff_contracts
from kilnworks.components.quality.screening.check import check_file
from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.contract_rules import specs_of
from kilnworks.components.quality.screening.files.reading import read_file
from kilnworks.components.quality.screening.probes.evidence import Failure
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import DataInvalid, DataUnreadable
from kilnworks.schemas.magnitudes import as_limit


@dataclass(frozen=True)
class Evolution:
    """A proposed contract and every difference from the present one."""

    contract: Contract
    changes: tuple[Change, ...]
    left: tuple[Failure, ...]

    @property
    def loosened(self) -> tuple[Change, ...]:
        """The differences by which more would be accepted."""
        return tuple(c for c in self.changes if c.direction != "tighter")


def evolve_contract(contract: Contract, path: Path) -> Evolution:
    """Propose a contract under which the file has no critical failure.

    Rules that are written down are moved just as far as the file needs. What the statistics of the clean data say
    against the file is switched off one by one (``reference.off``), never the statistics as a whole.

    Raises:
        DataUnreadable: the file cannot be read; no contract would help.
        DataInvalid: the label or the key is not in the file.
    """
    frame, _ = read_file(path)
    table = Table(frame, {n: s for n, s in specs_of(contract).items() if n in frame.columns})
    needed = [c for c in (contract.key, contract.label.name if contract.label else None) if c is not None]
    for name in (n for n in needed if n not in frame.columns):
        raise DataInvalid(
            f"{path.name} has no column {name!r}", "the key and the label", "evolve cannot make up for it"
        )
    proposed = _with_rules(contract, table)
    failures = check_file(proposed, path).failures
    off = [_name(f) for f in failures if f.severity == "critical"]
    if off and proposed.reference is not None:
        reference = proposed.reference.model_copy(update={"off": (*proposed.reference.off, *dict.fromkeys(off))})
        proposed = proposed.model_copy(update={"reference": reference})
    outcome = check_file(proposed, path)
    if any(f.rule == "the file can be read" for f in outcome.failures):
        raise DataUnreadable(f"{path.name} cannot be read", "a table as the contract describes it", "write it again")
    checked = Contract.model_validate(proposed.model_dump())
    return Evolution(checked, tuple(diff_contracts(contract, checked)), outcome.failures)


def _name(failure: Failure) -> str:
    return failure.rule if failure.column is None else f"{failure.column}: {failure.rule}"


def _with_rules(contract: Contract, table: Table) -> Contract:
    """The contract with its written rules moved as far as the rows need."""
    here = set(table.frame.columns)
    features = {n: _widened(f, table, n) for n, f in contract.features.items() if n in here}
    update: dict[str, Any] = {"features": features}
    if table.rows < contract.rows.min or (contract.rows.max is not None and table.rows > contract.rows.max):
        most = contract.rows.max
        wider = {
            "min": min(contract.rows.min, table.rows),
            "max": None if most is None else max(most, table.rows),
        }
        update["rows"] = contract.rows.model_copy(update=wider)
    label = contract.label
    if label is not None and label.classes is not None and not label.several and label.name in here:
        classes = _with_values(label.classes, label.dtype, table, label.name)
        update["label"] = label.model_copy(update={"classes": classes})
    known = {*contract.columns, *contract.ignore}
    new = tuple(c for c in table.frame.columns if c not in known)
    update["ignore"] = (*contract.ignore, *new)
    return contract.model_copy(update=update)


def _widened(feature: Feature, table: Table, name: str) -> Feature:
    if feature.shape or name not in table.specs:
        return feature
    change: dict[str, Any] = {}
    missing = float(table.missing(name).mean())
    if missing and not feature.nullable:
        change["nullable"] = True
    if feature.max_missing is not None and missing > feature.max_missing:
        change["max_missing"] = float(np.ceil(missing * 1000) / 1000)
    if feature.dtype in ("int", "float"):
        change |= _wider_range(feature, table, name)
    if feature.allowed is not None:
        allowed = _with_values(feature.allowed, feature.dtype, table, name)
        change |= {"allowed": allowed} if allowed != feature.allowed else {}
    if feature.dtype == "string":
        change |= _wider_text(feature, table, name)
    return feature.model_copy(update=change)


def _wider_range(feature: Feature, table: Table, name: str) -> dict[str, Any]:
    values = table.numbers(name)
    present = values[~np.isnan(values)]
    change: dict[str, Any] = {}
    if present.size == 0:
        return change
    whole = table.whole(name).drop_nulls()
    exact = whole.len() == present.size
    ends: list[Any] = [whole.min(), whole.max()] if exact else [float(present.min()), float(present.max())]
    low, high = ends
    if feature.min is not None and table.less(name, feature.min).any():
        change["min"] = as_limit(low)
    if feature.max is not None and table.greater(name, feature.max).any():
        change["max"] = as_limit(high)
    if feature.dtype == "int" and bool((present % 1 != 0).any()):
        change["dtype"] = "float"
    return change


def _wider_text(feature: Feature, table: Table, name: str) -> dict[str, Any]:
    texts = table.texts(name).drop_nulls()
    change: dict[str, Any] = {}
    if texts.len() == 0:
        return change
    lengths = texts.str.len_chars().to_numpy()
    if feature.min_length is not None and int(lengths.min()) < feature.min_length:
        change["min_length"] = int(lengths.min())
    if feature.max_length is not None and int(lengths.max()) > feature.max_length:
        change["max_length"] = int(lengths.max())
    if feature.regex is not None and not texts.str.contains(f"^(?:{feature.regex})").all():
        change["regex"] = None
    if feature.unique and texts.n_unique() < texts.len():
        change["unique"] = False
    return change


def _with_values(known: tuple[Any, ...], dtype: str, table: Table, name: str) -> tuple[Any, ...]:
    """The known values and, behind them, those of the file that are new."""
    if dtype == "bool":
        return known
    if table.specs[name].kind == "number":
        whole, values = table.whole(name), table.numbers(name)
        others = values[whole.is_null().to_numpy() & ~np.isnan(values)]
        found = [*whole.drop_nulls().unique().sort().to_list(), *np.unique(others).tolist()]
        return (*known, *(v for v in found if v not in known))
    texts = sorted(table.texts(name).drop_nulls().unique().to_list())
    if dtype == "int":
        return (*known, *(int(t) for t in texts if t.lstrip("-").isdigit() and int(t) not in known))
    return (*known, *(t for t in texts if t not in known))
