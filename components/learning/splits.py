"""The training and the validation split, in the form that the loop wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.learning.arrays import Arrays, Encoder, split_bytes
from components.learning.input_pipeline import Batch, Feed, MemoryFeed, ShardFeed
from components.learning.predict import forward, outputs
from components.learning.settings import FitSettings
from components.learning.tasks import Task, class_weights
from schemas.artifacts import Examples

Measure = Callable[[], dict[str, float]]
"""The numbers of the validation split under the current weights: ``loss`` with penalties, then metrics."""


@dataclass(frozen=True)
class Splits:
    """What training reads.

    Attributes:
        feed: the training split.
        validation: the validation split; None without rows.
        streamed: whether shards are read anew in each epoch.
    """

    feed: Feed
    validation: Validation | None
    streamed: bool


class Validation:
    """The validation split, measured on one device in large chunks, so that no remainder is dropped or weighted."""

    def __init__(self, encoder: Encoder, examples: Examples, task: Task, *, streamed: bool, chunk: int) -> None:
        """``chunk``: rows of a piece that is read at once when streamed."""
        self._files = examples.files("val")
        self._encoder, self._task, self._chunk = encoder, task, chunk
        self._target = task.target(encoder.labels(self._files))
        self._held = None if streamed else encoder.whole(self._files, len(self._target))

    @property
    def rows(self) -> int:
        """Rows of the split."""
        return len(self._target)

    def measure(self, model: Any) -> Measure:
        """The function that measures ``model``, compiled once."""
        run = forward(model)

        def numbers() -> dict[str, float]:
            output = np.concatenate([outputs(run, arrays) for arrays in self._pieces()])
            found = self._task.measure(self._target, output)
            return {**found, "loss": found["loss"] + float(sum(float(p) for p in model.losses))}

        return numbers

    def _pieces(self) -> Iterator[Arrays]:
        if self._held is not None:
            yield self._held
            return
        for file in self._files:
            for arrays, _ in self._encoder.chunks(file, self._chunk):
                yield arrays


def read_splits(
    settings: FitSettings, examples: Examples, encoder: Encoder, task: Task, label: np.ndarray, batch: int
) -> Splits:
    """Encode both splits into memory where they fit together, else prepare to stream them.

    Args:
        settings: memory, seed, buffer and weights of the classes.
        examples: the rows.
        encoder: how they are read.
        task: how labels become targets.
        label: encoded labels of the training split, [rows].
        batch: rows of a batch in force.
    """
    weights = class_weights(settings.class_weight, examples.contract, label)

    def finish(arrays: Arrays, index: np.ndarray) -> Batch:
        target = task.target(index)
        return (arrays, target) if weights is None else (arrays, target, weights[index])

    named = [s for s in ("train", "val") if s in examples.splits and examples.rows(s)]
    streamed = split_bytes(examples, named, encoder.transform.encoded) > settings.memory_mb * 2**20
    files = examples.files("train")
    feed: Feed
    if streamed:
        feed = ShardFeed(encoder, files, len(label), batch, settings.seed, buffer=settings.buffer_rows, finish=finish)
    else:
        feed = MemoryFeed(finish(encoder.whole(files, len(label)), label), batch, settings.seed)
    if "val" not in named:
        return Splits(feed, None, streamed)
    chunk = max(1, settings.buffer_rows // 4)
    return Splits(feed, Validation(encoder, examples, task, streamed=streamed, chunk=chunk), streamed)
