"""Networks that are trained once more, on training and validation rows together.

::

    training rows -> best epoch of each phase, by the validation rows
    all rows      -> network 1, network 2, ...: each from a seed of its own, for as many epochs
    answer        =  mean of their answers

Nothing is chosen any more, so no row has to stay aside. Every network has a backup of its own.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kilnworks.components.learning.callbacks import Ahead
from kilnworks.components.learning.rounds.budget import Budget
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.learning.splits import Splits
from kilnworks.components.learning.training import Training
from kilnworks.components.modeling.learner import Learner
from kilnworks.schemas.context import Progress, RunContext
from kilnworks.schemas.errors import ConfigError

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Again:
    """What is needed to train once more.

    Attributes:
        chosen: the training that found the best epoch; done.
        learner: makes what trains, from a seed.
        unpack: makes of the tensors of a batch what a learner's phases take.
    """

    chosen: Training
    learner: Callable[[int], Learner]
    unpack: Callable[[Learner], Callable[[Any], Any]]


def refuse_refit(settings: FitSettings, splits: Splits, learner: Learner) -> None:
    """Raise ``ConfigError`` where these data or this model cannot be trained on all rows."""
    why = ""
    if splits.validation is None:
        why = "no validation rows, by which the best epoch is found"
    elif splits.everything is None:
        why = "data that are streamed, or made by code of one's own"
    elif learner.chosen is not None or learner.feed is not None:
        why = "a model that chooses or feeds its rows itself"
    elif learner.measured is not None:
        why = "a model that is not judged by validation rows"
    if settings.refit and why:
        raise ConfigError(f"refit={settings.refit}, and {why}", "rows in memory, and a validation split",
                          "leave refit out")  # fmt: skip


def refit(again: Again, context: RunContext, identity: str, seconds: float | None) -> tuple[list[Any], dict[str, Any]]:
    """Train ``settings.refit`` networks on all rows.

    Args:
        again: see there.
        context: of the step; networks are kept below its ``work`` until the step is done.
        identity: of the training that found the epoch.
        seconds: that are left for it; a network that would not be ready in time is not begun, and one that is not
            ready when they end is left out: nobody knows what some of its epochs are worth. None: all there are.

    Returns:
        Their Keras models, none where there was no time; and what happened, for ``training.json``: ``left_out`` says
        how many had no time, ``cut`` that one of these had begun.
    """
    settings, lengths = again.chosen.settings, again.chosen.best_lengths()
    models: list[Any] = []
    start, rows, earlier, cut = time.perf_counter(), 0, 0.0, False
    for number in range(1, settings.refit + 1):
        spent = max(earlier, time.perf_counter() - start)
        if seconds is not None and spent + _expected(again.chosen, lengths) > seconds:
            LOG.info("the budget leaves no time for network %d of %d on all rows", number, settings.refit)
            break
        training = _training(again, number, lengths)
        training.budget = None if seconds is None else Budget(seconds - max(earlier, time.perf_counter() - start))
        place = replace(
            context,
            work=context.work / f"refit-{number}",
            progress=part_of(context, number, settings.refit + 1).progress,
        )
        place.work.mkdir(parents=True, exist_ok=True)
        named = hashlib.sha256(f"{identity} {number} {lengths}".encode()).hexdigest()
        training.go(place.work, place, named)
        earlier += training.spent
        if len(training.history.rows) < sum(lengths):
            LOG.info("the budget ended during network %d of %d on all rows, which is left out", number, settings.refit)
            cut = True
            break
        models.append(training.learner.model)
        rows = training.splits.feed.rows
    took = round(time.perf_counter() - start, 3)
    left_out = settings.refit - len(models)
    missing = {"left_out": left_out, "cut": cut} if left_out else {}
    return models, {"networks": len(models), "epochs": sum(lengths), "rows": rows, "seconds": took, **missing}


def part_of(context: RunContext, number: int, of: int) -> RunContext:
    """The context for one of several trainings of a step, from 0, so that progress goes on from one to the next."""

    def told(progress: Progress) -> None:
        note = f"network {number} on all rows: {progress.note}" if number else progress.note
        total = progress.total or 1.0
        scaled = number + min(1.0, progress.done / total)
        context.progress(replace(progress, done=scaled, total=of, note=note, numbers={}, unjudged=0))

    return replace(context, progress=told)


def _training(again: Again, number: int, lengths: list[int]) -> Training:
    """The training of one network, in the order of rows of its own seed."""
    chosen = again.chosen
    settings = chosen.settings.model_copy(
        update={
            "seed": (chosen.settings.seed + number) % 2**32,
            "early_stopping": None,
            "checkpoints": "none",
            "tensorboard": False,
            "budget_minutes": None,
        }
    )
    assert chosen.splits.everything is not None
    feed = chosen.splits.everything(settings.seed)
    learner = again.learner(settings.seed)
    feed.unpack = again.unpack(learner)
    training = Training(
        settings, chosen.task, chosen.placement, Splits(feed, None, False), learner, chosen.mode, lengths=lengths
    )
    training.sent = chosen.sent
    training.ahead = _ahead(again, number, sum(lengths))
    return training


def _ahead(again: Again, number: int, epochs: int) -> Ahead:
    """Epochs of the training rows that are done and to come, the training that found the epoch among them."""
    each = epochs * again.chosen.splits.both
    before, behind = len(again.chosen.history.rows) + (number - 1) * each, (again.chosen.settings.refit - number) * each
    return lambda done, ended: (before + each * done / epochs, behind + each * (1 - done / epochs))


def _expected(chosen: Training, lengths: list[int]) -> float:
    """Seconds of a network, by the pace of the training that found the epoch."""
    return chosen.pace * sum(lengths) * chosen.splits.both
