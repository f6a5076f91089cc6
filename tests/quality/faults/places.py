"""Columns and rows in the wrong place."""

import numpy as np
import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, as_csv, fault, places_of


@fault
def two_columns_swapped(b: Batch) -> Spoiled:
    if len(b.measures) < 2:
        return None
    x, y = b.measures[:2]
    return b.frame.assign(**{x: b.frame[y].to_numpy(), y: b.frame[x].to_numpy()})


@fault
def two_columns_swapped_in_part(b: Batch) -> Spoiled:
    if len(b.measures) < 2:
        return None
    x, y = b.measures[-2:]
    part = b.some(0.3)
    return b.frame.assign(**{x: b.frame[x].where(~part, b.frame[y]), y: b.frame[y].where(~part, b.frame[x])})


@fault
def column_shifted_by_one_row(b: Batch) -> Spoiled:
    related = ("total", "bmi", "temperature_c", "mean_area", "s5", "area_m2")
    c = next((c for c in related if c in b.frame.columns), None)
    return None if c is None else b.frame.assign(**{c: np.roll(b.frame[c].to_numpy(), 1)})


@fault
def column_renamed(b: Batch) -> Spoiled:
    c = b.measures[0]
    return b.frame.rename(columns={c: c.upper() + "_NEW"})


@fault
def column_missing(b: Batch) -> Spoiled:
    return b.frame.drop(columns=b.measures[0])


@fault
def column_added(b: Batch) -> Spoiled:
    return b.frame.assign(loaded_by="etl")


@fault
def columns_reordered(b: Batch) -> Spoiled:
    return b.frame[list(b.frame.columns[::-1])]


@fault
def index_written_as_a_column(b: Batch) -> Spoiled:
    return b.frame.to_csv(index=True).encode()


@fault
def header_lost(b: Batch) -> Spoiled:
    return as_csv(b.frame, header=False)


@fault
def header_repeated_inside(b: Batch) -> Spoiled:
    lines = as_csv(b.frame).splitlines(keepends=True)
    lines.insert(len(lines) // 2, lines[0])
    return b"".join(lines)


@fault
def rows_in_another_order(b: Batch) -> Spoiled:
    return b.frame.sample(frac=1, random_state=1) if "measured_at" in b.frame.columns else None


@fault
def total_no_longer_the_sum(b: Batch) -> Spoiled:
    names = {"total": 1.19, "bmi": 1.1, "mean_area": 1.1, "pressure_bar": 1.05}
    c = next((c for c in names if c in b.frame.columns), None)
    if c is None:
        return None
    changed = (b.frame[c] * names[c]).round(places_of(b.clean[c]))
    return b.frame.assign(**{c: b.frame[c].where(~b.some(0.1), changed)})


@fault
def end_before_start(b: Batch) -> Spoiled:
    pairs = {"shipped_on": "ordered_at", "systolic": "diastolic", "land_m2": "area_m2"}
    c = next((c for c in pairs if c in b.frame.columns), None)
    if c is None:
        return None
    part = b.some(0.1)
    x, y = b.frame[c], b.frame[pairs[c]]
    if c == "shipped_on":
        return b.frame.assign(**{c: x.where(~part, y - pd.Timedelta(days=3))})
    return b.frame.assign(**{c: x.where(~part, y), pairs[c]: y.where(~part, x)})


@fault
def categories_paired_wrongly(b: Batch) -> Spoiled:
    if "city" not in b.frame.columns:
        return None
    mixed = pd.Series(b.r.permutation(b.frame["city"].to_numpy()))
    return b.frame.assign(city=b.frame["city"].where(~b.some(0.1), mixed))
