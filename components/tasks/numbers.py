"""What the numbers of a task are called, which of them are wanted small or large, and which stand at the top."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from kilnworks.components.judging.metric import Direction, Metric, directions
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError, UnknownName


class Numbers(Config, ABC):
    """The numbers of an epoch, and the metrics of an evaluation."""

    kind: ClassVar[str]
    """Its name in files and messages."""
    trained: ClassVar[Mapping[str, Direction]] = {}
    """Numbers of training batches besides ``loss``, with their directions."""
    validated: ClassVar[Mapping[str, Direction]] = {}
    """Numbers of the validation split besides ``loss``, with their directions."""
    monitor: ClassVar[str] = "val_loss"
    """What a first model watches."""
    headline: ClassVar[tuple[str, ...]] = ()
    """The metrics that stand at the top of a report."""
    compared: ClassVar[tuple[str, ...]] = ()
    """The metrics by which a model is held against simple ones: the first has to be better than a constant's, the
    others not worse. Empty: the task has no simple models."""
    simple: ClassVar[Mapping[str, str]] = {}
    """The simple models that a gate holds it against, in order, and what each is, in words for the report."""

    @classmethod
    @abstractmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """The metrics of an evaluation, in the order of the report; ``top_k`` as in ``JudgeSettings``."""

    @classmethod
    def metric(cls, name: str) -> Metric | None:
        """The metric of that name; None where it has none."""
        return next((m for m in cls.metrics_of(1) if m.name == name), None)

    @classmethod
    def headlines(cls, results: Mapping[str, Any]) -> tuple[str, ...]:
        """The metrics that stand at the top of a report, for what ``evaluation.json`` holds."""
        return cls.headline

    @classmethod
    def reported(cls, validation: bool) -> dict[str, Direction]:
        """The numbers of an epoch in order, with their directions: ``loss``, ``accuracy``, ``val_loss``, ..."""
        of_training: dict[str, Direction] = {"loss": "min", **cls.trained}
        of_validation: dict[str, Direction] = {"loss": "min", **cls.validated}
        return {**of_training, **({f"val_{n}": d for n, d in of_validation.items()} if validation else {})}

    @classmethod
    def direction(cls, monitor: str, validation: bool) -> Direction:
        """Whether training wants the monitored number small or large.

        Raises:
            ConfigError: the number is of the validation split, and there is none.
            UnknownName: no such number.
        """
        known = cls.reported(validation)
        if monitor not in known and monitor in cls.reported(True):
            raise ConfigError(
                f"monitor {monitor!r}, and the examples have no rows in split 'val'",
                "a validation split",
                "make one in the ingest step, or set monitor to loss",
            )
        if monitor not in known:
            raise UnknownName(f"number of a {cls.kind} task to monitor", monitor, tuple(known))
        return known[monitor]

    @classmethod
    def better(cls, top_k: int = 1) -> dict[str, Direction]:
        """The direction of every number that a gate, a monitor or a search may name."""
        return {**directions(cls.metrics_of(top_k)), **cls.reported(True)}
