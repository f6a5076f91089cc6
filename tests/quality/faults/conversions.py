"""Values turned into something else on their way."""

import numpy as np
import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, fault, places_of


def measure_to(b: Batch, change: object) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: change(b.frame[c], b.clean[c])})  # type: ignore[operator]


@fault
def logarithm_taken(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None or b.clean[c].min() < 0 else b.frame.assign(**{c: np.log1p(b.frame[c]).round(4)})


@fault
def standardised(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: ((v - clean.mean()) / clean.std()).round(4))


@fault
def divided_by_the_largest(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: (v / clean.max()).round(4))


@fault
def clipped_at_a_quantile(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: v.clip(upper=clean.quantile(0.95)))


@fault
def clipped_below_at_a_quantile(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: v.clip(lower=clean.quantile(0.1)))


@fault
def rounded_to_fives(b: Batch) -> Spoiled:
    def round_to_fives(v: pd.Series, clean: pd.Series) -> pd.Series:
        step = 5 * 10.0 ** np.floor(np.log10(clean.std() / 5))
        return ((v / step).round() * step).round(6)

    return measure_to(b, round_to_fives)


@fault
def overflow_of_a_short_integer(b: Batch) -> Spoiled:
    c = next((c for c in b.measures if b.clean[c].max() > 2 * 128 and places_of(b.clean[c]) == 0), None)
    if c is None:
        return None
    bits = 8 if b.clean[c].max() < 2**15 else 16
    half = 2 ** (bits - 1)
    return b.frame.assign(**{c: (b.frame[c] + half) % (2 * half) - half})


@fault
def unit_written_behind(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: v.map("{} kg".format))


@fault
def blanks_before_numbers(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: v.map(" {}".format))


@fault
def spread_doubled(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: (2 * v - clean.mean()).round(places_of(clean)))


@fault
def mirrored(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: (clean.max() + clean.min() - v).round(places_of(clean)))


@fault
def minus_one_for_a_few(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: v.where(~b.some(0.03), -1))


@fault
def the_mean_for_a_few(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: v.where(~b.some(0.05), round(clean.mean(), places_of(clean))))


@fault
def the_largest_for_a_few(b: Batch) -> Spoiled:
    return measure_to(b, lambda v, clean: v.where(~b.some(0.05), clean.max()))


@fault
def numbers_for_categories(b: Batch) -> Spoiled:
    g = b.category()
    if g is None:
        return None
    codes = {v: i for i, v in enumerate(sorted(b.clean[g].dropna().unique()))}
    return b.frame.assign(**{g: b.frame[g].map(codes).astype("Int64")})


@fault
def categories_cut_to_three_letters(b: Batch) -> Spoiled:
    g = next((g for g in b.categories if b.clean[g].dropna().str.len().max() > 4), None)
    return None if g is None else b.frame.assign(**{g: b.frame[g].str.slice(0, 3)})


@fault
def a_misspelt_category(b: Batch) -> Spoiled:
    g = next((g for g in b.categories if b.clean[g].mode()[0].isalpha() and len(b.clean[g].mode()[0]) > 2), None)
    if g is None:
        return None
    top = b.clean[g].mode()[0]
    wrong = top[:1] + top[2:]
    return b.frame.assign(**{g: b.frame[g].where(~((b.frame[g] == top) & b.some(0.1)), wrong)})


@fault
def rare_categories_lumped_together(b: Batch) -> Spoiled:
    g = next((g for g in b.categories if b.clean[g].nunique() > 3), None)
    if g is None:
        return None
    rare = b.clean[g].value_counts().index[2:]
    return b.frame.assign(**{g: b.frame[g].where(~b.frame[g].isin(rare), "other")})


@fault
def codes_moved_by_one_in_part(b: Batch) -> Spoiled:
    f = b.clean
    codes = [
        c
        for c in f.columns
        if c not in (b.label, b.key) and pd.api.types.is_integer_dtype(f[c]) and 2 < f[c].nunique() <= 30
    ]
    return b.frame.assign(**{codes[0]: b.frame[codes[0]] + b.some(0.3)}) if codes else None


@fault
def keys_in_scientific_notation(b: Batch) -> Spoiled:
    if b.key is None or not pd.api.types.is_numeric_dtype(b.frame[b.key]):
        return None
    return b.frame.assign(**{b.key: b.frame[b.key].map("{:.5E}".format)})


@fault
def keys_cut_off(b: Batch) -> Spoiled:
    return None if b.key is None else b.frame.assign(**{b.key: b.frame[b.key].astype(str).str.slice(0, -2)})


@fault
def html_signs_in_texts(b: Batch) -> Spoiled:
    c = b.free_text
    return None if c is None else b.frame.assign(**{c: b.frame[c].str.replace(" ", "&nbsp;", n=1)})


@fault
def texts_in_small_letters(b: Batch) -> Spoiled:
    c = b.free_text
    if c is None or (b.clean[c].dropna() == b.clean[c].dropna().str.lower()).all():
        return None
    return b.frame.assign(**{c: b.frame[c].str.lower()})


@fault
def one_text_for_a_tenth(b: Batch) -> Spoiled:
    c = b.free_text
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.1), "test test test")})


@fault
def line_breaks_in_texts(b: Batch) -> Spoiled:
    c = b.free_text
    return None if c is None else b.frame.assign(**{c: b.frame[c].str.replace(" ", "\n", n=1)})
