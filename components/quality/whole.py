"""What holds for the whole data set: no empty split, and no key in two splits.

The checks run on a small table with one row a split; the words for what was found come from the rows themselves.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from components.quality.outcome import MASK, Outcome

Frames = Mapping[str, pl.DataFrame]


def splits_table(frames: Frames, shared_columns: Sequence[str]) -> pl.DataFrame:
    """One row a split: its name, its rows, and by column how many of its rows have a value of another split."""
    table = pl.DataFrame({"split": list(frames), "rows": [frame.height for frame in frames.values()]})
    for name in shared_columns:
        counts = [_shared_rows(frames, split, name) for split in frames]
        table = table.with_columns(pl.Series(f"{name}__shared", counts, dtype=pl.Int64))
    return table


def name_offenders(outcome: Outcome, frames: Frames, sensitive: bool, shown: int) -> Outcome:
    """The outcome of a broken rule on the whole with the splits or the values that break it."""
    if outcome.success or outcome.could_not_check:
        return outcome
    if outcome.rule == "rows: no empty split":
        empty = tuple(split for split, frame in frames.items() if not frame.height)
        return outcome.model_copy(update={"lacking": empty, "samples": (), "unexpected": None, "checked": None})
    if outcome.column is None:
        return outcome
    values = _shared_values(frames, outcome.column)
    rows = sum(frame.height for frame in frames.values())
    samples = (MASK,) if sensitive else tuple(values.head(shown).to_list())
    return outcome.model_copy(update={"samples": samples, "unexpected": len(values), "checked": rows})


def _texts(frame: pl.DataFrame, column: str) -> pl.Series:
    """Values as texts: splits that come from files of two kinds may hold one key as numbers and as texts."""
    return frame.get_column(column).cast(pl.String).drop_nulls()


def _shared_rows(frames: Frames, split: str, column: str) -> int | None:
    """Rows of a split whose value another split holds; None where the column is absent."""
    if any(column not in frame.columns for frame in frames.values()):
        return None
    others = [_texts(frame, column) for name, frame in frames.items() if name != split]
    if not others:
        return 0
    here = _texts(frames[split], column).to_frame(column)
    return here.join(pl.concat(others).unique().to_frame(column), on=column, how="semi").height


def _shared_values(frames: Frames, column: str) -> pl.Series:
    """Values that more than one split holds, sorted."""
    distinct = pl.concat([_texts(frame, column).unique() for frame in frames.values()])
    return distinct.filter(distinct.is_duplicated()).unique().sort()
