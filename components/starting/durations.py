"""How long ``run`` will take on this machine, roughly, and a budget for its training.

Operations of all epochs over those that this machine does in a second, measured for a fraction of a second by processor
time, plus what goes by the speed of Python: the other steps (imports, checks, export), each step of a training, and
each character that is read (``work.py``). Programs that run beside make no figure larger (decisions 369 and 380).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kilnworks.components.modeling.clusters import Clusters
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.components.starting.work import LOOPS, operations, other_seconds, played_seconds, python_seconds
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

SIDE, PRODUCTS = 64, 380
"""Of the matrices whose products are timed, and how many in a row: so small that a library gives them to one thread,
since threads that wait for one another take processor time, too (decision 323)."""
TURNS = 30_000
"""Of the loop that is timed."""
PROBES = 10
"""Of each kind, of which the fastest counts."""
SHORTEST, WIDE = 7.5, 1.5
"""Seconds of a training below which no figure is told; and how much longer than likely it may take without a word."""


def timed(recipe: Recipe, budget: float | None) -> Recipe:
    """The recipe with a budget for its training, in minutes, and what ``run`` will take as a last decision.

    Where early stopping decides, what is likely, and what it takes with all epochs.

    Raises:
        ConfigError: a budget for what has no epochs after which it could end.
    """
    if budget is not None and isinstance(recipe.model, Clusters):
        raise ConfigError(
            f"--budget {budget:g}, and clusters are found by k-means, which has no epochs to end after",
            "a training of epochs",
            "leave it out; a smaller `most` or a `count` of the model in the definition makes it shorter",
        )
    training = {**recipe.training, **({"budget_minutes": budget} if budget is not None else {})}
    told = Decision("duration", *_told(recipe, speed(), budget))
    return replace(recipe, training=training, decisions=(*recipe.decisions, told))


def _told(recipe: Recipe, speeds: tuple[float, float], budget: float | None) -> tuple[str, str]:
    """What ``run`` takes, and why."""
    dense, loops = speeds
    slower, limit = LOOPS / loops, math.inf if budget is None else 60 * budget

    def seconds(longest: bool) -> tuple[float, float, float]:
        """Of the training, of it within the budget, and of all steps."""
        played, judged = played_seconds(recipe, longest=longest)
        products = operations(recipe, longest=longest) / dense
        fitting = products + python_seconds(recipe, longest=longest) * slower + played
        bounded = min(fitting, limit)
        return fitting, bounded, bounded + other_seconds(recipe) * slower + judged

    fitting, bounded, about = seconds(longest=False)
    _, at_most, most = seconds(longest=True)
    within = f", within the budget of {_words(60 * budget)}" if budget is not None else ""
    cut = within if bounded == fitting else f", which would take {_words(fitting)} without the budget"
    training = "less than 10 s" if bounded < SHORTEST else _words(bounded)
    range_told, longer = most > WIDE * about and _words(most) != _words(about), "longer"
    if range_told and at_most > bounded:
        longer += " while it still gets better, and"
    choice = f"run takes about {_words(about)}" + (f", up to {_words(most)}" if range_told else "")
    return choice, f"{training} of it training{cut}; {longer} where other programs run beside it"


def speed() -> tuple[float, float]:
    """Operations a second of products of float32 matrices on all processors that this process may use, and turns a
    second of a loop of Python.

    By processor time, of which a wait for other programs is no part, and by the best of short probes.
    """
    import numpy as np

    matrix = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    products = 2.0 * SIDE**3 * PRODUCTS / _best(lambda: _multiplied(matrix, np.empty_like(matrix)))
    return products * _processors(), TURNS / _best(_turned)


def _processors() -> int:
    """Those that this process may use: in a container or under ``taskset`` fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _best(probe: Callable[[], object]) -> float:
    """Processor seconds of a probe."""
    found = []
    for _ in range(PROBES):
        start = time.thread_time()
        probe()
        found.append(time.thread_time() - start)
    return max(min(found), 1e-9)


def _multiplied(matrix: np.ndarray, out: np.ndarray) -> None:
    for _ in range(PRODUCTS):
        matrix.dot(matrix, out)


def _turned() -> None:
    for _ in range(TURNS):
        pass


def _words(seconds: float) -> str:
    """``20 s``, ``3 min``; never more exact than it is known."""
    if seconds < 90:
        return f"{max(10, 10 * round(seconds / 10))} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
