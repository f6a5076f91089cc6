"""Change of the share of missing values."""

from kilnworks.components.quality.stats.pvalues import rate_change


def missing_rate(new_missing: int, new_rows: int, missing: int, rows: int) -> tuple[float, float]:
    """Difference of the shares (new minus reference), in [-1, 1], and log10 of Fisher's exact p-value (two-sided)."""
    if new_rows == 0 or rows == 0:
        return 0.0, 0.0
    return new_missing / new_rows - missing / rows, rate_change(new_missing, new_rows, missing, rows)
