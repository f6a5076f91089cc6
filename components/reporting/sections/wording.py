"""Metric names as a reader knows them."""

from typing import Any

from kilnworks.components.tasks.choose import metric_named
from kilnworks.schemas.json_values import as_dict, as_number


def metric_label(name: str) -> str:
    """Name for a heading."""
    metric = metric_named(name)
    return metric.title if metric else name.replace("_", " ")


def metric_meaning(name: str) -> str:
    """One clause on what the metric says."""
    metric = metric_named(name)
    return metric.meaning if metric else ""


def budget_words(training: dict[str, Any]) -> str:
    """What a budget of time kept a training from, and what answers then; empty where it kept it from nothing."""
    minutes = as_number(as_dict(training.get("config")).get("budget_minutes"))
    again, first = as_dict(training.get("refit")), as_dict(training.get("budget"))
    if minutes is None:
        return ""
    told = []
    if first.get("over") and training.get("stopped_early"):
        done = int(as_number(training.get("epochs_run")) or 0)
        kept = f"{done} epochs, the best of which is kept" if done != 1 else "an epoch"
        told.append(f"ended training after {kept}")
    if left_out := int(as_number(again.get("left_out")) or 0):
        ready = int(as_number(again.get("networks")) or 0)
        which = f"network {ready + 1} on all rows" if ready or left_out > 1 else "the network on all rows"
        several = f"the mean of the {ready} before it answers" if ready > 1 else "network 1 answers alone"
        answers = several if ready else "the one that learned from the training rows alone answers"
        missed = f"ended before {which} was ready" if again.get("cut") else f"left no time for {which}"
        told.append(f"{missed}: {answers}")
    return f"the budget of {minutes:g} min {'; '.join(told)}" if told else ""


def moment(stamp: str) -> str:
    """An ISO 8601 instant as a person writes it."""
    date, _, clock = stamp.partition("T")
    return f"{date} {clock[:8]} UTC" if clock else stamp
