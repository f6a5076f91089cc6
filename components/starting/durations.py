"""How long ``run`` will take on this machine, roughly, and a budget for its training.

Operations of all epochs over those that this machine does in a second, measured for a fraction of a second by processor
time, plus what goes by the speed of Python: the other steps (imports, checks, export), each step of a training, and
each character that is read. Programs that run beside make no figure larger (decision 369).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from kilnworks.components.learning.rounds.likely import likely_end
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.modeling.autoencoder import Autoencoder
from kilnworks.components.modeling.bag import Bag
from kilnworks.components.modeling.clusters import Clusters
from kilnworks.components.modeling.detection.detector import Detector
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.sequential.sequence import SequenceModel
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.modeling.vision import Vision
from kilnworks.components.starting.boxes.sizes import OF_POINTS, PER_PIXEL
from kilnworks.components.starting.recipe import Decision, Recipe

if TYPE_CHECKING:
    import numpy as np

OTHER_STEPS = 18.0
"""Seconds of the other steps on a machine of ``LOOPS``."""
STEP, CHARACTER, VOCABULARY = 1.2e-3, 4.4e-6, 2.5
"""Seconds there of a step of a training beside its products, of a character that is read in all steps together, and of
what a model of texts takes whatever it reads."""
LOOPS = 6.5e7
"""Turns of an empty loop a second to which these seconds belong."""
DENSE, CONVOLVED, DETECTED, DILATED, FORECAST, TRANSFERRED = 0.24, 0.24, 0.5, 0.6, 0.3, 0.38
"""Share of the speed of the products that are timed, which a training of small layers reaches; for ``Detector``, of the
multiplications that ``boxes/sizes.py`` counts (decision 323)."""
SEEN_OF_A_STEP = 24
"""Numbers that a forecast sees of a step, about: the calendar, days before, what is known ahead."""
BASE = 5_995
"""Multiplications of MobileNetV2 for a pixel: 301 million for 224 x 224 (Sandler et al. 2018)."""
TUNED = 1.6
"""What an image costs while the last blocks of a base learn, in images that only go through it."""
VALIDATED = 1.125
"""Rows that go through a frozen base in an epoch, those that validate among them, as a share of the training rows."""
LEARNED = 0.8
"""Share of all rows that is learned from."""
ON_ALL_ROWS = 1.125
"""Rows of training and validation split together, as a share of the former."""
PASSES = 3
"""A step passes through the layers three times: forward, and back for the inputs and for the weights."""
SIDE, PRODUCTS = 64, 380
"""Of the matrices whose products are timed, and how many in a row: so small that a library gives them to one thread,
since threads that wait for one another take processor time, too (decision 323)."""
TURNS = 30_000
"""Of the loop that is timed."""
PROBES = 10
"""Of each kind, of which the fastest counts."""


def timed(recipe: Recipe, budget: float | None) -> Recipe:
    """The recipe with a budget for its training, in minutes, and what ``run`` will take as a last decision.

    Of architectures whose work is not known beforehand only the budget is told.
    """
    training = dict(recipe.training)
    if budget is not None:
        training["budget_minutes"] = budget
    work = operations(recipe)
    if work is None:
        told = Decision("time", f"the training ends within {_words(60 * budget)}", "as asked") if budget else None
    else:
        dense, loops = speed()
        slower = LOOPS / loops
        others, fitting = OTHER_STEPS * slower, work / dense + python_seconds(recipe) * slower
        bounded = min(fitting, 60 * budget) if budget is not None else fitting
        within = f", within the budget of {_words(60 * budget)}" if budget is not None else ""
        cut = within if bounded == fitting else f", which would take {_words(fitting)} without the budget"
        why = f"{_words(bounded)} of it training{cut}; longer where other programs run beside it"
        told = Decision("duration", f"run takes about {_words(bounded + others)}", why)
    decisions = (*recipe.decisions, *([told] if told else []))
    return replace(recipe, training=training, decisions=decisions)


def operations(recipe: Recipe) -> float | None:
    """Multiplications and additions of the training, weighed by how well they run; None where nothing is known."""
    model, rows, epochs = recipe.model, LEARNED * recipe.rows, epochs_of(recipe)
    if isinstance(model, Tabular):
        features = recipe.contract.features.values()
        width = sum(math.prod(feature.shape) if feature.shape else model.number_size for feature in features)
        sizes = [width, *model.units]
        layers = model.members * sum(a * b for a, b in pairwise(sizes))
        return epochs * rows * 2 * PASSES * layers / DENSE
    if isinstance(model, Vision):
        (feature,) = recipe.contract.features.values()
        height, width, channels = feature.shape
        return epochs * rows * 2 * PASSES * _convolved(height * width, channels, model) / CONVOLVED
    if isinstance(model, Detector):
        (feature,) = recipe.contract.features.values()
        step = OF_POINTS if model.head == "points" else PER_PIXEL
        return epochs * rows * 2 * step * feature.shape[0] * feature.shape[1] / DETECTED
    if isinstance(model, SequenceModel) and model.core == "tcn":
        shapes = [f.shape for f in recipe.contract.features.values() if len(f.shape) > 1]
        return epochs * rows * 2 * PASSES * sum(_dilated(shape, model) for shape in shapes) / DILATED
    if isinstance(model, Forecast) and model.core == "none" and recipe.contract.series is not None:
        layers = sum(a * b for a, b in pairwise((SEEN_OF_A_STEP, *model.units)))
        return epochs * rows * 2 * PASSES * recipe.contract.series.horizon * model.members * layers / FORECAST
    if isinstance(model, Transfer):
        (feature,) = recipe.contract.features.values()
        images = rows * VALIDATED * (epochs + TUNED * (model.fine_tune_epochs or epochs) * bool(model.fine_tune))
        return images * 2 * BASE * feature.shape[0] * feature.shape[1] / TRANSFERRED
    return 0.0 if isinstance(model, Autoencoder | Bag | Clusters) else None


def python_seconds(recipe: Recipe) -> float:
    """Seconds of the training that go by the speed of Python, on a machine of ``LOOPS``."""
    batch = recipe.training.get("batch", FitSettings.model_fields["batch"].default)
    steps = 0.0 if isinstance(recipe.model, Clusters) else epochs_of(recipe) * LEARNED * recipe.rows / batch
    read = VOCABULARY + CHARACTER * recipe.characters if recipe.characters else 0.0
    return STEP * steps + read


def epochs_of(recipe: Recipe) -> float:
    """Epochs of the training rows, about: as far as early stopping lets it go, and those of networks on all rows."""
    training = recipe.training
    most, stopping = (
        int(training.get("epochs", FitSettings.model_fields["epochs"].default)),
        training.get("early_stopping"),
    )
    ends, best = likely_end(0, 0, stopping.patience, most) if stopping else (most, most)
    return ends + ON_ALL_ROWS * best * training.get("refit", 0)


def _dilated(shape: tuple[int, ...], model: SequenceModel) -> float:
    """Multiplications of the dilated convolutions of ``SequenceModel`` for one sequence, [steps, ...] channels."""
    steps, channels = shape[0], math.prod(shape[1:])
    layers = max(1, math.ceil(math.log2((steps - 1) / (model.kernel - 1) + 1)))
    return steps * model.kernel * model.width * (channels + (layers - 1) * model.width)


def _convolved(pixels: int, channels: int, model: Vision) -> float:
    """Multiplications of the convolutions of ``Vision`` for one image."""
    pixels //= model.stem_stride**2
    found = pixels * (2.0 * model.stem_stride + 1) ** 2 * channels * model.filters[0]
    before = model.filters[0]
    for block, width in enumerate(model.filters):
        at = pixels / 4**block
        found += at * 9 * width * (before + width)
        before = width
    return found


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
