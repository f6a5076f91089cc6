"""The network whose features are compared while a GAN is trained and when it is judged, and the numbers of an epoch.

With a label it is a small classifier, trained on the training rows in a phase of its own before the GAN. Without one
its features are the principal components of the training images, which need no training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kilnworks.components.judging.codes.strips import strip
from kilnworks.components.judging.generation.frechet import between, moments
from kilnworks.components.judging.generation.judged import JUDGE, looking
from kilnworks.components.judging.generation.measures import classes_seen
from kilnworks.components.tasks.generation.generation import CLASS, SEED, Generation
from kilnworks.schemas.errors import ConfigError

Array = np.ndarray
LOOKS, SHOWN = 10, 10
"""Epochs (1, 2, 4, 8, ...) of which images are kept for the report, at most, and how many of each."""
VALIDATED = 2_000
"""Validation images that are compared after each epoch, at most."""
FEWEST = 2
"""Validation images, at least: one has no covariance."""
ROWS = 5_000
"""Training images that principal components are made of, at most."""


def classifier(name: str, shape: tuple[int, int, int], classes: int, features: int) -> tuple[Any, Any]:
    """The network, and what is trained of it: to class probabilities [N, K], compiled.

    Args:
        name: of the input.
        shape: of an image, [H, W, C].
        classes: how many.
        features: width of the layer before the last one; what comes out of it before its activation is compared.
    """
    image = keras.Input(shape, name=name)
    x = image
    for place, width in enumerate((32, 64, 128), 1):
        if place > 1 and min(x.shape[1:3]) < 2:
            break
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name=f"convolution_{place}")(x)
        x = keras.layers.MaxPooling2D(2, padding="same", name=f"pooled_{place}")(x)
        if min(x.shape[1:3]) <= 2:
            break
    while max(x.shape[1:3]) > 8:
        x = keras.layers.AveragePooling2D(2, padding="same", name=f"averaged_{x.shape[1]}_{x.shape[2]}")(x)
    told = keras.layers.Dense(features, name="features")(keras.layers.Flatten(name="flat")(x))
    x = keras.layers.Dropout(0.3, name="dropout")(keras.layers.ReLU(name="activation")(told))
    probabilities = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")(x)
    outputs = {
        "features": keras.layers.Identity(dtype="float32", name="compared")(told),
        "probabilities": probabilities,
    }
    trained = keras.Model({name: image}, probabilities, name="judge_training")
    trained.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    return keras.Model({name: image}, outputs, name="judge"), trained


def components(name: str, rows: Array, features: int) -> Any:
    """A network without training: the first principal components of images [N, H, W, C]."""
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    axes = np.linalg.svd(flat - mean, full_matrices=False)[2][:features]
    image = keras.Input(rows.shape[1:], name=name)
    layer = keras.layers.Dense(len(axes), name="features", trainable=False)
    told = layer(keras.layers.Flatten(name="flat")(image))
    layer.set_weights([axes.T.astype(np.float32), (-mean @ axes.T).astype(np.float32)])
    nothing = keras.ops.zeros_like(told)[:, :0]
    return keras.Model({name: image}, {"features": told, "probabilities": nothing}, name="judge")


@dataclass
class Epochs:
    """The numbers of each epoch, and images of some of them.

    Attributes:
        model: seeds (and classes) to pixels.
        judge: the network.
        task: of the model.
        kept: a Keras model with the variables ``looks`` and ``epoch``, which the backup holds.
    """

    model: Any
    judge: Any
    task: Generation
    kept: Any
    _look: Any = field(default=None, init=False)
    _real: Any = field(default=None, init=False)

    def numbers(self, validation: Any) -> dict[str, float]:
        """Distance of as many images as there are validation rows, and which classes are among them.

        Raises:
            ConfigError: fewer than two validation rows.
        """
        if validation is None or validation.rows < FEWEST:
            raise ConfigError(
                f"{validation.rows if validation else 'no'} validation rows to hold images against",
                f"at least {FEWEST}",
                "give a larger validation split in the ingest step",
            )
        if self._real is None:
            self._look = looking(self.judge)
            self._real = _held(validation)
            features, told = self._look(self._real[0])
            self._target, self._told = moments(features), told
        real, classes = self._real
        made = self.images(self.task.seeds(len(real), 1), classes)
        features, told = self._look(made)
        self._keep()
        found = {"distance": between(moments(features), self._target)}
        if told.shape[1]:
            seen = classes_seen(told.argmax(axis=1), self._told.argmax(axis=1), told.shape[1])
            found["classes_seen"] = seen
        return found

    def images(self, seeds: Array, classes: Array) -> Array:
        """What the model makes of seeds [N, noise] and classes, int [N]: [N, H, W, C] from -1 to 1."""
        parts = []
        for start in range(0, len(seeds), 256):
            some = slice(start, start + 256)
            given = {SEED: keras.ops.convert_to_tensor(seeds[some])}
            if self.task.conditional:
                given[CLASS] = keras.ops.convert_to_tensor(self.task.classes_of(classes[some]))
            parts.append(np.asarray(self.model(given, training=False)))
        return self.task.scaled(np.concatenate(parts))

    def finished(self, folder: Path) -> dict[str, Any]:
        """Write the network beside the model; ``samples`` of some epochs and of the best one for ``training.json``."""
        self.judge.save(folder / JUDGE)
        epoch, looks = int(self.kept.epoch.numpy()), np.asarray(self.kept.looks.numpy())
        rows = [{"epoch": 2**place, "strip": strip(looks[place])} for place in range(LOOKS) if 2**place <= epoch]
        return {"samples": [*rows, {"epoch": 0, "strip": strip((self._shown() + 1) / 2)}]}

    def _keep(self) -> None:
        """Count the epoch, and keep its images where it is 1, 2, 4, 8, ..."""
        self.kept.epoch.assign_add(1)
        epoch = int(self.kept.epoch.numpy())
        place = epoch.bit_length() - 1
        if epoch == 2**place and place < LOOKS:
            looks = np.array(self.kept.looks.numpy())
            looks[place] = (self._shown() + 1) / 2
            self.kept.looks.assign(looks)

    def _shown(self) -> Array:
        """The same seeds every time, classes in turn."""
        classes = np.arange(SHOWN) % max(1, len(self.task.class_texts))
        return self.images(self.task.seeds(SHOWN, 2), classes)


class Kept(keras.Model):
    """Images of some epochs, and how many there were."""

    def __init__(self, shape: Sequence[int]) -> None:
        """``shape``: of an image, [H, W, C]."""
        super().__init__(name="looks")
        self.looks = self.add_weight(
            shape=(LOOKS, SHOWN, *shape), initializer="zeros", trainable=False, dtype="float32", name="looks"
        )
        self.epoch = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="epoch")
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Nothing is made of anything."""
        return inputs


def _held(validation: Any) -> tuple[Array, Array]:
    """Validation images [N, H, W, C] and their classes, int [N], evenly spread."""
    stride = -(-validation.rows // VALIDATED)
    images, classes, count = [], [], 0
    for arrays, target in validation.parts():
        some = slice((-count) % stride, None, stride)
        count += len(target)
        (part,) = validation.transform.unpack({name: values[some] for name, values in arrays.items()}).values()
        images.append(np.asarray(part, np.float32))
        classes.append(np.asarray(target[some]).reshape(-1))
    return np.concatenate(images), np.concatenate(classes).astype(np.int64)
