"""How the file is written."""

import io
import zipfile

import numpy as np
import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, as_csv, fault


def lines_of(b: Batch) -> list[bytes]:
    return as_csv(b.frame).splitlines(keepends=True)


@fault
def totals_at_the_end(b: Batch) -> Spoiled:
    numbers = b.frame.select_dtypes("number").sum()
    row = {c: numbers.get(c) for c in b.frame.columns}
    first = next((c for c in b.frame.columns if c not in numbers.index), None)
    if first is not None:
        row[first] = "Total"
    return pd.concat([b.frame.astype(object), pd.DataFrame([row])])


@fault
def empty_rows_at_the_end(b: Batch) -> Spoiled:
    width = len(b.frame.columns)
    return as_csv(b.frame) + (b"," * (width - 1) + b"\n") * 20


@fault
def a_note_above_the_header(b: Batch) -> Spoiled:
    return b"Export of 2024-06-01\n\n" + as_csv(b.frame)


@fault
def zip_archive_under_the_wrong_suffix(b: Batch) -> Spoiled:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("batch.csv", as_csv(b.frame))
    return out.getvalue()


@fault
def json_under_the_wrong_suffix(b: Batch) -> Spoiled:
    return str(b.frame.to_json(orient="records", lines=True, date_format="iso")).encode()


@fault
def fields_moved_to_the_right_in_some_rows(b: Batch) -> Spoiled:
    texts = b.frame.astype(object).to_numpy(copy=True)
    part = b.some(0.03)
    texts[part, 2:] = texts[part, 1:-1]
    return pd.DataFrame(texts, columns=b.frame.columns)


@fault
def a_quote_that_never_closes(b: Batch) -> Spoiled:
    lines = lines_of(b)
    at = len(lines) // 2
    lines[at] = b'"' + lines[at]
    return b"".join(lines)


@fault
def a_delimiter_inside_a_field(b: Batch) -> Spoiled:
    lines = lines_of(b)
    for at in range(10, len(lines), 50):
        lines[at] = lines[at].replace(b",", b",x,", 1)
    return b"".join(lines)


@fault
def names_of_columns_in_capitals(b: Batch) -> Spoiled:
    new = {c: c.upper() for c in b.frame.columns if c.upper() != c}
    return b.frame.rename(columns=new) if new else None


@fault
def blanks_around_names_of_columns(b: Batch) -> Spoiled:
    return b.frame.rename(columns=lambda c: f" {c} ")


@fault
def two_columns_renamed_into_each_other(b: Batch) -> Spoiled:
    if len(b.measures) < 2:
        return None
    x, y = b.measures[:2]
    return b.frame.rename(columns={x: y, y: x})[list(b.frame.columns)]


@fault
def column_sent_twice(b: Batch) -> Spoiled:
    c = b.measures[0]
    again = b.frame.copy()
    again.insert(1, c + "_copy", again[c])
    return again


@fault
def nul_bytes_inside(b: Batch) -> Spoiled:
    data = as_csv(b.frame)
    at = len(data) // 2
    return data[:at] + b"\x00" * 512 + data[at:]


@fault
def a_block_lost_in_the_middle(b: Batch) -> Spoiled:
    data = as_csv(b.frame)
    return data[: len(data) // 2 - 37] + data[len(data) // 2 + 4001 :]


@fault
def two_files_one_after_the_other(b: Batch) -> Spoiled:
    return as_csv(b.frame.iloc[: len(b.frame) // 2]) + as_csv(b.frame.iloc[len(b.frame) // 2 :])


@fault
def dates_in_two_forms(b: Batch) -> Spoiled:
    if not b.times:
        return None
    c = b.times[0]
    moments = b.moments(c)
    return b.frame.assign(**{c: b.frame[c].astype(str).where(~b.some(0.3), moments.dt.strftime("%d/%m/%y"))})


@fault
def dates_as_numbers(b: Batch) -> Spoiled:
    if not b.times:
        return None
    c = b.times[0]
    seconds = (b.moments(c) - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1)
    return b.frame.assign(**{c: seconds})


@fault
def clock_in_another_time_zone(b: Batch) -> Spoiled:
    c = next((c for c in b.times if (b.moments(c).dt.hour != 0).any()), None)
    if c is None:
        return None
    return b.with_moments(c, b.moments(c) + pd.Timedelta(hours=6))


@fault
def dates_a_day_off_in_part(b: Batch) -> Spoiled:
    if len(b.times) < 2:
        return None
    c = b.times[1]
    days = pd.to_timedelta(np.where(b.some(0.3), -1, 0), unit="D")
    return b.with_moments(c, b.moments(c) + days)


@fault
def far_future_for_unknown_dates(b: Batch) -> Spoiled:
    if not b.times:
        return None
    c = b.times[0]
    return b.with_moments(c, b.moments(c).where(~b.some(0.02), pd.Timestamp("2099-12-31")))


@fault
def dates_cut_to_the_month(b: Batch) -> Spoiled:
    if not b.times:
        return None
    c = b.times[0]
    return b.with_moments(c, b.moments(c).dt.to_period("M").dt.to_timestamp())


@fault
def no_weekends(b: Batch) -> Spoiled:
    if not b.times:
        return None
    return b.frame[b.moments(b.times[0]).dt.day_of_week < 5]
