"""Everything that a verdict rests on, read from what a training left and from a closer look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kilnworks.components.diagnosing.sides import Sides
from kilnworks.schemas.json_values import as_number


@dataclass(frozen=True)
class Point:
    """A training on a share of the rows.

    Attributes:
        share: of the training rows, above 0 up to 1.
        rows: so many.
        sides: its losses.
    """

    share: float
    rows: int
    sides: Sides


@dataclass(frozen=True)
class Facts:
    """Of one training.

    Attributes:
        pipeline: its name, for commands.
        step: the step that trains, for settings.
        training: content of ``training.json``.
        settings: by which the run differs from its definition; they are part of the commands.
        history: columns of ``history.csv``, by epoch.
        sides: losses of the best epoch; None where they were not measured.
        health: findings of ``health.json``.
        points: the learning curve, from the smallest share on; empty without one.
        leans: which features the answers lean on, as ``explained`` of ``evaluation.json`` has it, with ``skill``: the
            share of what a constant answer lacks that the metric makes up, and ``alone``, the same with all features
            but the first one shuffled.
        confident: of the fifth of the validation rows with the most confident answers ``wrong``, the share that is
            wrong, with ``low``; ``all``: of all rows.
        simple: models without a network against this one on validation rows: ``{name: {"value", "low", "high"}}``, how
            much better it is than ours, as a share of what a constant answer lacks.
    """

    pipeline: str
    step: str
    training: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    history: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    sides: Sides | None = None
    health: Sequence[Mapping[str, Any]] = ()
    points: Sequence[Point] = ()
    leans: Mapping[str, Any] = field(default_factory=dict)
    confident: Mapping[str, float] = field(default_factory=dict)
    simple: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def column(self, name: str) -> list[float]:
        """The numbers of ``history.csv`` by that name."""
        return [value for value in map(as_number, self.history.get(name, ())) if value is not None]
