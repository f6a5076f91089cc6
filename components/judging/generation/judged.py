"""Generated images judged: beside held-out ones, training ones and noise, by the features of a network of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kilnworks.components.judging.codes.strips import strip
from kilnworks.components.judging.generation.frechet import between, moments
from kilnworks.components.judging.generation.measures import classes_seen, copies, nearest
from kilnworks.schemas.errors import StepFailed, StoreError

Array = np.ndarray
Look = Callable[[Array], tuple[Array, Array]]
"""Images [N, H, W, C], -1 to 1, to features [N, D] and, with classes, their probabilities [N, K]; else [N, 0]."""
JUDGE = "judge.keras"
"""The network whose features are compared, beside the model."""
SHOWN = 10
"""Images in a row of a picture."""
CHUNK = 256
FEWEST = 20
"""Held-out images, at least."""


@dataclass(frozen=True)
class Images:
    """Real images and their classes.

    Attributes:
        values: [N, H, W, C], -1 to 1.
        classes: number of the class of each, int [N]; zeros without a label.
    """

    values: Array
    classes: Array


def judge_of(folder: Path) -> Look:
    """The network beside a model.

    Raises:
        StoreError: there is none.
    """
    import keras

    if not (folder / JUDGE).is_file():
        raise StoreError(f"no {JUDGE} beside the model", "the network that it was judged by while it was trained",
                         "run the training again")  # fmt: skip
    return looking(keras.saving.load_model(folder / JUDGE, compile=False))


def looking(judge: Any) -> Look:
    """A Keras model with ``features`` and ``probabilities`` as a function of images."""
    import tensorflow as tf

    (name,) = [given.name for given in judge.inputs]
    spec = tf.TensorSpec((None, *judge.inputs[0].shape[1:]), tf.float32)
    run = tf.function(lambda images: judge({name: images}, training=False), input_signature=[spec], autograph=False)

    def look(images: Array) -> tuple[Array, Array]:
        """Part by part."""
        parts = [run(tf.constant(images[i : i + CHUNK], tf.float32)) for i in range(0, len(images), CHUNK)]
        first, second = (np.concatenate([np.asarray(part[n]) for part in parts]) for n in ("features", "probabilities"))
        return first, second

    return look


def judged(
    made: Array,
    asked: Array | None,
    held_out: Images,
    training: Images,
    look: Look,
    classes: tuple[str, ...],
    seed: int,
) -> tuple[dict[str, Array], dict[str, Any]]:
    """What the metrics look at, [N, ...] by name, and more for ``evaluation.json``.

    Args:
        made: generated images, [N, H, W, C], -1 to 1; as many as held-out ones.
        asked: the class that each was asked for, int [N]; None where none is.
        held_out: real ones that nothing was learned from.
        training: real ones that were learned from.
        look: the network.
        classes: their names; empty without a label.
        seed: of the noise.
    """
    rows = len(held_out.values)
    if rows < FEWEST:
        raise StepFailed(
            f"{rows} images to compare with", f"at least {FEWEST}", "give a larger split to the evaluation"
        )
    features, probabilities = look(made)
    real, real_told = look(held_out.values)
    apart, which = nearest(made, training.values)
    usual, _ = nearest(held_out.values, training.values)
    target = moments(real)
    answers = {
        "generated": features, "real": real, "asked": np.full(rows, -1) if asked is None else asked,
        "told": _told(probabilities), "real_told": _told(real_told), "apart": apart, "usual": usual,
    }  # fmt: skip
    baselines = _baselines(training, held_out, target, look, seed)
    noise = baselines["noise"]["frechet_distance"]
    answers["noise"] = np.full(rows, noise)
    found: dict[str, Any] = {
        "baseline": {"rule": "noise: every pixel drawn by itself, dark to bright", "metrics": baselines["noise"]},
        "baselines": {name: {"metrics": metrics} for name, metrics in baselines.items()},
        "judge": {
            "features": int(features.shape[1]),
            "of": "a classifier of the training rows" if classes else "principal components of the training rows",
            **({"accuracy": float((_told(real_told) == held_out.classes).mean())} if classes else {}),
        },
        "distances": {"generated": float(np.median(apart)), "held_out": float(np.median(usual)),
                      "copies": copies(apart, usual)},
        "generated": _by_class(made, asked, classes) if asked is not None else _of_all(made),
        "nearest": _beside_nearest(made, training.values, apart, which),
    }  # fmt: skip
    if classes:
        found["classes_told"] = {
            "classes": list(classes),
            "generated": np.bincount(answers["told"], minlength=len(classes)).tolist(),
            "real": np.bincount(answers["real_told"], minlength=len(classes)).tolist(),
            "seen": classes_seen(answers["told"], answers["real_told"], len(classes)),
        }
    return answers, found


def _told(probabilities: Array) -> Array:
    return probabilities.argmax(axis=1) if probabilities.shape[1] else np.zeros(len(probabilities), np.int64)


def _baselines(training: Images, held_out: Images, target: Any, look: Look, seed: int) -> dict[str, Any]:
    """The distance of what is no model from the same held-out rows, with as many images each, of the same classes."""
    rng = np.random.default_rng(seed)
    some = training.values[_alike(training.classes, held_out.classes, rng)]
    mixed = some.reshape(len(some), -1)
    others = {
        "noise": rng.uniform(-1, 1, some.shape).astype(np.float32),
        "pixels of training rows, each drawn by itself": rng.permuted(mixed, axis=0).reshape(some.shape),
        "training rows": some,
    }
    apart = {name: between(moments(look(images)[0]), target) for name, images in others.items()}
    return {
        name: {"frechet_distance": one, **({"relative_distance": one / apart["noise"]} if apart["noise"] else {})}
        for name, one in apart.items()
    }


def _alike(training: Array, held_out: Array, rng: np.random.Generator) -> Array:
    """Places of training rows of the class of each held-out one, int [N]; each once as long as there are others."""
    found = np.empty(len(held_out), np.int64)
    for one in np.unique(held_out):
        wanted = np.flatnonzero(held_out == one)
        there = np.flatnonzero(training == one)
        there = there if len(there) else np.arange(len(training))
        found[wanted] = np.resize(rng.permutation(there), len(wanted))
    return found


def _of_all(made: Array) -> list[Mapping[str, Any]]:
    """Some images, of no class."""
    return [{"class": "", "strip": strip(_seen(made[: 4 * SHOWN]), SHOWN)}]


def _by_class(made: Array, asked: Array, classes: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """Some images of each class that was asked for."""
    groups = [(name, made[asked == place][:SHOWN]) for place, name in enumerate(classes)]
    return [{"class": name, "strip": strip(_seen(images))} for name, images in groups if len(images)]


def _beside_nearest(made: Array, training: Array, apart: Array, which: Array) -> dict[str, Any]:
    """The generated images that come nearest to a training image, above those."""
    some = np.argsort(apart, kind="stable")[:SHOWN]
    return {"generated": strip(_seen(made[some])), "training": strip(_seen(training[which[some]]))}


def _seen(images: Array) -> Array:
    return (images + 1) / 2
