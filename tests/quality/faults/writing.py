"""How things are written."""

import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, as_csv, fault, places_of

GERMAN = "bitte nach der Arbeit liefern das Paket kam spät und war beschädigt danke schnelle Antwort"


@fault
def decimal_comma(b: Batch) -> Spoiled:
    return as_csv(b.frame, decimal=",", sep=";")


@fault
def decimal_comma_in_one_column(b: Batch) -> Spoiled:
    decimals = [c for c in b.measures if places_of(b.clean[c]) > 0]
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
    return as_csv(b.frame, sep=";")


@fault
def everything_quoted(b: Batch) -> Spoiled:
    return as_csv(b.frame, quoting=1)


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
