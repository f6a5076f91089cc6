"""One table of endings: which kind of rows a file of which name holds, for every command and every source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["csv", "jsonl", "parquet", "npz"]

ENDINGS: Mapping[Kind, tuple[str, ...]] = {
    "csv": (".csv", ".tsv", ".txt", ".tab", ".csv.gz", ".tsv.gz", ".txt.gz", ".tab.gz"),
    "jsonl": (".jsonl", ".ndjson", ".jsonlines", ".json", ".jsonl.gz", ".ndjson.gz", ".jsonlines.gz", ".json.gz"),
    "parquet": (".parquet", ".pq"),
    "npz": (".npz",),
}
"""Endings by kind, in lower case; names are compared without regard to case."""

IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
"""Endings of images."""

TABULATED = (".tsv", ".tab", ".tsv.gz", ".tab.gz")
"""Endings that say that a tabulator stands between the fields."""


def kind_of_name(name: str) -> Kind | None:
    """The kind of rows in a file of this name; None where the name does not tell."""
    low = name.lower()
    return next((kind for kind, endings in ENDINGS.items() if low.endswith(endings)), None)


def all_endings() -> str:
    """Every ending, for messages."""
    return ", ".join(ending for endings in ENDINGS.values() for ending in endings)


def gzipped(name: str) -> bool:
    """Whether a name says that the file is compressed with gzip."""
    return name.lower().endswith(".gz")
