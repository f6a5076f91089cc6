"""A few scenes as examples, and the transform fitted on them."""

from pathlib import Path

import polars as pl

from kilnworks.components.sources import ScenesSource, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.schemas.artifacts import CheckedExamples, Transform
from kilnworks.schemas.contract import Contract
from tests.components.learning.training_examples import prepared

CONTRACT = Contract.model_validate(
    {
        "name": "scenes",
        "key": "id",
        "features": {"image": {"dtype": "image", "shape": [64, 64, 1], "min": 0, "max": 255}},
        "label": {"name": "boxes", "dtype": "boxes", "boxes": 4, "classes": [str(i) for i in range(10)]},
    }
)
MODEL = {"kind": "detector", "filters": [4, 8, 8], "pyramid": 8, "depth": 1, "most": 10, "flip": "none"}
"""Smaller than anything that finds a digit."""


def scenes(root: Path, count: int = 80) -> tuple[CheckedExamples, Transform]:
    """``count`` scenes: eight tenths to train on, a tenth to validate, a tenth to judge."""
    source = ScenesSource(path="data/digits.parquet", count=count)
    wanted = Wanted(contract_columns(CONTRACT))
    return prepared(root, CONTRACT, {split: pl.concat(source.frames(wanted, split)) for split in source.splits()})
