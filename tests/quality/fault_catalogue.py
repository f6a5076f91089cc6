"""What producers do wrong: each fault spoils a fresh batch as a mistake upstream would.

A fault takes the batch (never the clean file) and gives back a spoiled frame, or bytes where the file itself is hurt,
or None where the source has nothing that the mistake could touch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Spoiled = pd.DataFrame | bytes | None
GERMAN = "bitte nach der Arbeit liefern das Paket kam spät und war beschädigt danke schnelle Antwort"
FAULTS: dict[str, Callable[["Batch"], Spoiled]] = {}


@dataclass
class Batch:
    """A fresh batch with what a fault may need.

    ``key`` and ``times`` name columns; ``measures`` are numbers with many values, ``categories`` texts with few.
    """

    frame: pd.DataFrame
    clean: pd.DataFrame
    label: str
    r: np.random.Generator

    @property
    def key(self) -> str | None:
        for c in self.frame.columns:
            if c.endswith(("_id", "_no", "ID")):
                return c
        return None

    @property
    def times(self) -> list[str]:
        return [c for c in self.frame.columns if c.endswith(("_at", "_on")) or c == "admitted"]

    @property
    def measures(self) -> list[str]:
        f = self.clean
        numbers = [c for c in f.columns if pd.api.types.is_numeric_dtype(f[c]) and c not in (self.label, self.key)]
        return [c for c in numbers if f[c].nunique() > 30]

    @property
    def categories(self) -> list[str]:
        f = self.clean
        texts = [c for c in f.columns if not pd.api.types.is_numeric_dtype(f[c]) and c not in (self.label, self.key)]
        return [c for c in texts if 1 < f[c].nunique() <= 40 and c not in self.times]

    def measure(self) -> str | None:
        """The measure with the most different values: what a mistake would hurt the most."""
        return max(self.measures, key=lambda c: self.clean[c].nunique(), default=None)

    def category(self) -> str | None:
        return self.categories[0] if self.categories else None

    def some(self, share: float) -> np.ndarray:
        """Flags of a random part of the rows."""
        return self.r.random(len(self.frame)) < share


def fault(f: Callable[[Batch], Spoiled]) -> Callable[[Batch], Spoiled]:
    """Enter a fault into the catalogue under the name of its function."""
    FAULTS[f.__name__] = f
    return f


def _csv(frame: pd.DataFrame, **options: object) -> bytes:
    return frame.to_csv(index=False, **options).encode()  # type: ignore[call-overload]


def _scaled(b: Batch, factor: float, share: float = 1.0) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(share), b.frame[c] * factor)})


# units and scales


@fault
def unit_grams_for_kilograms(b: Batch) -> Spoiled:
    return _scaled(b, 1000)


@fault
def unit_inches_for_centimetres(b: Batch) -> Spoiled:
    return _scaled(b, 1 / 2.54)


@fault
def unit_changed_in_a_tenth_of_the_rows(b: Batch) -> Spoiled:
    return _scaled(b, 1000, 0.1)


@fault
def currency_changed_in_part_of_the_rows(b: Batch) -> Spoiled:
    c = b.measure()
    if c is None:
        return None
    places = _places(b.clean[c])
    return b.frame.assign(**{c: b.frame[c].where(~b.some(0.3), (b.frame[c] * 1.27).round(places))})


def _places(s: pd.Series) -> int:
    return next((d for d in range(6) if np.allclose(s.dropna(), s.dropna().round(d))), 6)


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
    return _scaled(b, 100)


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
    decimals = [c for c in b.measures if _places(b.clean[c]) > 0]
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
    return b.frame.assign(**{c: (b.frame[c] + noise).round(_places(b.clean[c]))})


# defaults and missing values


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


# columns and rows in the wrong place


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
    return _csv(b.frame, header=False)


@fault
def header_repeated_inside(b: Batch) -> Spoiled:
    lines = _csv(b.frame).splitlines(keepends=True)
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
    changed = (b.frame[c] * names[c]).round(_places(b.clean[c]))
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


# rows sent twice, seen before, cut off


@fault
def batch_sent_twice(b: Batch) -> Spoiled:
    return pd.concat([b.frame, b.frame])


@fault
def part_of_the_batch_sent_twice(b: Batch) -> Spoiled:
    return pd.concat([b.frame, b.frame.iloc[: len(b.frame) // 5]])


@fault
def joined_twice(b: Batch) -> Spoiled:
    times = np.where(b.some(0.3), 2, 1)
    return b.frame.loc[b.frame.index.repeat(times)]


@fault
def sent_twice_under_new_keys(b: Batch) -> Spoiled:
    if b.key is None:
        return None
    again = b.frame.copy()
    if pd.api.types.is_numeric_dtype(again[b.key]):
        again[b.key] += 5_000_000_000
    elif b.key == "order_id":
        again[b.key] = [f"ORD-{90_000_000 + i}" for i in range(len(again))]
    else:
        again[b.key] = again[b.key].str[::-1]
    return pd.concat([b.frame, again])


@fault
def keys_used_for_several_rows(b: Batch) -> Spoiled:
    if b.key is None:
        return None
    part = b.some(0.05)
    return b.frame.assign(**{b.key: b.frame[b.key].where(~part, b.frame[b.key].iloc[0])})


@fault
def keys_seen_before(b: Batch) -> Spoiled:
    if b.key is None:
        return None
    old = b.clean[b.key].sample(len(b.frame), replace=len(b.frame) > len(b.clean), random_state=3).to_numpy()
    return b.frame.assign(**{b.key: b.frame[b.key].where(~b.some(0.2), pd.Series(old))})


@fault
def training_rows_come_back(b: Batch) -> Spoiled:
    old = b.clean.sample(max(3, len(b.frame) // 3), random_state=4)
    rows = pd.concat([b.frame.iloc[: -len(old)], old])
    return rows if "measured_at" not in b.frame.columns else rows.sort_values("measured_at")


@fault
def training_rows_come_back_under_new_keys(b: Batch) -> Spoiled:
    if b.key is None:
        return None
    k = len(b.frame) // 4
    old = b.clean.sample(k, random_state=5).assign(**{b.key: b.frame[b.key].to_numpy()[:k]})
    return pd.concat([b.frame.iloc[k:], old])


@fault
def key_missing(b: Batch) -> Spoiled:
    return None if b.key is None else b.frame.assign(**{b.key: b.frame[b.key].astype(object).where(~b.some(0.05))})


@fault
def key_in_another_form(b: Batch) -> Spoiled:
    return None if b.key is None else b.frame.assign(**{b.key: [f"x{i:05x}" for i in range(len(b.frame))]})


@fault
def upload_cut_off_in_a_line(b: Batch) -> Spoiled:
    data = _csv(b.frame)
    cut = data[: int(len(data) * 0.7)]
    return cut[: cut.rfind(b",") - 1]


@fault
def file_empty(b: Batch) -> Spoiled:
    return b""


@fault
def only_the_header(b: Batch) -> Spoiled:
    return _csv(b.frame.iloc[:0])


@fault
def file_binary(b: Batch) -> Spoiled:
    return b.r.integers(0, 256, 5000, dtype=np.uint8).tobytes()


@fault
def web_page_instead_of_the_file(b: Batch) -> Spoiled:
    return b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>\n"


@fault
def archive_under_the_wrong_suffix(b: Batch) -> Spoiled:
    import gzip

    return gzip.compress(_csv(b.frame))


# how things are written


@fault
def decimal_comma(b: Batch) -> Spoiled:
    return _csv(b.frame, decimal=",", sep=";")


@fault
def decimal_comma_in_one_column(b: Batch) -> Spoiled:
    decimals = [c for c in b.measures if _places(b.clean[c]) > 0]
    if not decimals:
        return None
    c = decimals[0]
    return b.frame.assign(**{c: b.frame[c].map(lambda v: "" if pd.isna(v) else str(v).replace(".", ","))})


@fault
def thousands_separated(b: Batch) -> Spoiled:
    big = [c for c in b.measures if b.clean[c].max() > 5000]
    return b.frame.assign(**{big[0]: b.frame[big[0]].map("{:,}".format)}) if big else None


@fault
def currency_sign_before_numbers(b: Batch) -> Spoiled:
    c = b.measure()
    return None if c is None else b.frame.assign(**{c: b.frame[c].map("€{}".format)})


@fault
def delimiter_changed(b: Batch) -> Spoiled:
    return _csv(b.frame, sep=";")


@fault
def everything_quoted(b: Batch) -> Spoiled:
    return _csv(b.frame, quoting=1)


@fault
def encoding_latin_1(b: Batch) -> Spoiled:
    data = b.frame.to_csv(index=False)
    return data.encode("cp1252", "replace") if not data.isascii() else None


@fault
def encoding_utf_16(b: Batch) -> Spoiled:
    return b.frame.to_csv(index=False).encode("utf-16")


@fault
def encoding_read_wrongly(b: Batch) -> Spoiled:
    data = b.frame.to_csv(index=False)
    return data.encode().decode("latin-1").encode() if not data.isascii() else None


@fault
def accents_lost(b: Batch) -> Spoiled:
    data = b.frame.to_csv(index=False)
    return data.encode("ascii", "replace") if not data.isascii() else None


@fault
def category_renamed(b: Batch) -> Spoiled:
    c = b.category()
    return None if c is None else b.frame.assign(**{c: b.frame[c].replace(b.clean[c].mode()[0], "renamed")})


@fault
def category_in_capitals(b: Batch) -> Spoiled:
    c = next((c for c in b.categories if b.clean[c].dropna().map(lambda v: v.upper() != v).any()), None)
    return None if c is None else b.frame.assign(**{c: b.frame[c].str.upper()})


@fault
def category_in_capitals_in_part(b: Batch) -> Spoiled:
    c = next((c for c in b.categories if b.clean[c].dropna().map(lambda v: v.upper() != v).any()), None)
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.1), b.frame[c].str.upper())})


@fault
def blanks_behind_categories(b: Batch) -> Spoiled:
    c = b.category()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.1), b.frame[c] + " ")})


@fault
def new_category(b: Batch) -> Spoiled:
    c = b.category()
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.04), "brand new")})


@fault
def category_lost(b: Batch) -> Spoiled:
    c = b.category()
    return None if c is None else b.frame[b.frame[c] != b.clean[c].value_counts().index[1]]


@fault
def category_shares_shifted(b: Batch) -> Spoiled:
    c = b.category()
    if c is None:
        return None
    top = b.frame[c] == b.clean[c].mode()[0]
    return b.frame[~top | b.some(0.4)]


@fault
def codes_changed(b: Batch) -> Spoiled:
    c = next((c for c in ("ward", "line", "garage", "rooms") if c in b.frame.columns), None)
    return None if c is None else b.frame.assign(**{c: b.frame[c] + 1})


@fault
def true_and_false_written_otherwise(b: Batch) -> Spoiled:
    c = next((c for c in ("smoker", "express") if c in b.frame.columns), None)
    words = {"True": "Y", "False": "N", "yes": "1", "no": "0"}
    return None if c is None else b.frame.assign(**{c: b.frame[c].map(words)})


@fault
def texts_cut_off(b: Batch) -> Spoiled:
    c = next((c for c in ("note", "name") if c in b.frame.columns), None)
    return None if c is None else b.frame.assign(**{c: b.frame[c].str.slice(0, 10)})


@fault
def texts_with_marks(b: Batch) -> Spoiled:
    c = next((c for c in ("note", "name") if c in b.frame.columns), None)
    return None if c is None else b.frame.assign(**{c: b.frame[c].where(~b.some(0.1), "<p>" + b.frame[c] + "</p>")})


@fault
def texts_in_another_language(b: Batch) -> Spoiled:
    if "note" not in b.frame.columns:
        return None
    words = tuple(GERMAN.split(" "))
    return b.frame.assign(note=[" ".join(b.r.choice(words, 5)) if isinstance(t, str) else t for t in b.frame["note"]])


# time


def _moments(b: Batch, change: Callable[[pd.Series], pd.Series]) -> Spoiled:
    c = b.times[0] if b.times else None
    if c is None:
        return None
    texts = b.frame[c]
    forms = {"admitted": "%d.%m.%Y", "measured_at": "%Y-%m-%dT%H:%M:%S", "sold_on": "%Y-%m-%d"}
    if c not in forms:
        return b.frame.assign(**{c: change(texts)})
    return b.frame.assign(**{c: change(pd.to_datetime(texts, format=forms[c])).dt.strftime(forms[c])})


@fault
def dates_a_year_late(b: Batch) -> Spoiled:
    return _moments(b, lambda t: t + pd.DateOffset(years=1))


@fault
def dates_a_century_early(b: Batch) -> Spoiled:
    return _moments(b, lambda t: t.where(~b.some(0.1), t - pd.DateOffset(years=100)))


@fault
def dates_at_the_epoch(b: Batch) -> Spoiled:
    return _moments(b, lambda t: t.where(~b.some(0.05), pd.Timestamp("1970-01-01")))


@fault
def dates_a_month_early(b: Batch) -> Spoiled:
    return _moments(b, lambda t: t - pd.Timedelta(days=40))


@fault
def day_and_month_swapped(b: Batch) -> Spoiled:
    c = b.times[0] if b.times else None
    forms = {"admitted": ("%d.%m.%Y", "%m.%d.%Y"), "sold_on": ("%Y-%m-%d", "%Y-%d-%m")}
    if c not in forms:
        return None
    old, new = forms[c]
    return b.frame.assign(**{c: pd.to_datetime(b.frame[c], format=old).dt.strftime(new)})


@fault
def dates_written_otherwise(b: Batch) -> Spoiled:
    c = b.times[0] if b.times else None
    forms = {"admitted": "%d.%m.%Y", "measured_at": "%Y-%m-%dT%H:%M:%S", "sold_on": "%Y-%m-%d", "ordered_at": None}
    return (
        None
        if c is None
        else b.frame.assign(**{c: pd.to_datetime(b.frame[c], format=forms[c]).dt.strftime("%m/%d/%y")})
    )


@fault
def time_of_day_lost(b: Batch) -> Spoiled:
    return b.frame.assign(ordered_at=b.frame["ordered_at"].dt.normalize()) if "ordered_at" in b.frame.columns else None


@fault
def night_hours_missing(b: Batch) -> Spoiled:
    return b.frame[b.frame["ordered_at"].dt.hour >= 8] if "ordered_at" in b.frame.columns else None


@fault
def gap_in_time(b: Batch) -> Spoiled:
    if "measured_at" not in b.frame.columns:
        return None
    n = len(b.frame)
    return b.frame.drop(index=range(n // 2, n // 2 + n // 8))


@fault
def months_missing(b: Batch) -> Spoiled:
    if "ordered_at" not in b.frame.columns:
        return None
    return b.frame[~b.frame["ordered_at"].dt.month.isin([5, 6])]


@fault
def clock_an_hour_off_in_the_middle(b: Batch) -> Spoiled:
    if "measured_at" not in b.frame.columns:
        return None
    t = pd.to_datetime(b.frame["measured_at"])
    late = np.arange(len(t)) >= len(t) // 2
    return b.frame.assign(measured_at=(t + pd.to_timedelta(late * 60, unit="min")).dt.strftime("%Y-%m-%dT%H:%M:%S"))


# the label


@fault
def label_flipped(b: Batch) -> Spoiled:
    kinds = sorted(b.clean[b.label].dropna().unique().tolist())
    if len(kinds) != 2:
        return None
    return b.frame.assign(**{b.label: b.frame[b.label].map({kinds[0]: kinds[1], kinds[1]: kinds[0]})})


@fault
def label_shuffled(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.label: b.r.permutation(b.frame[b.label].to_numpy())})


@fault
def label_missing_in_part(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.label: b.frame[b.label].astype(object).where(~b.some(0.1))})


@fault
def label_all_one_class(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.label: b.frame[b.label].iloc[0]})


@fault
def class_shares_shifted(b: Batch) -> Spoiled:
    if b.clean[b.label].nunique() > 10:
        return None
    rare = b.frame[b.label] == b.clean[b.label].value_counts().index[-1]
    return b.frame[~rare | b.some(0.3)]


@fault
def new_class(b: Batch) -> Spoiled:
    if b.clean[b.label].nunique() > 10:
        return None
    return b.frame.assign(**{b.label: b.frame[b.label].astype(object).where(~b.some(0.05), "2")})


@fault
def label_in_other_units(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.label: b.frame[b.label] / 1000}) if b.clean[b.label].nunique() > 10 else None


# many things at once


@fault
def several_small_shifts(b: Batch) -> Spoiled:
    changed = {c: b.frame[c] + b.r.choice([-1, 1]) * 0.15 * b.clean[c].std() for c in b.measures}
    return b.frame.assign(**{c: v.round(_places(b.clean[c])) for c, v in changed.items()}) if len(changed) > 2 else None


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
