"""What usual rows look like, when nobody says which ones are: medians, spreads, and which rows to learn from.

Everything here bears a share of strange rows among the others, also one that lies close together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Array = np.ndarray
PER_DEVIATION = 1.349
"""Interquartile range of a normal distribution, in standard deviations."""
TREES = 200


def side_by_side(columns: Mapping[str, Array], names: Sequence[str]) -> Array:
    """Encoded tensors as one matrix, float32 [N, D]."""
    return np.concatenate([np.asarray(columns[n], np.float32).reshape(len(columns[n]), -1) for n in names], axis=1)


def centre_and_spread(rows: Array) -> tuple[Array, Array]:
    """Median and spread of each column, [D] each.

    The spread is the interquartile range in the units of a standard deviation. Of a column of which half of the rows
    are alike it is the median distance of the others, times the root of their share, as the deviation of a column of 0
    and 1 would be; of one that never varies, 1.
    """
    wide = rows.astype(np.float64)
    centre = np.median(wide, axis=0)
    low, high = np.quantile(wide, [0.25, 0.75], axis=0)
    spread = (high - low) / PER_DEVIATION
    for column in np.flatnonzero(spread == 0):
        away = np.abs(wide[:, column] - centre[column])
        others = away[away > 0]
        spread[column] = np.median(others) * np.sqrt(len(others) / len(away)) if len(others) else 1.0
    return centre, spread


def soft_clipped(rows: Array, centre: Array, spread: Array, limit: float) -> Array:
    """Rows in spreads from the centre, none farther than ``limit``; as ``members.SoftClip``."""
    places = (rows - centre) / spread
    return np.asarray(places / np.sqrt(1 + (places / limit) ** 2), np.float32)


def usual_rows(rows: Array, share: float, limit: float, seed: int) -> Array:
    """Which rows to learn from, bool [N]: all but the ``share`` that an isolation forest finds the strangest.

    A network that is shown strange rows learns to draw those, too, where they lie close together; a forest isolates
    them in few cuts all the same (Liu, Ting & Zhou 2008).
    """
    from sklearn.ensemble import IsolationForest

    clipped = soft_clipped(rows, *centre_and_spread(rows), limit)
    score = -IsolationForest(n_estimators=TREES, random_state=seed % 2**32).fit(clipped).score_samples(clipped)
    kept = np.ones(len(rows), bool)
    kept[np.argsort(-score, kind="stable")[: int(share * len(rows))]] = False
    return kept
