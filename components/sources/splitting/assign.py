"""Carry a split plan out: from a batch of rows to the split of each row."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.splitting.hashing import (
    CopyNumbers,
    hash_each,
    salted,
    unit_interval,
    whole_photographs,
)
from kilnworks.components.sources.splitting.splits import SPLITS, AsGiven, ByHash, ByTime, Shares
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataInvalid, DataUnreadable
from kilnworks.schemas.words import listed

Parts = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Assigner:
    """How rows find their split.

    Attributes:
        source_splits: parts of the source to read, one after the other; ``(None,)`` where it has none.
        extra_columns: columns that the plan needs beside those of the contract.
        assign: from (batch, part of the source) to the rows of each split.
        splits: the splits that come out, in order.
    """

    source_splits: tuple[str | None, ...]
    extra_columns: tuple[str, ...]
    assign: Callable[[pl.DataFrame, str | None], Parts]
    splits: tuple[str, ...]


def make_assigner(plan: ByHash | ByTime | AsGiven, contract: Contract, source: Source, wanted: Wanted) -> Assigner:
    """Prepare a plan; ``ByTime`` with shares reads the time column, and the label, once here.

    Raises:
        ConfigError: the plan names a column that the contract lacks, or does not go with the source.
    """
    if isinstance(plan, AsGiven):
        return _given(plan, contract, source)
    if source.splits():
        raise ConfigError(
            f"the source comes in parts ({', '.join(source.splits())}) and the split is by {plan.kind}",
            "split: {kind: given}",
            "use AsGiven, or a source without parts",
        )
    return _by_hash(plan, contract, source) if isinstance(plan, ByHash) else _by_time(plan, contract, source, wanted)


def _by_hash(plan: ByHash, contract: Contract, source: Source) -> Assigner:
    beside = plan.key is not None and plan.key not in contract.columns and plan.key in source.column_names()
    columns = (str(plan.key),) if beside else hash_columns(plan.key, contract)
    cut = _cutter(plan, contract, columns, plan.shares)

    def assign(frame: pl.DataFrame, _: str | None) -> Parts:
        parts = cut(frame)
        return {name: part.drop(columns) for name, part in parts.items()} if beside else parts

    return Assigner((None,), columns if beside else (), assign, _present(plan.shares))


def hash_columns(key: str | None, contract: Contract) -> tuple[str, ...]:
    """The key, or every column where there is none."""
    if key is not None and key not in contract.columns:
        raise ConfigError(
            f"split key {key!r} is no column of contract {contract.name!r}",
            f"one of {listed(contract.columns)}",
            "correct `key` of the split",
        )
    chosen = key or contract.key
    return (chosen,) if chosen else contract.columns


def _cutter(
    plan: ByHash | AsGiven, contract: Contract, columns: tuple[str, ...], shares: Shares
) -> Callable[[pl.DataFrame], Parts]:
    """Rows by hash: [0, train) trains, then ``val``, then ``test``; tiles of a photograph stay together.

    Raises:
        ConfigError: copies go apart, and the contract has a key.
    """
    if plan.copies == "apart" and contract.key is not None:
        raise ConfigError(
            f"copies go apart, and contract {contract.name!r} has the key {contract.key!r}, by which rows are told",
            "`copies` for rows without a key",
            "leave `copies` out of the split",
        )
    copies = CopyNumbers() if plan.copies == "apart" else None
    edges = np.array([shares.train, shares.train + shares.val])

    def cut(frame: pl.DataFrame) -> Parts:
        if shares.train == 1:
            return {"train": frame}
        hashes = hash_each(whole_photographs(frame, contract), columns)
        if copies is not None:
            hashes.append(copies.of(hashes))
        code = np.searchsorted(edges, unit_interval(salted(hashes, frame.height, plan.salt)), side="right")
        if shares.test == 0:
            code = np.minimum(code, 1)
        return _by_code(frame, code, _present(shares))

    return cut


def _by_code(frame: pl.DataFrame, code: np.ndarray, splits: tuple[str, ...]) -> Parts:
    codes = pl.Series(code)
    return {name: frame.filter(codes == SPLITS.index(name)) for name in splits}


def _present(shares: Shares) -> tuple[str, ...]:
    return tuple(name for name in SPLITS if getattr(shares, name) > 0)


def _by_time(plan: ByTime, contract: Contract, source: Source, wanted: Wanted) -> Assigner:
    column = plan.column or contract.time
    if column is None or column not in contract.columns:
        raise ConfigError(
            f"a split by time needs a time column; contract {contract.name!r} has {contract.time or 'none'}, "
            f"the split {plan.column or 'none'}",
            f"one of {listed(contract.columns)}",
            "set `time:` in the contract or `column` in the split",
        )
    cuts = _given_cuts(plan) if plan.val_from is not None else _share_cuts(plan, column, contract, source, wanted)
    splits = SPLITS if plan.val_from is not None else _present(plan.shares)

    def assign(frame: pl.DataFrame, _: str | None) -> Parts:
        """Rows by how many cuts lie at or before their time; those without a time train."""
        moments = frame.get_column(column)
        if moments.dtype.is_temporal() != isinstance(cuts[0], datetime):
            raise ConfigError(
                f"time column {column!r} holds {moments.dtype}, the cut-off is {cuts[0]!r}",
                "cut-offs of the same kind as the column",
                "write the cut-offs of the split as the column is written",
            )
        code = np.zeros(frame.height, dtype=np.int64)
        for cut in cuts:
            code += (moments >= cut).fill_null(False).to_numpy()
        return _by_code(frame, code, splits)

    return Assigner((None,), (), assign, splits)


def _given_cuts(plan: ByTime) -> list[datetime | float]:
    return [cut for cut in (plan.val_from, plan.test_from) if cut is not None]


def labelled(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The rows of a frame with a label to learn from; all of them in a series, where one without is a gap."""
    label = contract.label
    if label is None or not label.learned or label.several or contract.series is not None:
        return frame
    return frame.filter(pl.col(label.name).is_not_null()) if label.name in frame.columns else frame


