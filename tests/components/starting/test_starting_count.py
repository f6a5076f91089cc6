"""A column called ``count``, as Polars calls the column that it counts into."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.starting.start import start
from kilnworks.components.validate import ValidateConfig, validate
from kilnworks.schemas.artifacts import Examples


def rows(folder, counts) -> str:
    draw = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"count": counts, "size": draw.normal(size=len(counts)).round(2), "sold": draw.integers(0, 2, 300)}
    )
    frame.write_csv(folder / "rows.csv")
    return str(folder / "rows.csv")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("counts", "label"),
    [
        ([f"k{i % 4}" for i in range(300)], "sold"),
        ([i % 50 for i in range(300)], "sold"),
        ([f"k{i % 2}" for i in range(300)], "count"),
        ([i % 50 for i in range(300)], "count"),
    ],
    ids=["category", "number", "label of classes", "label that is a number"],
)
def test_a_column_called_count_is_looked_at_and_checked_as_any_other(tmp_path, counts, label) -> None:
    recipe = start("r", rows(tmp_path, counts), label=label)
    assert "count" in recipe.contract.columns
    (tmp_path / "examples").mkdir()
    (tmp_path / "checked").mkdir()
    ingest(IngestConfig(contract=recipe.contract, source=recipe.source, split=recipe.split), tmp_path / "examples")
    made = validate(ValidateConfig(), Examples(tmp_path / "examples"), tmp_path / "checked")
    assert sum(made.rows(split) for split in made.splits) == 300
