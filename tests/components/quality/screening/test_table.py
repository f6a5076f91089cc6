"""Parts of a table: what was derived of the whole is what would be derived of the part."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.quality.screening.columns.column_specs import describe_columns
from kilnworks.components.quality.screening.columns.table import Table

FRAME = pl.DataFrame(
    {
        "texts": ["3.5", "", "7", "n/a", "1e3", "-2"] * 5,
        "days": ["2024-01-31", None, "2024-02-29 12:30", "never", "", "1999-12-31"] * 5,
        "codes": ["a", "b", "", None, "b", "a"] * 5,
        "fractions": [1.0, None, 2.0, float("nan"), 3.0, 4.5] * 5,
        "whole": [1, 2, None, 4, 2**40, 6] * 5,
        "truth": [True, None, False, True, False, False] * 5,
    }
)


@pytest.mark.parametrize("rows", [np.arange(30) % 3 > 0, np.array([29, 2, 2, 0, 4]), np.zeros(30, bool)])
def test_a_part_has_the_forms_that_it_would_have_alone(rows):
    table = Table(FRAME, describe_columns(FRAME))
    for name in FRAME.columns:
        table.texts(name)
        table.numbers(name)
    part = table.take(rows)
    alone = Table(part.frame, table.specs)
    for name in FRAME.columns:
        assert part.texts(name).equals(alone.texts(name), null_equal=True), name
        np.testing.assert_array_equal(part.numbers(name), alone.numbers(name), err_msg=name)
        np.testing.assert_array_equal(part.missing(name), alone.missing(name), err_msg=name)
