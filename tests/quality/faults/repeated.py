"""Rows sent twice, seen before or cut off, and files that are none."""

import numpy as np
import pandas as pd

from tests.quality.faults.batch import Batch, Spoiled, as_csv, fault


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
    data = as_csv(b.frame)
    cut = data[: int(len(data) * 0.7)]
    return cut[: cut.rfind(b",") - 1]


@fault
def file_empty(b: Batch) -> Spoiled:
    return b""


@fault
def only_the_header(b: Batch) -> Spoiled:
    return as_csv(b.frame.iloc[:0])


@fault
def file_binary(b: Batch) -> Spoiled:
    return b.r.integers(0, 256, 5000, dtype=np.uint8).tobytes()


@fault
def web_page_instead_of_the_file(b: Batch) -> Spoiled:
    return b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>\n"


@fault
def archive_under_the_wrong_suffix(b: Batch) -> Spoiled:
    import gzip

    return gzip.compress(as_csv(b.frame))
