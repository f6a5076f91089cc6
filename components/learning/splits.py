"""The training and the validation split, in the form that the loop wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.arrays import Arrays, Encoder, aligned, row_bytes, split_bytes
from kilnworks.components.learning.input_pipeline import Batch, MemoryFeed
from kilnworks.components.learning.memory import StreamMemory
from kilnworks.components.learning.predict import forward, outputs
from kilnworks.components.learning.row_groups import FEWEST, RowGroups, no_larger, row_groups, sample
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.learning.shard_feed import ShardFeed
from kilnworks.components.modeling.feeds.feed import Feed
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.errors import ConfigError

Measure = Callable[[], dict[str, float]]
"""The numbers of the validation split under the current weights: ``loss`` with penalties, then metrics."""


@dataclass(frozen=True)
class Splits:
    """What training reads.

    Attributes:
        feed: the training split.
        validation: the validation split; None without rows.
        streamed: whether shards are read anew in each epoch.
        everything: makes of both splits one feed, in the order that a seed decides; None where that cannot be.
    """

    feed: Feed
    validation: Validation | None
    streamed: bool
    everything: Callable[[int], Feed] | None = None

    @property
    def both(self) -> float:
        """Rows of both splits together, as a multiple of the training rows."""
        return 1 + (self.validation.split_rows / self.feed.rows if self.validation else 0.0)

    def only(self, chosen: Callable[[Arrays, int], np.ndarray] | None, seed: int) -> Splits:
        """The same with those training rows that the learner chooses, where it does: of arrays [N, ...] those it says.

        Raises:
            ConfigError: the split is streamed, and rows are chosen among all of it.
        """
        if chosen is None:
            return self
        if not isinstance(self.feed, MemoryFeed):
            raise ConfigError("a model that chooses its training rows, and data that are streamed", "a split in memory",
                              "raise memory_mb, or let it learn from all rows (contamination=0)")  # fmt: skip
        arrays, *others = self.feed.whole()
        rows = np.flatnonzero(chosen(arrays, seed))
        taken = {name: _taken(values, rows) for name, values in arrays.items()}
        part = cast(Batch, (taken, *(values[rows] for values in others)))
        return replace(self, feed=MemoryFeed(part, min(self.feed.batch, len(rows)), seed, self.feed.unpack))

    def fed(self, make: Callable[[Batch, int, int], Feed] | None, seed: int) -> Splits:
        """The same with the learner's own feed, where it has one.

        Raises:
            ConfigError: the split is streamed, and such a feed takes it whole.
        """
        if make is None:
            return self
        if not isinstance(self.feed, MemoryFeed):
            raise ConfigError("a model with a feed of its own, and data that are streamed", "a split in memory",
                              "raise memory_mb")  # fmt: skip
        feed = make(self.feed.whole(), self.feed.batch, seed)
        feed.unpack = self.feed.unpack
        return replace(self, feed=feed)


@dataclass(frozen=True)
class Validation:
    """The validation split, measured on one device in large chunks, so that no remainder is dropped or weighted.

    Attributes:
        split_rows: rows of the split.
        rows: how many of them are measured.
        task: what is measured.
        transform: how they were encoded.
        parts: goes through encoded tensors and targets once, at least one row each.
    """

    split_rows: int
    rows: int
    task: Task
    transform: FeatureTransform
    parts: Callable[[], Iterable[tuple[Arrays, np.ndarray]]]

    def measure(self, model: Any) -> Measure:
        """The function that measures ``model``, compiled once."""
        run = forward(model, self.transform)

        def numbers() -> dict[str, float]:
            """The numbers of the whole split, the penalties of the model in the loss."""
            totals = self.task.totals()
            for arrays, target in self.parts():
                totals.add(target, outputs(run, arrays))
            found = totals.numbers()
            return {**found, "loss": found["loss"] + float(sum(float(p) for p in model.losses))}

        return numbers


def _taken(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows, in memory that TensorFlow takes as it is."""
    out = aligned((len(rows), *values.shape[1:]), values.dtype.name)
    np.take(values, rows, axis=0, out=out)
    return out


