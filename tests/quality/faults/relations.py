"""What belongs together is taken apart, or what should not tells the label."""

import numpy as np
import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, fault


def tied(b: Batch) -> tuple[str, str] | None:
    """The two measures that go together the most, where any do."""
    ranks = b.clean[b.measures].rank().corr().abs().to_numpy() if len(b.measures) > 1 else np.zeros((1, 1))
    ranks = ranks - np.eye(len(ranks))
    i, j = np.unravel_index(int(np.nanargmax(ranks)), ranks.shape)
    return (b.measures[i], b.measures[j]) if ranks[i, j] > 0.5 else None


@fault
def tied_column_shuffled(b: Batch) -> Spoiled:
    pair = tied(b)
    return None if pair is None else b.frame.assign(**{pair[0]: b.r.permutation(b.frame[pair[0]].to_numpy())})


@fault
def tied_column_shuffled_in_a_third(b: Batch) -> Spoiled:
    pair = tied(b)
    if pair is None:
        return None
    values, part = b.frame[pair[0]].to_numpy().copy(), np.flatnonzero(b.some(0.33))
    values[part] = b.r.permutation(values[part])
    return b.frame.assign(**{pair[0]: values})


@fault
def column_overwritten_by_another(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.measures[1]: b.frame[b.measures[0]]}) if len(b.measures) > 1 else None


@fault
def label_noise_of_a_tenth(b: Batch) -> Spoiled:
    noise = pd.Series(b.r.permutation(b.clean[b.label].to_numpy())[: len(b.frame)])
    return b.frame.assign(**{b.label: b.frame[b.label].where(~b.some(0.1), noise.reindex(b.frame.index))})


@fault
def label_of_the_next_row(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.label: np.roll(b.frame[b.label].to_numpy(), 1)})


@fault
def label_all_negative_for_the_last_third(b: Batch) -> Spoiled:
    if b.clean[b.label].nunique() > 10:
        return None
    late = np.arange(len(b.frame)) > len(b.frame) * 2 // 3
    return b.frame.assign(**{b.label: b.frame[b.label].where(~late, b.clean[b.label].mode()[0])})


@fault
def label_leaks_into_a_measure(b: Batch) -> Spoiled:
    c = b.measure()
    if c is None:
        return None
    order = b.frame[b.label].rank(method="first").to_numpy().astype(int) - 1
    return b.frame.assign(**{c: np.sort(b.frame[c].to_numpy())[order]})


@fault
def label_leaks_into_a_category(b: Batch) -> Spoiled:
    g = b.category()
    if g is None or b.clean[b.label].nunique() > 10:
        return None
    groups = sorted(b.clean[g].dropna().unique())
    order = b.frame[b.label].rank(method="first").to_numpy().astype(int) - 1
    return b.frame.assign(**{g: b.frame[g].sort_values().to_numpy()[order]}) if len(groups) > 1 else None


@fault
def every_measure_shuffled(b: Batch) -> Spoiled:
    return b.frame.assign(**{c: b.r.permutation(b.frame[c].to_numpy()) for c in b.measures})


@fault
def a_group_means_something_else(b: Batch) -> Spoiled:
    """Two groups keep their shares but exchange half of their rows."""
    g = b.category()
    if g is None:
        return None
    first, second = b.clean[g].value_counts().index[:2]
    return b.frame.assign(**{g: b.frame[g].where(~b.some(0.5), b.frame[g].replace({first: second, second: first}))})
