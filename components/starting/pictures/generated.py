"""A first pipeline that makes images like those that are there, instead of telling their classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.modeling.generative.gan import Dcgan
from kilnworks.components.sources.splitting.splits import ByHash, Shares
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.schemas.errors import ConfigError

LARGEST = 32
"""Longer side of an image, at most: on two processors a larger one takes too long to learn to make."""
STEPS = 2_000
"""Steps of a training, about."""
BATCH = 64
FEWEST = 400
"""Fewer images are too few to learn from and to be judged by."""
PARTS = Shares(train=0.6, val=0.15, test=0.25)
"""More than usual are kept aside: the distance of a few images says little."""


def generating(recipe: Recipe) -> Recipe:
    """The recipe of the same images with a GAN as its model, one that asks for the class.

    Raises:
        ConfigError: too few images.
    """
    if recipe.rows < FEWEST:
        raise ConfigError(f"{recipe.rows} images to learn to make more of", f"at least {FEWEST}", "give more images")
    (name, feature), *_ = ((n, f) for n, f in recipe.contract.features.items() if f.dtype == "image")
    height, width, channels = feature.shape
    shrink = min(1.0, LARGEST / max(height, width))
    size = (max(8, round(height * shrink)), max(8, round(width * shrink)))
    transform = recipe.transform
    if size != (height, width):
        transform = PreprocessConfig(features={name: FeatureSettings(size=size)})
    epochs = int(min(300, max(10, STEPS * BATCH / (0.6 * recipe.rows))))
    training: dict[str, Any] = {"epochs": epochs, "batch": BATCH, "monitor": "val_distance", "early_stopping": None}
    own = isinstance(recipe.split, ByHash)
    split = recipe.split.model_copy(update={"shares": PARTS}) if own else recipe.split
    why = f"{size[0]} x {size[1]} x {channels}" + (", made smaller" if size != (height, width) else "")
    decisions = (
        *(one for one in recipe.decisions if one.what not in ("augment", "model", "task", "size", "positive")),
        *([Decision("aside", f"{PARTS.val:.0%} val, {PARTS.test:.0%} test", "a distance of a few images says little")]
          if own else []),
        Decision("task", "images of a class", "as asked: images like these, of the class that is wanted"),
        Decision("model", "dcgan", f"images of {why}; {epochs} epochs; judged by their distance from unseen ones"),
    )  # fmt: skip
    return replace(
        recipe, model=Dcgan(generator_rate=5e-4), training=training, split=split, transform=transform,
        decisions=decisions,
    )  # fmt: skip