def _joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Rows of both, in memory that TensorFlow takes as it is."""
    out = aligned((len(one) + len(other), *one.shape[1:]), one.dtype.name)
    np.concatenate([one, other], out=out)
    return out


def fits_in_memory(settings: FitSettings, examples: Examples, encoder: Encoder) -> bool:
    """Whether the encoded splits may be held."""
    return split_bytes(examples, _named(examples), encoder.transform) <= settings.memory_mb * 2**20


def held_splits(
    settings: FitSettings,
    examples: Examples,
    encoder: Encoder,
    task: Task,
    label: np.ndarray,
    batch: int,
    *,
    weights: np.ndarray | None,
) -> Splits:
    """Both splits encoded in memory; ``label`` [rows] of the training split, ``weights`` of the classes."""
    arrays, finish = encoder.whole(examples.files("train"), len(label)), _finish(task, weights)
    feed = MemoryFeed(finish(arrays, label), batch, settings.seed, encoder.transform.unpack)
    if "val" not in _named(examples):
        return Splits(feed, None, False)
    others = encoder.labels(examples.files("val"))
    target = task.target(others)
    held = encoder.whole(examples.files("val"), len(target))
    validation = Validation(len(target), len(target), task, encoder.transform, lambda: [(held, target)])
    if not settings.refit:
        return Splits(feed, validation, False)

    def everything(seed: int) -> MemoryFeed:
        both = {name: _joined(arrays[name], held[name]) for name in arrays}
        return MemoryFeed(finish(both, np.concatenate([label, others])), batch, seed, encoder.transform.unpack)

    return Splits(feed, validation, False, everything)


def streamed_splits(
    settings: FitSettings,
    examples: Examples,
    encoder: Encoder,
    task: Task,
    batch: int,
    work: Path,
    *,
    weights: np.ndarray | None,
) -> Splits:
    """Both splits read anew in each epoch.

    Args:
        settings: of the training.
        examples: whose shards are read.
        encoder: how.
        task: how labels become targets.
        batch: rows of a step, over all replicas.
        work: for copies of shards whose row groups are too large.
        weights: of the classes, float32 [K]; None where all rows count the same.
    """
    memory, columns = StreamMemory.of(settings), encoder.columns
    groups = no_larger(row_groups(examples.files("train"), columns), memory.buffer // FEWEST, work / "train")
    feed = ShardFeed(
        encoder, groups, batch, settings.seed,
        buffer=memory.buffer, piece=memory.block // _both(groups, encoder), finish=_finish(task, weights),
    )  # fmt: skip
    if "val" not in _named(examples):
        return Splits(feed, None, True)
    found = row_groups(examples.files("val"), columns)
    most = max(1, memory.chunk // _both(found, encoder))
    found = no_larger(found, most * found.row_bytes, work / "val")
    chosen, share = sample(found, settings.validation_rows, np.random.default_rng(settings.seed))
    rows = int(np.maximum(1, (found.rows[chosen] * share).astype(np.int64)).sum())

    def parts() -> Iterator[tuple[Arrays, np.ndarray]]:
        """As many row groups at a time as memory allows."""
        for some in np.split(chosen, _ends(found.rows[chosen], most)):
            frame = found.read(some, share)
            yield encoder.encode(frame), task.target(encoder.label(frame))

    return Splits(feed, Validation(found.total, rows, task, encoder.transform, parts), True)


def _named(examples: Examples) -> list[str]:
    return [s for s in ("train", "val") if s in examples.splits and examples.rows(s)]


def _both(groups: RowGroups, encoder: Encoder) -> int:
    """Bytes of a row, raw and encoded."""
    return groups.row_bytes + row_bytes(encoder.transform)


def _ends(rows: np.ndarray, most: int) -> list[int]:
    """Where to cut a series of row groups so that parts have at most ``most`` rows, or one row group."""
    ends, held = [], 0
    for place, count in enumerate(rows.tolist()):
        if held and held + count > most:
            ends.append(place)
            held = 0
        held += count
    return ends


def _finish(task: Task, weights: np.ndarray | None) -> Callable[[Arrays, np.ndarray], Batch]:
    """How labels become targets and weights."""

    def finish(arrays: Arrays, index: np.ndarray) -> Batch:
        target = task.target(index)
        return (arrays, target) if weights is None else (arrays, target, weights[index])

    return finish
