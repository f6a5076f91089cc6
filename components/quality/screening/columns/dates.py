"""Dates of a file that is checked, as numbers."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.dates.reading import read_dates
from kilnworks.schemas.dates import DateFormat


def parse_dates(series: pl.Series, how: DateFormat) -> NDArray[np.float64]:
    """Seconds since 1970 UTC [n], NaN where missing or not written as ``how`` says."""
    return read_dates(series, how).cast(pl.Int64).cast(pl.Float64).to_numpy().astype(float) / 1e6
