"""Metric names as a reader knows them."""

from kilnworks.components.tasks.choose import metric_named


def metric_label(name: str) -> str:
    """Name for a heading."""
    metric = metric_named(name)
    return metric.title if metric else name.replace("_", " ")


def metric_meaning(name: str) -> str:
    """One clause on what the metric says."""
    metric = metric_named(name)
    return metric.meaning if metric else ""


def moment(stamp: str) -> str:
    """An ISO 8601 instant as a person writes it."""
    date, _, clock = stamp.partition("T")
    return f"{date} {clock[:8]} UTC" if clock else stamp
