"""Five families on small files that hold bad rows, and requests that fit what is learned from them."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

NAN, INF = float("nan"), float("inf")
HOURS, ROWS = 480, 240
TEN_MB = "good film " * 1_000_000
FILES = {
    "bikes": ["hours.csv", "--label", "rides", "--horizon", "6", "--known-ahead", "temp"],
    "turns": ["turns.npz", "--label", "side"],
    "reviews": ["reviews.csv", "--label", "stars"],
    "parts": ["parts.csv", "--label", "none"],
    "groups": ["parts.csv", "--label", "none", "--task", "clusters"],
}
"""Pipelines, and how ``new`` is asked for each."""
QUICK = {
    "bikes": ["model.epochs=2", "model.model.members=1", "model.model.views=[{}]"],
    "turns": ["model.epochs=2"],
    "reviews": ["model.epochs=2"],
    "parts": ["model.epochs=2"],
    "groups": [],
}
SET_ASIDE = {"bikes": 3, "turns": 1, "reviews": 1, "parts": 1, "groups": 1}
"""Rows of each file that hold an infinite number, no label, or no moment."""


def hours() -> pl.DataFrame:
    """Rides by hour and temperature."""
    draw, number = np.random.default_rng(0), np.arange(HOURS)
    temp = draw.normal(10, 3, HOURS).round(2)
    rides = 50 + 20 * np.sin(number / 24 * 2 * np.pi) + temp + draw.normal(0, 2, HOURS)
    at = [datetime(2024, 1, 1) + timedelta(hours=int(k)) for k in number]
    return pl.DataFrame({"hour": at, "temp": temp, "rides": rides.round(1)})


def boxes(folder: Path, outside: bool) -> None:
    """Sixty images of dots, one box each; with ``outside`` that of the first reaches out of its image."""
    from PIL import Image

    draw, lines = np.random.default_rng(2), ["image,xmin,ymin,xmax,ymax,label"]
    for number in range(60):
        pixels = draw.integers(0, 60, (32, 32, 3)).astype(np.uint8)
        left, top = (int(v) for v in draw.integers(2, 18, 2))
        pixels[top : top + 10, left : left + 10] = 250
        Image.fromarray(pixels).save(folder / f"{number}.png")
        right = 40 if outside and not number else left + 10
        lines.append(f"{number}.png,{left},{top},{right},{top + 10},dot")
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")


def at_row(row: int, column: str, value: object) -> pl.Expr:
    """A column with another value in one row."""
    return pl.when(pl.int_range(pl.len()) == row).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


def write(folder: Path) -> None:
    """The files: gaps in time, missing values, an infinite number in each, an empty text, and one of 10 MB."""
    series = hours().with_columns(at_row(100, "rides", None), at_row(120, "temp", INF))
    pl.concat([series[:200], series[205:]]).write_csv(folder / "hours.csv")
    draw = np.random.default_rng(1)
    side = draw.integers(0, 2, ROWS)
    course = draw.normal(size=(ROWS, 6, 2)) + (2 * side[:, None, None] - 1) * np.linspace(0, 1, 6)[:, None]
    course[7, 2, 1] = -INF
    np.savez(folder / "turns.npz", course=course.astype(np.float32), side=np.array(["left", "right"])[side])
    words = np.array(["film", "plot", "scene", "music", "camera", "story", "actor", "night", "house", "road"])
    texts = [" ".join(draw.choice(words, 8)) + (" good" if y else " bad") for y in side]
    texts[3], texts[4] = "", TEN_MB
    age, plan = draw.normal(40, 9, ROWS).round(1), draw.choice(["basic", "plus"], ROWS)
    age[9] = INF
    pl.DataFrame({"review": texts, "age": age, "plan": plan, "stars": side}).write_csv(folder / "reviews.csv")
    parts = draw.normal(np.arange(4), 1 + np.arange(4), (ROWS, 4)).round(3)
    parts[5, 1] = INF
    pl.DataFrame({f"m{k}": parts[:, k] for k in range(4)}).write_csv(folder / "parts.csv")


def changed(values: np.ndarray, at: object, value: float) -> np.ndarray:
    """A copy with another value at one place."""
    copy = values.copy()
    copy[at] = value
    return copy


def texts(*values: str | bytes) -> np.ndarray:
    """As they are sent."""
    return np.array([v.encode() if isinstance(v, str) else v for v in values], object)


RIDES, TEMP = np.linspace(40, 80, 168, dtype=np.float32)[None], np.full((1, 174), 10, np.float32)
COURSE, ONE = np.ones((1, 6, 2), np.float32), np.ones(1, np.float32)
GOOD = {
    "bikes": {"hour": np.array([1_705_795_200], np.int64), "rides": RIDES, "temp": TEMP},
    "turns": {"course": COURSE},
    "reviews": {"review": texts("good film"), "age": 40 * ONE, "plan": texts("plus")},
    "parts": {f"m{k}": k * ONE for k in range(4)},
    "groups": {f"m{k}": k * ONE for k in range(4)},
}
"""A request to each that fits."""
