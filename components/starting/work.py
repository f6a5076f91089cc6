"""What a first pipeline has to do: multiplications of its training, and seconds of what goes by the speed of Python.

Multiplications are counted from the layers. Seconds are those of a machine of ``LOOPS``; measured in decisions 323, 369
and 380.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from kilnworks.components.learning.rounds.likely import likely_end
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.modeling.autoencoder import Autoencoder
from kilnworks.components.modeling.bag import Bag
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.clusters import Clusters
from kilnworks.components.modeling.control.dqn import Dqn
from kilnworks.components.modeling.detection.detector import Detector
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.modeling.generative.boltzmann import Rbm
from kilnworks.components.modeling.generative.gan import Dcgan
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.sequential.sequence import SequenceModel
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.modeling.vision import Vision
from kilnworks.components.starting.boxes.sizes import OF_POINTS, PER_PIXEL
from kilnworks.components.starting.recipe import Recipe

LOOPS = 6.5e7
"""Turns of an empty loop a second to which all seconds here belong."""
OTHER_STEPS, COLUMN, VALUE = 12.0, 0.19, 2e-6
"""Of the other steps, imports included; for each feature, mostly for its rules; and for each value of a table."""
INPUT = 0.33
"""For each feature of a network that takes them one by one: it is traced to train, to judge and to export."""
STEP, CHARACTER, VOCABULARY = 1.2e-3, 4.4e-6, 2.5
"""Of a step of a training beside its products, of a character that is read in all steps together, and of what a model
of texts takes whatever it reads."""
NEAREST = 6.5e-6
"""Of k-means for each value of the training rows: 2 to 10 clusters, ten starts each."""
CALL, LOOK = 1.2e-3, 0.075
"""Of asking a policy, whatever is observed; and of looking at the images that a network makes, after each epoch."""
DENSE, CONVOLVED, DETECTED, DILATED, FORECAST, TRANSFERRED = 0.24, 0.24, 0.5, 0.6, 0.3, 0.38
"""Share of the speed of the products that are timed, which a training of small layers reaches; for ``Detector``, of the
multiplications that ``boxes/sizes.py`` counts (decision 323)."""
GENERATED = 0.75
"""The same for the two networks of a GAN, whose layers are larger."""
SOLVED = 2.0
"""Patiences after which a policy is at its best and has been for one, about: a return cannot grow for ever."""
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


def operations(recipe: Recipe, *, longest: bool = False) -> float:
    """Multiplications and additions of the training, weighed by how well they run.

    ``longest``: where early stopping never ends it, in place of where it is likely to.
    """
    for kind, found in _MULTIPLICATIONS.items():
        if isinstance(recipe.model, kind):
            return 2 * epochs_of(recipe, longest=longest) * LEARNED * recipe.rows * found(recipe, recipe.model)
    raise NotImplementedError(f"nobody has counted what {recipe.model.kind} multiplies")


def python_seconds(recipe: Recipe, *, longest: bool = False) -> float:
    """Seconds of the training that go by the speed of Python, on a machine of ``LOOPS``."""
    model, epochs = recipe.model, epochs_of(recipe, longest=longest)
    if isinstance(model, Clusters):
        return NEAREST * LEARNED * recipe.rows * _columns(recipe)
    if isinstance(model, Dqn):
        return STEP * epochs * model.steps + CALL * _asked(recipe, model, epochs)
    batch = recipe.training.get("batch", FitSettings.model_fields["batch"].default)
    seconds = STEP * epochs * LEARNED * recipe.rows / batch
    if isinstance(model, Dcgan):
        judge = model.judge_epochs / epochs if _classes(recipe) else 0.0
        seconds = (2 + judge) * seconds + LOOK * epochs  # two networks move in a step
    return seconds + (VOCABULARY + CHARACTER * recipe.characters if recipe.characters else 0.0)


def played_seconds(recipe: Recipe, *, longest: bool = False) -> tuple[float, float]:
    """Seconds that an environment takes on this machine, as it was measured: of the training, and of the judging.

    ``longest``: where every episode goes on to its end, in place of half of it.
    """
    model = recipe.model
    if not isinstance(model, Dqn):
        return 0.0, 0.0
    episode = _episode(recipe, longest)
    steps = epochs_of(recipe, longest=longest) * (model.steps * model.play + model.validation_episodes * episode)
    return recipe.step_seconds * steps, recipe.step_seconds * (model.test_episodes * episode + 2 * recipe.rows)


def other_seconds(recipe: Recipe) -> float:
    """Seconds of all steps but the training, on a machine of ``LOOPS``."""
    features = len(recipe.contract.features)
    each = COLUMN + (INPUT if isinstance(recipe.model, Tabular | Bag) else 0.0)
    values = recipe.rows * sum(1 for feature in recipe.contract.features.values() if not feature.shape)
    return OTHER_STEPS + each * features + VALUE * values


def epochs_of(recipe: Recipe, *, longest: bool = False) -> float:
    """Epochs of the training rows: as far as early stopping is likely to let it go, and those of networks on all rows.

    ``longest``: as many as there may be.
    """
    training, model = recipe.training, recipe.model
    if isinstance(model, Rbm):
        return float(model.divergence_epochs * len(model.units))
    most, stopping = (
        int(training.get("epochs", FitSettings.model_fields["epochs"].default)),
        training.get("early_stopping"),
    )
    if stopping and not longest and isinstance(model, Dqn):
        return min(most, SOLVED * stopping.patience)
    ends, best = likely_end(0, 0, stopping.patience, most) if stopping and not longest else (most, most)
    return ends + ON_ALL_ROWS * best * training.get("refit", 0)


def _tabular(recipe: Recipe, model: Tabular) -> float:
    features = recipe.contract.features.values()
    width = sum(math.prod(feature.shape) if feature.shape else model.number_size for feature in features)
    return PASSES * model.members * _dense(width, *model.units) / DENSE


def _vision(recipe: Recipe, model: Vision) -> float:
    height, width, channels = _image(recipe)
    return PASSES * _convolved(height * width, channels, model) / CONVOLVED


def _detector(recipe: Recipe, model: Detector) -> float:
    height, width, _ = _image(recipe)
    return (OF_POINTS if model.head == "points" else PER_PIXEL) * height * width / DETECTED


def _sequence(recipe: Recipe, model: SequenceModel) -> float:
    shapes = [f.shape for f in recipe.contract.features.values() if len(f.shape) > 1]
    return PASSES * sum(_dilated(shape, model) for shape in shapes) / DILATED


def _forecast(recipe: Recipe, model: Forecast) -> float:
    assert recipe.contract.series is not None
    return PASSES * recipe.contract.series.horizon * model.members * _dense(SEEN_OF_A_STEP, *model.units) / FORECAST


def _transfer(recipe: Recipe, model: Transfer) -> float:
    height, width, _ = _image(recipe)
    epochs = epochs_of(recipe)
    tuned = TUNED * (model.fine_tune_epochs or epochs) * bool(model.fine_tune) / epochs
    return VALIDATED * (1 + tuned) * BASE * height * width / TRANSFERRED


def _autoencoder(recipe: Recipe, model: Autoencoder) -> float:
    wide = _columns(recipe)
    code = model.code or min(32, max(1, round(0.4 * wide)))
    return PASSES * 2 * (_dense(wide, *model.units, code) + wide * code) / DENSE


def _boltzmann(recipe: Recipe, model: Rbm) -> float:
    """Up, down, up again and the two correlations, and what tells how well it knows the rows."""
    return 8 * _dense(_columns(recipe), *model.units) / DENSE / len(model.units)


def _gan(recipe: Recipe, model: Dcgan) -> float:
    """The generator four times, forward for the critic and forward and back for itself; the critic eight times."""
    (name, _), *_ = recipe.contract.features.items()
    shape, classes = _image(recipe), _classes(recipe)
    settings = recipe.transform.features.get(name)
    if settings is not None and settings.size:
        shape = (*settings.size, shape[2])
    made, told = _adversaries(shape, model, classes)
    judge = PASSES * _judge(shape, model, classes) * model.judge_epochs / epochs_of(recipe) if classes else 0.0
    return (4 * made + 8 * told) / GENERATED + judge / CONVOLVED


def _policy(recipe: Recipe, model: Dqn) -> float:
    """Of a row of random play, so that all rows of the epochs make the batches of transitions that are learned from."""
    wide = sum(math.prod(feature.shape) if feature.shape else 1 for feature in recipe.contract.features.values())
    actions = len(recipe.contract.label.classes or ()) if recipe.contract.label else 1
    learned = model.steps * recipe.training["batch"] / (LEARNED * recipe.rows)
    return (PASSES + 2) * _dense(wide, *model.units, actions) / DENSE * learned


_MULTIPLICATIONS: dict[type[Architecture], Callable[[Recipe, Any], float]] = {
    Tabular: _tabular,
    Vision: _vision,
    Detector: _detector,
    SequenceModel: _sequence,
    Forecast: _forecast,
    Transfer: _transfer,
    Autoencoder: _autoencoder,
    Rbm: _boltzmann,
    Dcgan: _gan,
    Dqn: _policy,
    Bag: lambda recipe, model: 0.0,
    Clusters: lambda recipe, model: 0.0,
}
"""For a training row of an epoch; none that count, where a text is read or k-means looks for the nearest centre."""


def _image(recipe: Recipe) -> tuple[int, int, int]:
    """Height, width and channels of the one image."""
    shape = next(feature.shape for feature in recipe.contract.features.values() if feature.dtype == "image")
    return shape[0], shape[1], shape[2]


def _columns(recipe: Recipe) -> int:
    """Numbers of a row, as if a category were one."""
    return sum(math.prod(feature.shape) if feature.shape else 1 for feature in recipe.contract.features.values())


def _classes(recipe: Recipe) -> int:
    label = recipe.contract.label
    return len(label.classes or ()) if label is not None else 0


def _dense(*widths: int) -> int:
    """Multiplications of dense layers for one row."""
    return sum(a * b for a, b in pairwise(widths))


def _episode(recipe: Recipe, longest: bool) -> float:
    return recipe.longest_episode * (1.0 if longest else 0.5)


def _asked(recipe: Recipe, model: Dqn, epochs: float) -> float:
    """How often a policy is asked: of some environments at once, and after each epoch of its greedy episodes."""
    return epochs * (model.steps * model.play / model.environments + _episode(recipe, False))


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


def _adversaries(shape: tuple[int, ...], model: Dcgan, classes: int) -> tuple[float, float]:
    """Multiplications of generator and critic of ``generative/networks.py`` for one image."""
    side = min(shape[:2])
    doublings = max(0, min(5, int(math.log2(side / 4)))) if side > 4 else 0
    maps = [[-(-one // 2**doublings) * 2 ** (doublings - level) for one in shape[:2]] for level in range(doublings + 1)]
    pixels = [height * width for height, width in maps]
    wide = [min(512, model.filters * 2**level) for level in range(doublings + 1)]
    halved = sum(pixels[level] * 16 * wide[level - 1] * wide[level] for level in range(1, doublings + 1))
    ends = pixels[0] * 9 * shape[2] * wide[0]
    flat = pixels[-1] * wide[-1]
    return (model.noise + classes) * flat + halved + ends, ends + halved + flat * (1 + classes)


def _judge(shape: tuple[int, ...], model: Dcgan, classes: int) -> float:
    """Multiplications of the classifier of ``generative/judge.py`` for one image."""
    height, width, before = shape
    found = 0.0
    for place, filters in enumerate((32, 64, 128)):
        if place and min(height, width) < 2:
            break
        found += height * width * 9 * before * filters
        height, width, before = -(-height // 2), -(-width // 2), filters
        if min(height, width) <= 2:
            break
    while max(height, width) > 8:
        height, width = height // 2, width // 2
    return found + _dense(height * width * before, model.judge_features, classes)
