"""What an architecture hands to training: the model that is saved, and the phases in which it is trained.

::

    Learner(model, phases)            head:      Phase("head", trained)              layers below are frozen
                                      fine_tune: Phase("fine_tune", trained, rate=0.1, prepare=thaw)

A phase is a Keras model around the layers of ``model``; its own ``train_step`` is the step, with as many optimizers as
it likes, and its own ``test_step``, where it has one, measures the validation split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class OptimizerSettings(Protocol):
    """Settings that build a Keras optimizer, as all of ``kilnworks.components.learning.optimizers`` are."""

    learning_rate: float

    def build(self, rate: Any) -> Any:
        """The optimizer with this learning rate."""
        ...


def nothing() -> None:
    """Leave everything as it is."""


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one way to train.

    Attributes:
        name: what ``history.csv``, progress and report call it, such as ``head`` or ``fine_tune``.
        trained: the ``keras.Model`` whose ``train_step`` is run. One that is compiled already keeps what it has, unless
            a setting of the training says otherwise.
        epochs: how many at most; None for ``epochs`` of the settings. Early stopping ends the phase, not the training.
        rate: what the learning rates are multiplied by.
        prepare: called before the phase is compiled, to freeze and thaw layers; it may compile ``trained`` itself. A
            run that goes on later calls it too, so it must not train anything.
        optimizers: further optimizers by the attribute of ``trained`` that they become, beside the compiled one. Where
            it has a method ``moved_by``, from that name to variables, they are built for those: on several replicas an
            optimizer cannot make its variables inside of a step.
        judged: whether an epoch of it may be the best one, and early stopping looks at it. One that is not reports of
            the validation split what the ``test_step`` of ``trained`` says, and nothing of the task.
    """

    name: str
    trained: Any
    epochs: int | None = None
    rate: float = 1.0
    prepare: Callable[[], None] = nothing
    optimizers: Mapping[str, OptimizerSettings] = field(default_factory=dict)
    judged: bool = True


@dataclass(frozen=True)
class Learner:
    """What trains.

    Attributes:
        model: the Keras model that is judged and saved; built.
        phases: one after the other, at least one.
        kept: further built models whose variables belong in the backup although no step of the running phase touches
            them, such as a target network that a callback moves. What a step reads or writes is there anyway.
        feed: makes of a split in memory (encoded tensors, targets and perhaps weights), the batch size and the seed
            what hands out batches, a ``feeds.feed.Feed``; None for rows at random.
        chosen: says of a split in memory, given its encoded tensors and the seed, which rows are learned from, bool
            [rows]; None for all.
        measured: numbers of the model as it now is, such as what a policy earns, instead of those of the validation
            split, which it is given (``learning.splits.Validation``; None without rows); None for that.
        latest: whether of equally good epochs the latest is kept, instead of the first.
        finished: called with the folder of the model once it has the weights of the best epoch; writes what else is to
            lie there, and answers with what else stands in ``training.json``.
    """

    model: Any
    phases: tuple[Phase, ...]
    kept: tuple[Any, ...] = ()
    feed: Callable[[Any, int, int], Any] | None = None
    chosen: Callable[[Mapping[str, Any], int], Any] | None = None
    measured: Callable[[Any], dict[str, float]] | None = None
    latest: bool = False
    finished: Callable[[Path], dict[str, Any]] | None = None
