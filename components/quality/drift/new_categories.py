"""Categories that the reference does not have."""

from kilnworks.components.quality.stats.pvalues import rate_increase
from kilnworks.components.sketches.counts import ValueCounts


def new_categories(new: ValueCounts, reference: ValueCounts) -> tuple[float, float, list[str]]:
    """Share of rows with an unknown category, log10 p, and those categories, the most frequent first.

    As many as the reference has categories of a single row are to be expected (Good 1953). Where the reference has
    categories that are not counted one by one, nothing can be said and the share is 0.
    """
    if reference.other or new.rows == 0 or reference.rows == 0:
        return 0.0, 0.0, []
    unknown = {name: rows for name, rows in new.levels.items() if name not in reference.levels}
    rows = sum(unknown.values()) + new.other
    once = sum(count == 1 for count in reference.levels.values())
    names = sorted(unknown, key=lambda name: -unknown[name])
    return rows / new.rows, rate_increase(rows, new.rows, once, reference.rows), names
