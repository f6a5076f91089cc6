"""What holds for the whole data set: no empty split, and no key in two splits.

The checks run on a small table with one row a split; the words for what was found come from the rows themselves.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from kilnworks.components.quality.expectations.outcome import Outcome
from kilnworks.components.quality.rows.uniqueness import Shared
from kilnworks.schemas.wire import MASK


def splits_table(rows: Mapping[str, int], shared: Mapping[str, Shared | None]) -> pl.DataFrame:
    """One row a split: its name, its rows, and by column how many of its rows have a value of another split.

    A column that a split lacks (None) has missing counts.
    """
    table = pl.DataFrame(
        {"split": list(rows), "rows": list(rows.values())}, schema={"split": pl.String, "rows": pl.Int64}
    )
    counts = {
        f"{name}__shared": pl.Series([found.rows[split] if found else None for split in rows], dtype=pl.Int64)
        for name, found in shared.items()
    }
    return table.with_columns(**counts)


def name_offenders(
    outcome: Outcome, rows: Mapping[str, int], shared: Mapping[str, Shared | None], sensitive: bool
) -> Outcome:
    """The outcome of a broken rule on the whole with the splits or the values that break it."""
    if outcome.success or outcome.could_not_check:
        return outcome
    if outcome.rule == "rows: no empty split":
        empty = tuple(split for split, height in rows.items() if not height)
        return outcome.model_copy(update={"lacking": empty, "samples": (), "unexpected": None, "checked": None})
    found = shared.get(outcome.column or "")
    if found is None:
        return outcome
    samples: Sequence[str] = (MASK,) if sensitive else found.samples
    return outcome.model_copy(
        update={"samples": tuple(samples), "unexpected": found.values, "checked": sum(rows.values())}
    )
