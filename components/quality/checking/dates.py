"""Dates written as text: finding how they are written, and reading them."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

FORMATS: tuple[str, ...] = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S%.f",
    "%d/%m/%Y %H:%M:%S%.f",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M",
    "%d-%m-%Y",
    "%d-%m-%Y %H:%M:%S%.f",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%Y.%m.%d",
)
"""Ways of writing a date that are recognised, the common ones first."""

_LOOKS_LIKE = r"^\d{1,4}[-/. ](\d{1,2}|[A-Za-z]{3})[-/. ]\d{1,4}|^[A-Za-z]{3} \d{1,2}, \d{4}"


def looks_like_dates(texts: pl.Series) -> bool:
    """Whether nearly all texts have the outline of a date."""
    return texts.len() > 0 and float(texts.str.contains(_LOOKS_LIKE).mean() or 0) > 0.95  # type: ignore[arg-type]


def find_format(texts: pl.Series, share: float = 0.995) -> str | None:
    """The format that reads the most of the texts, if it reads ``share`` of them; None if none does."""
    texts = texts.drop_nulls()
    if not looks_like_dates(texts):
        return None
    best, best_share = None, 0.0
    for form in FORMATS:
        read = 1 - float(np.isnan(parse_dates(texts, form)).mean())
        if read > best_share:
            best, best_share = form, read
    return best if best_share >= share else None


def parse_dates(series: pl.Series, form: str | None) -> NDArray[np.float64]:
    """Seconds since 1970 UTC [n], NaN where missing or not written in ``form``."""
    if series.dtype.is_temporal():
        moments = series.cast(pl.Datetime("us"))
    elif form is None:
        return np.full(series.len(), np.nan)
    elif form.endswith("%#z"):
        moments = series.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC").dt.replace_time_zone(None)
    elif "%H" in form:
        moments = series.str.to_datetime(form, strict=False, time_unit="us")
    else:
        moments = series.str.to_date(form, strict=False).cast(pl.Datetime("us"))
    return moments.cast(pl.Int64).cast(pl.Float64).to_numpy().astype(float) / 1e6