def _share_cuts(
    plan: ByTime, column: str, contract: Contract, source: Source, wanted: Wanted
) -> list[datetime | float]:
    """First moments of ``val`` and ``test`` so that the shares come out, as far as equal moments allow.

    Rows without a label, which are set aside later, do not count, unless there are no others.
    """
    names = [column, contract.label.name] if contract.label else [column]
    alone = Wanted({name: wanted.columns[name] for name in names if name in wanted.columns}, any_extra=True)
    frames = [(labelled(f, contract).get_column(column), f.get_column(column)) for f in source.frames(alone)]
    known, every = (pl.concat(columns).drop_nulls().sort() for columns in zip(*frames, strict=True))
    moments = every if known.is_empty() else known
    if moments.is_empty():
        raise DataUnreadable(
            f"time column {column!r} is missing in every row",
            "a time in some rows",
            "correct the data, or split by hash",
        )
    rows = len(moments)
    firsts = (round(plan.shares.train * rows), round((plan.shares.train + plan.shares.val) * rows))
    never = datetime.max if isinstance(moments[-1], datetime) else float("inf")
    return [moments[first] if first < rows else never for first in firsts]


def _given(plan: AsGiven, contract: Contract, source: Source) -> Assigner:
    parts = source.splits()
    if bool(parts) == bool(plan.column):
        got = (
            f"a source in parts ({', '.join(parts)}) and a split column"
            if parts
            else "neither a split column nor a source in parts"
        )
        raise ConfigError(
            f"split as given: {got}", "one of both", "set the split's `column`, or use a source that has splits"
        )
    if plan.column:
        return _by_column(plan, contract, source)
    shares = _cut_shares(plan, parts)
    cut = _cutter(plan, contract, hash_columns(plan.key, contract), shares)

    def assign(frame: pl.DataFrame, part: str | None) -> Parts:
        return cut(frame) if part == "train" else {part or "train": frame}

    made = tuple(name for name in SPLITS if name in parts or name in _present(shares))
    return Assigner(parts, (), assign, made)


def _cut_shares(plan: AsGiven, given: tuple[str, ...]) -> Shares:
    """What is cut off ``train`` for the splits that are not given."""
    val = 0.0 if "val" in given else plan.val
    test = 0.0 if "test" in given else plan.test
    return Shares(train=1 - val - test, val=val, test=test)


def _by_column(plan: AsGiven, contract: Contract, source: Source) -> Assigner:
    column = str(plan.column)
    given = _splits_in_column(plan, column, source)
    shares = _cut_shares(plan, given)
    cut = _cutter(plan, contract, hash_columns(plan.key, contract), shares)

    def assign(frame: pl.DataFrame, _: str | None) -> Parts:
        """Rows by what the column says; what is not given is cut off ``train``."""
        named = _texts(frame, column).replace_strict(plan.names)
        rows = frame if column in contract.columns else frame.drop(column)
        parts = {name: rows.filter(named == name) for name in given if name != "train"}
        return {**cut(rows.filter(named == "train")), **parts}

    extra = () if column in contract.columns else (column,)
    return Assigner((None,), extra, assign, tuple(n for n in SPLITS if n in given or n in _present(shares)))


def _splits_in_column(plan: AsGiven, column: str, source: Source) -> tuple[str, ...]:
    """The splits that the column names, read once; refuses texts without a meaning."""
    found: set[str | None] = set()
    for frame in source.frames(Wanted({column: Column(column, "key")}, any_extra=True)):
        found.update(_texts(frame, column).unique())
    unknown = sorted((value for value in found if value not in plan.names), key=str)
    if unknown:
        raise _unknown_split(column, unknown[:5], plan)
    return tuple(name for name in SPLITS if name in {plan.names[str(value)] for value in found})


def _texts(frame: pl.DataFrame, column: str) -> pl.Series:
    return frame.get_column(column).cast(pl.String).str.strip_chars().str.to_lowercase()


def _unknown_split(column: str, values: list[str | None], plan: AsGiven) -> DataInvalid:
    shown = ", ".join("missing" if value is None else repr(value) for value in values)
    failure = {
        "split": None,
        "column": column,
        "rule": "names a split",
        "severity": "critical",
        "unexpected": None,
        "checked": None,
    }
    return DataInvalid(
        f"split column {column!r} holds {shown}",
        f"one of {', '.join(plan.names)}",
        "correct the column, or name these values in the split's `names`",
        [{**failure, "samples": [v for v in values if v is not None]}],
    )
