"""Units and scales."""

import numpy as np
import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, fault, places_of


def scaled(b: Batch, factor: float, share: float = 1.0) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(share), b.frame[c] * factor)})


@fault
def unit_grams_for_kilograms(b: Batch) -> Spoiled:
    return scaled(b, 1000)


@fault
def unit_inches_for_centimetres(b: Batch) -> Spoiled:
    return scaled(b, 1 / 2.54)


@fault
def unit_changed_in_a_tenth_of_the_rows(b: Batch) -> Spoiled:
    return scaled(b, 1000, 0.1)


@fault
def currency_changed_in_part_of_the_rows(b: Batch) -> Spoiled:
    c = b.measure()
    if c is None:
        return None
    places = places_of(b.clean[c])
    return b.frame.assign(**{c: b.frame[c].where(~b.some(0.3), (b.frame[c] * 1.27).round(places))})


@fault
def scale_changed_in_one_subset(b: Batch) -> Spoiled:
    c, g = b.measure(), b.category()
    if c is None or g is None:
        return None
    part = b.frame[g] == b.clean[g].mode()[0]
    return b.frame.assign(**{c: b.frame[c].where(~part, b.frame[c] * 1.5)})


@fault
def sign_flipped(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: -b.frame[c]})


@fault
def sign_flipped_in_a_twentieth_of_the_rows(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.05), -b.frame[c])})


@fault
def percent_for_fraction(b: Batch) -> Spoiled:
    return scaled(b, 100)


@fault
def offset_added(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c] + 0.5 * b.clean[c].std()})


@fault
def rounded_to_two_digits(b: Batch) -> Spoiled:
    c = b.measure()
    if c is None:
        return None
    rounded = b.frame[c].map(lambda v: v if pd.isna(v) or v == 0 else float(f"{v:.1e}"))
    return b.frame.assign(**{c: rounded})


@fault
def decimals_cut_off(b: Batch) -> Spoiled:
    decimals = [c for c in b.measures if places_of(b.clean[c]) > 0]
    return b.frame.assign(**{decimals[0]: np.floor(b.frame[decimals[0]])}) if decimals else None


@fault
def outliers_in_one_row_of_a_hundred(b: Batch) -> Spoiled:
    c = b.measure()
    if c is None:
        return None
    wild = b.clean[c].abs().max() * 20
    return b.frame.assign(**{c: b.frame[c].where(~b.some(0.01), wild)})


@fault
def capped_at_the_median(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].clip(upper=b.clean[c].quantile(0.6))})


@fault
def noise_added(b: Batch) -> Spoiled:
    c = b.measure()
    if c is None:
        return None
    noise = b.r.normal(0, 0.7 * b.clean[c].std(), len(b.frame))
    return b.frame.assign(**{c: (b.frame[c] + noise).round(places_of(b.clean[c]))})
