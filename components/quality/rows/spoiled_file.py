"""What is wrong with a source by itself, before it is put together with others: for files that arrive one by one."""

from typing import TYPE_CHECKING

from kilnworks.components.sources import Source, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid, DataUnreadable

if TYPE_CHECKING:
    from kilnworks.components.quality.rows.row_rules import Broken

SHOWN = 5
"""Most rules that are named."""


def why_spoiled(source: Source, contract: Contract) -> str:
    """Why a training on the source would fail, in one line; empty where nothing of it speaks against one.

    It cannot be read, lacks columns, or rows break critical rules: any row, and where the contract sets bad rows aside
    (``on_bad_rows: quarantine``) more than ``max_quarantined``. Rules over several rows are judged by the run.
    """
    try:
        return _bad_rows(source, contract)
    except (DataUnreadable, DataInvalid) as error:
        return " ".join(error.got.split()) + (f"; wanted: {error.wanted}" if error.wanted else "")


def _bad_rows(source: Source, contract: Contract) -> str:
    import polars as pl

    from kilnworks.components.quality.rows.row_rules import broken_rows

    wanted = Wanted(contract_columns(contract), frozenset(contract.ignore))
    found: dict[tuple[str, str], list[str]] = {}
    counts: dict[tuple[str, str], int] = {}
    rows = bad = 0
    for part in source.splits() or (None,):
        start = 0
        for frame in source.frames(wanted, part):
            broken = [one for one in broken_rows(contract, frame) if one.severity == "critical"]
            bad += len(pl.concat([one.rows for one in broken]).unique()) if broken else 0
            for one in broken:
                key = (one.column, one.rule)
                counts[key] = counts.get(key, 0) + len(one.rows)
                found.setdefault(key, [_samples(one), source.place(start + int(one.rows[0]), one.column, part)])
            start += frame.height
            rows += frame.height
    if not bad or (contract.on_bad_rows == "quarantine" and bad / rows <= contract.max_quarantined):
        return ""
    named = [
        f"{column}: {rule}, broken in {counts[column, rule]} of {rows} rows{samples}, first in {place}"
        for (column, rule), (samples, place) in found.items()
    ]
    more = f"; and {len(named) - SHOWN} more rules" if len(named) > SHOWN else ""
    return "; ".join(named[:SHOWN]) + more


def _samples(broken: "Broken") -> str:
    return f" ({', '.join(broken.samples)})" if broken.samples else ""
