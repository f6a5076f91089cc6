"""Many things at once."""

import numpy as np
import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, fault, places_of


@fault
def several_small_shifts(b: Batch) -> Spoiled:
    changed = {c: b.frame[c] + b.r.choice([-1, 1]) * 0.15 * b.clean[c].std() for c in b.measures}
    return (
        b.frame.assign(**{c: v.round(places_of(b.clean[c])) for c, v in changed.items()}) if len(changed) > 2 else None
    )


@fault
def another_population(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame[b.frame[c] > b.clean[c].median()]


@fault
def rows_of_one_group_only(b: Batch) -> Spoiled:
    c = b.category()
    return None if c is None else b.frame[b.frame[c] == b.clean[c].mode()[0]]


@fault
def test_rows_of_the_developer(b: Batch) -> Spoiled:
    row = b.frame.iloc[[0] * max(5, len(b.frame) // 50)].copy()
    for c in b.measures:
        row[c] = 1
    if b.key is not None and pd.api.types.is_numeric_dtype(row[b.key]):
        row[b.key] = np.arange(len(row))
    elif b.key is not None:
        row[b.key] = [f"TEST-{i}" for i in range(len(row))]
    return pd.concat([b.frame, row])
