"""Rows chosen, ordered or put together wrongly."""

import numpy as np
import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, fault, places_of


@fault
def sorted_by_a_value(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.sort_values(c)


@fault
def sorted_by_the_label(b: Batch) -> Spoiled:
    return b.frame.sort_values(b.label, kind="stable")


@fault
def only_the_largest_values(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame[b.frame[c] > b.clean[c].quantile(0.3)]


@fault
def means_instead_of_rows(b: Batch) -> Spoiled:
    means = {c: b.frame[c].rolling(5, min_periods=1).mean().round(places_of(b.clean[c])) for c in b.measures}
    return b.frame.assign(**means) if means else None


@fault
def drift_within_the_file(b: Batch) -> Spoiled:
    c = b.measure()
    if c is None:
        return None
    ramp = np.linspace(0, 1.0, len(b.frame)) * b.clean[c].std()
    return b.frame.assign(**{c: (b.frame[c] + ramp).round(places_of(b.clean[c]))})


@fault
def a_fifth_from_another_source(b: Batch) -> Spoiled:
    other = b.some(0.2)
    changed = {c: b.frame[c].where(~other, (b.frame[c] * 1.5).round(places_of(b.clean[c]))) for c in b.measures}
    return b.frame.assign(**changed) if len(changed) > 1 else None


@fault
def a_join_that_failed_for_a_tenth(b: Batch) -> Spoiled:
    columns = [*b.measures[:2], *b.categories[:1]]
    return b.frame.assign(**{c: b.frame[c].where(~b.lost) for c in columns}) if len(columns) > 1 else None


@fault
def missing_in_one_group(b: Batch) -> Spoiled:
    c, g = b.measure(), b.category()
    if c is None or g is None:
        return None
    return b.frame.assign(**{c: b.frame[c].where(b.frame[g] != b.clean[g].value_counts().index[1])})


@fault
def one_group_sent_twice_with_new_keys(b: Batch) -> Spoiled:
    g = b.category()
    if g is None or b.key is not None:
        return None
    return pd.concat([b.frame, b.frame[b.frame[g] == b.clean[g].mode()[0]]])


@fault
def value_of_the_row_before(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.2)).ffill()})


@fault
def two_groups_exchanged(b: Batch) -> Spoiled:
    g = b.category()
    if g is None:
        return None
    first, second = b.clean[g].value_counts().index[:2]
    return b.frame.assign(**{g: b.frame[g].replace({first: second, second: first})})


@fault
def one_group_scaled_by_a_thousand(b: Batch) -> Spoiled:
    c, g = b.measure(), b.category()
    if c is None or g is None:
        return None
    part = b.frame[g] == b.clean[g].value_counts().index[-1]
    return b.frame.assign(**{c: b.frame[c].where(~part, b.frame[c] * 1000)}) if part.sum() > 2 else None


@fault
def one_group_filled_with_its_mean(b: Batch) -> Spoiled:
    c, g = b.measure(), b.category()
    if c is None or g is None:
        return None
    part = b.frame[g] == b.clean[g].mode()[0]
    mean = round(b.clean[c].mean(), places_of(b.clean[c]))
    return b.frame.assign(**{c: b.frame[c].where(~part, mean)})


@fault
def old_rows_with_a_little_noise(b: Batch) -> Spoiled:
    c = b.measure()
    if c is None or b.key is None:
        return None
    k = len(b.frame) // 3
    old = b.clean.sample(k, random_state=8).assign(**{b.key: b.frame[b.key].to_numpy()[:k]})
    old[c] = (old[c] * b.r.normal(1, 0.01, k)).round(places_of(b.clean[c]))
    return pd.concat([b.frame.iloc[k:], old])
