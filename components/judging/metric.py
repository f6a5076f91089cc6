"""A number that says how good a model is: its name, its direction, the words for a reader, and how it is computed.

A new metric of a task is one entry in the table of its file, with ``of``; one of a user's own is an ``OwnMetric``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import model_validator

from kilnworks.schemas.code import Code
from kilnworks.schemas.config import Config

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
        of: from the truth and the answers of some rows to the number, NaN where they do not define it; its interval
            comes of resampled rows. None: the task computes it together with others (``Task.scores``).
    """

    name: str
    better: Direction
    title: str
    meaning: str
    share: bool = False
    most: float | None = None
    of: Callable[[Any, Mapping[str, Any]], float] | None = None


def directions(metrics: tuple[Metric, ...]) -> Mapping[str, Direction]:
    """The direction of each metric by its name."""
    return {metric.name: metric.better for metric in metrics}


class OwnMetric(Config):
    """A function of one's own that says how good a model is."""

    code: Code
    """``my_project.metrics:f2``. It is called with those of ``truth``, ``classes`` and the answers of the task (such as
    ``probabilities`` [N, K] or ``score`` [N]) that it has parameters for, as arrays, and returns a number."""
    better: Direction
    """Whether a model wants it small (``min``) or large (``max``)."""
    title: str = ""
    """The name for a heading; by default the name of the metric."""
    meaning: str = ""
    """One clause on what it says, for the report."""

    @model_validator(mode="before")
    @classmethod
    def _direction_written(cls, value: Any) -> Any:
        if isinstance(value, str) or (callable(value) and not isinstance(value, Config)):
            raise ValueError("say which way is better: {code: my_project.metrics:f2, better: max}")
        return value

    def named(self, name: str, classes: tuple[str, ...]) -> Metric:
        """As the metric of that name, for a task with these classes."""

        def value(truth: Any, answers: Mapping[str, Any]) -> float:
            return float(self.code.call(truth=truth, classes=classes, **answers))

        return Metric(name, self.better, self.title or name.replace("_", " "), self.meaning, of=value)
