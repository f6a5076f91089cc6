"""The training split as a user's own code hands it out: ``OwnCode.data``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.input_pipeline import MemoryFeed
from kilnworks.components.learning.own.feed import OwnFeed
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.learning.splits import Splits
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.code import Code, called
from kilnworks.schemas.errors import ConfigError


def own_batches(
    settings: FitSettings, code: Code, splits: Splits, examples: Examples, transform: FeatureTransform, batch: int
) -> Splits:
    """The splits with the batches of ``code`` for training; validation stays as it is, and is never learned from."""
    rows = _Rows(splits, transform)
    found = code.load()
    names = [t.name for t in transform.encoded]

    def make(epoch: int) -> Any:
        """The user's batches of an epoch."""
        if not isinstance(found, type) and (not callable(found) or hasattr(found, "__iter__")):
            return found
        given = _Given(rows, batch=batch, epoch=epoch, seed=settings.seed, files=list(examples.files("train")))
        return called(found, code.path, code.options, given)

    feed = OwnFeed(make, code.path, settings.steps_per_epoch, settings.seed)
    feed.unpack = lambda x: dict(x) if isinstance(x, Mapping) else {names[0]: x} if len(names) == 1 else x
    return replace(splits, feed=feed, everything=None)


class _Given(dict[str, Any]):
    """What the code may ask for; the arrays are only made for one that does."""

    def __init__(self, rows: _Rows, **others: Any) -> None:
        super().__init__(x=None, y=None, **others)
        self._rows = rows

    def __getitem__(self, name: str) -> Any:
        return self._rows.arrays[("x", "y").index(name)] if name in ("x", "y") else super().__getitem__(name)


class _Rows:
    """The encoded training split."""

    def __init__(self, splits: Splits, transform: FeatureTransform) -> None:
        self._feed, self._transform = splits.feed, transform

    @cached_property
    def arrays(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Encoded tensors as the model takes them, and targets. Raises ``ConfigError`` where they are streamed."""
        if not isinstance(self._feed, MemoryFeed):
            raise ConfigError(
                "the training split is streamed, so that its arrays x and y are not there",
                "code that reads 'files', or a split that fits into memory_mb",
                "take the parameter 'files' instead, or raise memory_mb",
            )
        packed, target = self._feed.arrays()
        return {name: np.asarray(a) for name, a in self._transform.unpack(packed).items()}, np.asarray(target)
