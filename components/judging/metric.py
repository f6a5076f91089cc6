"""A number that says how good a model is: its name, its direction, and the words for a reader."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Direction = Literal["min", "max"]


@dataclass(frozen=True)
class Metric:
    """One number of an evaluation.

    Attributes:
        name: in ``evaluation.json``, in limits of the gate and in the report.
        better: whether a model wants it large or small.
        title: the name for a heading.
        meaning: one clause on what it says.
        share: whether it lies between 0 and 1, which is how it is drawn.
        most: the value of a perfect model, where that ends the line on which it is drawn.
    """

    name: str
    better: Direction
    title: str
    meaning: str
    share: bool = False
    most: float | None = None


def directions(metrics: tuple[Metric, ...]) -> Mapping[str, Direction]:
    """The direction of each metric by its name."""
    return {metric.name: metric.better for metric in metrics}
