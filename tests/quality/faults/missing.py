"""Defaults and missing values."""

import numpy as np

from tests.quality.faults.batch import Batch, Spoiled, fault


@fault
def zero_for_missing(b: Batch) -> Spoiled:
    gaps = [c for c in b.measures if b.clean[c].isna().mean() > 0.02]
    return b.frame.assign(**{gaps[0]: b.frame[gaps[0]].fillna(0)}) if gaps else None


@fault
def default_zero_in_a_tenth_of_the_rows(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.1), 0)})


@fault
def minus_999_for_missing(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.05), -999)})


@fault
def median_for_missing(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.15), b.clean[c].median())})


@fault
def missing_rate_jumps(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.2))})


@fault
def some_values_missing_where_none_were(b: Batch) -> Spoiled:
    full = [c for c in b.measures if b.clean[c].notna().all()]
    return b.frame.assign(**{full[-1]: b.frame[full[-1]].where(~b.some(0.03))}) if full else None


@fault
def column_all_missing(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: np.nan})


@fault
def category_missing_in_part(b: Batch) -> Spoiled:
    c = b.category()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.2))})


@fault
def na_written_as_text_in_numbers(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].astype(object).where(~b.some(0.05), "unknown")})


@fault
def unknown_written_in_categories(b: Batch) -> Spoiled:
    c = b.category()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.05), "unknown")})


@fault
def column_constant(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.clean[c].median()})


@fault
def category_constant(b: Batch) -> Spoiled:
    c = b.category()
    return None if c is None else b.frame.assign(**{c: b.clean[c].mode()[0]})


@fault
def sensor_stuck_for_a_fifth_of_the_file(b: Batch) -> Spoiled:
    c = b.measure()
    if c is None:
        return None
    n = len(b.frame)
    values = b.frame[c].to_numpy().copy()
    values[n // 2 : n // 2 + n // 5] = values[n // 2]
    return b.frame.assign(**{c: values})
