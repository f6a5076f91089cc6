"""From a contract and rows to a split that the first run accepts, or to the reason why there is none.

::

    split by time, else by hash with the first salt that fits -> classes that no split can hold are left out
    -> share of rows that may be set aside
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.sources.base import Source
from kilnworks.components.sources.splitting.assign import hash_columns
from kilnworks.components.sources.splitting.hashing import CopyNumbers, Hashes, hash_each, salted, unit_interval
from kilnworks.components.sources.splitting.splits import AsGiven, ByHash, ByTime, Shares
from kilnworks.components.starting.moments.times import named_like_time, shares
from kilnworks.components.starting.recipe import Decision
from kilnworks.components.starting.rehearsal import Parts, Rehearsal, lacking_words, rehearse, usable
from kilnworks.components.starting.units import why_apart
from kilnworks.schemas.contract import Contract, Label, Scalar
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.words import listed, named, shown

SALTS = 3000
"""Salts that are tried for rare classes."""
RARE_ROWS = 300
"""Classes with fewer different rows than this may miss a split by chance: rows that are alike go to one split."""
SPARE = 0.01
"""Share of rows that may be set aside beyond those that are bad today."""
WIDER = (Shares(train=0.7, val=0.15, test=0.15), Shares(train=0.6, val=0.2, test=0.2))
"""Where the latest rows lack a rare class, the first of these by which none is lacking takes them, before the rows are
split by hash (decision 367); by hash, the first that halves the rows of classes that a part lacks (decision 382)."""
MANY = 0.1
"""Share of rows set aside from which on a person should look: the others may be no sample of all."""
NOT_BY_TIME = "not by time"
SOME = 6
"""Classes that are named where more are left out."""
Split = ByHash | ByTime | AsGiven


@dataclass(frozen=True)
class Settled:
    """A contract and a split under which the first run goes through, and what was decided."""

    contract: Contract
    split: Split
    decisions: tuple[Decision, ...]


def settle(
    contract: Contract,
    source: Source,
    parts: Parts,
    others: Sequence[str] = (),
    unread: Sequence[str] = (),
    key: str | None = None,
) -> Settled:
    """Choose the split; leave out classes that it cannot hold.

    Args:
        contract: of the rows.
        source: of the rows, read for the cuts of a split by time.
        parts: all rows in contract dtypes.
        others: columns of dates besides the contract's time column that could say when a row was made.
        unread: columns like dates that are read in no way.
        key: of a split by hash; None for the contract's, or the content of the rows.

    Raises:
        ConfigError: no split goes through: too few rows, one class, or a label that does not vary.
    """
    dropped: list[Decision] = []
    while True:
        split, decision, seen = _best(contract, source, parts, others, unread, key)
        if seen.good:
            break
        contract, lines = _without_classes(contract, parts, seen, split)
        dropped += lines
    total = sum(frame.height for frame in parts.values())
    bad = total - sum(seen.rows.values())
    decisions = [*dropped, *([_aside(bad, total, seen)] if bad else []), decision]
    changes: dict[str, Any] = {"max_quarantined": round(min(1.0, bad / total + SPARE), 4)}
    if bad:
        changes["on_bad_rows"] = "quarantine"
    return Settled(contract.model_copy(update=changes), split, tuple(decisions))


def _aside(bad: int, total: int, seen: Rehearsal) -> Decision:
    reasons = "; ".join(f"{count:,}: {what}" for what, count in seen.reasons.items())
    many = bad >= MANY * total
    left = f"; the model knows nothing but the other {total - bad:,} rows" if many else ""
    return Decision("set aside", f"{bad:,} of {total:,} rows, {bad / total:.2%}", reasons + left, flagged=many)


def _best(
    contract: Contract, source: Source, parts: Parts, others: Sequence[str], unread: Sequence[str], key: str | None
) -> tuple[Split, Decision, Rehearsal]:
    """The first plan that goes through, else the last one that was tried."""
    plans = _given(contract, source, parts) if source.splits() else _cut(contract, parts, others, unread, key)
    split, decision = next(plans)
    seen = rehearse(contract, source, parts, split)
    for other, instead in plans:
        if seen.good:
            break
        if isinstance(split, ByTime) and isinstance(other, ByTime):
            if seen.empty:
                continue  # days that are missing, not classes
            fewer = f"with {split.shares.train:.0%} train {_trouble(seen)}"
            words = f"the latest rows judge; {fewer}; {other.shares.words}"
            instead = replace(instead, why=words)  # noqa: PLW2901
        elif isinstance(split, ByTime) and isinstance(other, ByHash):
            words = instead.why.replace(NOT_BY_TIME, f"by {named(str(contract.time))} {_trouble(seen)}", 1)
            instead = replace(instead, why=words, flagged=True)  # noqa: PLW2901
        split, decision = other, instead
        seen = rehearse(contract, source, parts, split)
    if isinstance(split, ByHash) and not seen.good:
        return _widened(contract, source, parts, split, decision, seen)
    return split, decision, seen


def _widened(
    contract: Contract, source: Source, parts: Parts, split: ByHash, decision: Decision, seen: Rehearsal
) -> tuple[Split, Decision, Rehearsal]:
    """More rows to choose and to judge by, as long as each step halves those of classes that some part lacks."""
    (frame,) = parts.values()
    for wider in WIDER:
        lost = _of_lacking(contract, parts, seen)
        if lost < MANY:
            break
        if wider.train < split.shares.train:
            other = split.model_copy(update={"shares": wider, **_hashed(contract, frame, wider, split.key)[0]})
            less = rehearse(contract, source, parts, other)
            if _of_lacking(contract, parts, less) > lost / 2:
                break
            fewer = f"; with {split.shares.train:.0%} train some part would lack the classes of {lost:.0%} of the rows"
            words = decision.why.replace(split.shares.words, wider.words) + fewer
            split, decision, seen = other, replace(decision, why=words), less
    return split, decision, seen


def _of_lacking(contract: Contract, parts: Parts, seen: Rehearsal) -> float:
    """The share of rows of classes that some part lacks."""
    gone = {value for missing in seen.lacking.values() for value in missing}
    if contract.label is None or not gone:
        return 0.0
    rows = pl.concat([frame.get_column(contract.label.name) for frame in parts.values()])
    return int(rows.is_in(list(gone)).sum()) / len(rows)


def _no_time(contract: Contract, others: Sequence[str], unread: Sequence[str]) -> tuple[str, bool]:
    """Why the rows are not split by time, and whether a person should name one of several columns of dates."""
    if not others and unread:
        return f"{listed(list(map(named, unread)), 3)}: like dates, and not read as such", True
    if not others and any(f.dtype == "datetime" or named_like_time(n) for n, f in contract.features.items()):
        return "no column is said to be the time of a row", False
    if not others:
        return "there is no time column", False
    return f"{NOT_BY_TIME}; --time {' or '.join(map(named, others[:3]))} lets the latest rows judge", True


def _cut(
    contract: Contract, parts: Parts, others: Sequence[str], unread: Sequence[str], key: str | None
) -> Iterator[tuple[Split, Decision]]:
    (frame,) = parts.values()
    cut = shares(frame.height, read=any(f.text for f in contract.features.values()))
    if contract.time is not None:
        words = f"the latest rows judge; {cut.words}"
        by = f"by {named(contract.time)}"
        yield ByTime(shares=cut), Decision("split", by, words)
        if contract.label is not None and contract.label.classes is not None:
            yield from ((ByTime(shares=one), Decision("split", by, words)) for one in WIDER if one.train < cut.train)
    why, asks = _no_time(contract, others, unread) if contract.time is None else (NOT_BY_TIME, False)
    how, told = _hashed(contract, frame, cut, key)
    by = f"by hash of {named(key)}" if key is not None else "by hash"
    yield ByHash(shares=cut, **how), Decision("split", by, f"{why}; {told}{cut.words}", flagged=asks)


def _given(contract: Contract, source: Source, parts: Parts) -> Iterator[tuple[Split, Decision]]:
    there = source.splits()
    plan = AsGiven()
    cut = Shares(
        train=1 - sum(getattr(plan, name) for name in ("val", "test") if name not in there),
        val=0.0 if "val" in there else plan.val,
        test=0.0 if "test" in there else plan.test,
    )
    how, told = _hashed(contract, parts["train"], cut, None) if cut.train < 1 else ({}, "")
    yield AsGiven(**how), Decision("split", "as given", f"{told}the data has {', '.join(there)}")


def _hashed(contract: Contract, frame: pl.DataFrame, cut: Shares, key: str | None) -> tuple[dict[str, Any], str]:
    """``key``, ``copies`` and ``salt`` of a split by hash, and a clause about copies."""
    good, _ = usable(contract, frame)
    rows = frame.filter(good)
    why = "" if key is not None else why_apart(contract, rows)
    how: dict[str, Any] = {"copies": "apart"} if why else {"key": key}
    words = f"copies go apart: {why}; " if why else ""
    return {**how, "salt": _salt(_rare(contract, rows, hash_columns(key, contract), apart=bool(why)), cut)}, words


def _salt(groups: Sequence[list[Hashes]], cut: Shares) -> int:
    """The first salt by which some row of each rare class is in every part; else the one with the most."""
    if not groups:
        return 0
    hashes = [np.concatenate(columns) for columns in zip(*groups, strict=True)]
    group = np.repeat(np.arange(len(groups)), [len(each[0]) for each in groups])
    edges = [edge for edge, part in ((cut.train, cut.val), (cut.train + cut.val, cut.test)) if part > 0]
    best, most, wanted = 0, -1, len(groups) * (len(edges) + 1)
    for salt in range(SALTS):
        part = np.searchsorted(edges, unit_interval(salted(hashes, len(group), salt)), side="right")
        held = int((np.bincount(group * (len(edges) + 1) + part, minlength=wanted) > 0).sum())
        if held > most:
            best, most = salt, held
        if held == wanted:
            break
    return best


def _rare(contract: Contract, rows: pl.DataFrame, columns: Sequence[str], *, apart: bool) -> list[list[Hashes]]:
    """What is hashed of the rows of each rare class; of all rows where they are few and have no classes."""
    label = contract.label
    groups = [rows]
    if label is not None and label.classes is not None:
        groups = [rows.filter(pl.col(label.name) == value) for value in label.classes]
    hashed = [hash_each(group, columns) for group in groups]
    going = [[*each, CopyNumbers().of(each)] if apart else _different(each) for each in hashed]
    return [each for each in going if 0 < len(each[0]) < RARE_ROWS]


def _different(hashes: list[Hashes]) -> list[Hashes]:
    """The same without rows that are alike."""
    _, first = np.unique(salted(hashes, len(hashes[0]), 0), return_index=True)
    return [each[first] for each in hashes]


def _without_classes(
    contract: Contract, parts: Parts, seen: Rehearsal, split: Split
) -> tuple[Contract, list[Decision]]:
    """The contract without the classes that a split lacks.

    Raises:
        ConfigError: fewer than two are left, or classes are not what is wrong.
    """
    label = contract.label
    if label is None:
        raise _refusal(contract, parts, seen)
    gone = {value for missing in seen.lacking.values() for value in missing}
    left = tuple(c for c in label.classes or () if c not in gone)
    if seen.empty or label.classes is None or len(left) < 2:
        raise _refusal(contract, parts, seen)
    rows = pl.concat([frame.get_column(label.name) for frame in parts.values()])
    counts = {value: int((rows == value).sum()) for value in label.classes if value in gone}
    lines = [_dropped(label, counts, split)]
    changed: dict[str, Any] = {"label": label.model_copy(update={"classes": left})}
    return contract.model_copy(update=changed), lines


def _dropped(label: Label, rows: dict[Scalar, int], split: Split) -> Decision:
    """What is said of classes that are left out, by how many rows each has."""
    count, of = sum(rows.values()), named(label.name)
    some = ", ".join(map(shown, list(rows)[:SOME])) + (", ..." if len(rows) > SOME else "")
    choice = f"{some} of {of}" if len(rows) == 1 else f"{some} ({len(rows):,} of {len(label.classes or ()):,} of {of})"
    why = f"{count:,} {_rows(count)} cannot be in every part of the split ({split.kind}); its rows are set aside"
    if len(rows) > 1:
        why = f"{count:,} rows; some part of the split ({split.kind}) has none of the class; they are set aside"
    number = "; --task regression tells the number" if label.dtype == "int" else ""
    return Decision("class left out", choice, why + number, flagged=True)


def _refusal(contract: Contract, parts: Parts, seen: Rehearsal) -> ConfigError:
    label = contract.label
    total = sum(frame.height for frame in parts.values())
    left = sum(seen.rows.values())
    set_aside = "; ".join(f"{count:,}: {what}" for what, count in seen.reasons.items())
    got = [f"{left:,} of {total:,} rows can be used ({set_aside})"] if set_aside else []
    if label is not None and label.classes is not None:
        rows = pl.concat([frame.get_column(label.name) for frame in parts.values()])
        counts = sorted(((int((rows == c).sum()), c) for c in label.classes), key=lambda pair: pair[0])
        got.append(
            f"label {named(label.name)} is " + ", ".join(f"{shown(c)} in {n:,} {_rows(n)}" for n, c in counts[:3])
        )
    return ConfigError(
        "; ".join([*got, _trouble(seen)]),
        _wanted(contract, seen),
        _to_do(label),
    )


def _to_do(label: Label | None) -> str:
    if label is None:
        return "give more rows"
    numbers = ", --task regression" if label.classes is not None and label.dtype == "int" else ""
    return f"give more rows{numbers}, or name another --label"


def _wanted(contract: Contract, seen: Rehearsal) -> str:
    splits = ", ".join(seen.rows)
    if contract.label is None:
        return f"rows in each of {splits}"
    return f"rows of every class in each of {splits}" if contract.label.classes else "a label that varies"


def _trouble(seen: Rehearsal) -> str:
    words = [f"{' and '.join(seen.empty)} would have no rows"] if seen.empty else []
    lacking = {split: missing for split, missing in seen.lacking.items() if split not in seen.empty}
    return "; ".join([*words, *([lacking_words(lacking)] if lacking else [])])


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"
