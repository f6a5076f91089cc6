"""The toy on the rows of each week."""

from dataclasses import replace
from pathlib import Path

from pipelines.core.operations import Operations
from pipelines.core.registry import load

DATA = Path(__file__).parents[1] / "data" / "weeks.csv"

WEEKLY = replace(
    load("toy").configured({"checked.source.path": str(DATA)}), name="weekly", operations=Operations(window=True)
)
