"""Small contracts and files for the tests of sources, ingest and validation."""

from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from kilnworks.schemas.contract import Contract, parse_contract

PEOPLE = """
name: people
key: id
features:
  age: {dtype: int, min: 0, max: 120, unit: years, description: Age in full years.}
  income: {dtype: float, min: 0, nullable: true, max_missing: 0.5}
  city: {dtype: string, allowed: [Bern, Genf, Chur]}
  member: {dtype: bool}
  joined: {dtype: datetime, nullable: true}
label: {name: left, dtype: string, classes: ["no", "yes"]}
"""


def people() -> Contract:
    return parse_contract(PEOPLE)


def people_frame(rows: int = 200, seed: int = 0) -> pl.DataFrame:
    """Rows that keep every rule of ``people``."""
    r = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "id": [f"p{n:05d}" for n in range(rows)],
            "age": r.integers(0, 121, rows),
            "income": [None if n % 7 == 0 else float(n) + 0.5 for n in range(rows)],
            "city": np.array(["Bern", "Genf", "Chur"])[r.integers(0, 3, rows)],
            "member": r.integers(0, 2, rows) == 1,
            "joined": ["2024-01-31T12:00:00" if n % 3 else None for n in range(rows)],
            "left": np.array(["no", "yes"])[r.integers(0, 2, rows)],
        }
    ).with_columns(pl.col("joined").str.to_datetime(time_unit="us"))


def write_png(path: Path, size: tuple[int, int] = (8, 6), value: int = 100, mode: str = "RGB") -> Path:
    """One picture of a single colour; ``size`` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value,) * len(mode)).save(path)
    return path


def image_folder(root: Path, splits: tuple[str, ...] = (), each: int = 12) -> Path:
    """``each`` pictures of the classes cat and dog, below each split."""
    for split in splits or ("",):
        for label, value in (("cat", 40), ("dog", 200)):
            for n in range(each):
                write_png(root / split / label / f"{n:03d}.png", value=value + n)
    return root
