"""Batches of a user's own: a ``tf.data.Dataset``, a ``PyDataset``, a generator, as a feed of the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kilnworks.components.modeling.feeds.feed import Feed
from kilnworks.schemas.errors import ConfigError

Make = Callable[[int], Any]
"""Number of an epoch, from 0 -> its batches."""


class OwnFeed(Feed):
    """Reads batches as they are made; every batch of an epoch must have the shapes of its first.

    A last batch with fewer rows is left out, as the package's own feeds do.
    """

    def __init__(self, make: Make, path: str, steps: int | None, seed: int, replicas: int = 1) -> None:
        """``make``: gives the batches of an epoch; ``steps``: of an epoch, where they do not know how many they are."""
        self._make, self._path = make, path
        self._spec, count, rows = self._look()
        known = steps or count
        if known is None:
            raise ConfigError(
                f"{path} does not say how many batches an epoch has",
                "a tf.data.Dataset of known cardinality, a PyDataset, a sequence; or steps_per_epoch",
                "set steps_per_epoch to the number of its batches",
            )
        super().__init__(known * rows, rows, seed)

    def _look(self) -> tuple[Any, int | None, int]:
        """Structure, shapes and dtypes of a batch; batches of an epoch, None where not known; rows of a batch."""
        made = self._make(0)
        first = next(iter(_batches(made)), None)
        if first is None:
            raise ConfigError(f"{self._path} gives no batch", "at least one (x, y)", "check what it reads")
        batch = self._checked(first)
        spec = tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), batch)
        return spec, _length(made, len(batch[1])), len(batch[1])

    def _checked(self, batch: Any) -> Any:
        """A batch as NumPy arrays. Raises ``ConfigError`` for something else than (x, y) or (x, y, weights)."""
        if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
            raise ConfigError(
                f"{self._path} gives {type(batch).__name__}",
                "(x, y) or (x, y, weights) for each batch",
                "yield a tuple, as tf.data and PyDataset do",
            )
        return tf.nest.map_structure(_array, tuple(batch))

    def hold(self, devices: Sequence[str]) -> None:
        """Nothing to get ready."""

    def block_signature(self, rows: int) -> Any:
        """Batches one behind the other."""
        return tf.nest.map_structure(lambda s: tf.TensorSpec((None, rows, *s.shape[1:]), s.dtype), self._spec)

    def _packed(self, block: Any, index: Any, device: int) -> Any:
        return tf.nest.map_structure(lambda a: a[index], block)

    def not_finite(self) -> list[str]:
        """Not known: the batches are gone."""
        return []

    @property
    def longest_block(self) -> int:
        """About 64 MiB of batches."""
        size = sum(a.dtype.size * (a.shape.num_elements() or 1) for a in tf.nest.flatten(self._spec))
        return int(max(1, min(self.steps, 2**26 // max(1, size))))

    def _epoch_blocks(self, epoch: int, size: int) -> Iterator[Any]:
        waiting: list[Any] = []
        for batch in self._epoch_batches(epoch):
            waiting.append(batch)
            if len(waiting) == size:
                yield _stacked(waiting)
                waiting = []
        if waiting:
            yield _stacked(waiting)

    def _epoch_batches(self, epoch: int) -> Iterator[Any]:
        done = 0
        for batch in _batches(self._make(epoch)):
            if done == self.steps:
                return
            one = self._checked(batch)
            if len(one[1]) < self.batch:
                continue
            self._same(one)
            yield one
            done += 1
        if done < self.steps:
            raise ConfigError(
                f"{self._path} gives {done} full batches in epoch {epoch + 1}",
                f"{self.steps}, of {self.batch} rows each",
                "set steps_per_epoch to what every epoch has, or repeat the data",
            )

    def _same(self, batch: Any) -> None:
        """Refuse a batch that is not like the first."""
        try:
            tf.nest.assert_same_structure(batch, self._spec)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"{self._path} gives a batch of another structure", "that of its first batch", "give all the same"
            ) from error
        for array, spec in zip(tf.nest.flatten(batch), tf.nest.flatten(self._spec), strict=True):
            if array.shape != tuple(spec.shape):
                raise ConfigError(
                    f"{self._path} gives a batch of shape {list(array.shape)}",
                    f"{list(spec.shape)}, as in its first batch",
                    "pad or cut the rows to one shape",
                )


def _batches(made: Any) -> Iterable[Any]:
    """The batches in what a user's code gave: a PyDataset is asked by number."""
    import keras

    if isinstance(made, keras.utils.PyDataset):
        return (made[i] for i in range(len(made)))
    return made


def _length(made: Any, rows: int) -> int | None:
    """Batches of an epoch; None where that is not known."""
    if isinstance(made, tf.data.Dataset):
        count = int(made.cardinality())
        if count < 0:
            return None
        return count - int(_last_is_short(made, count, rows)) if count else None
    if not hasattr(made, "__len__"):
        return None
    return len(made) - int(hasattr(made, "__getitem__") and len(made[len(made) - 1][1]) < rows)


def _last_is_short(made: tf.data.Dataset, count: int, rows: int) -> bool:
    """Whether the last batch has fewer rows, where the element spec leaves that open."""
    first = tf.nest.flatten(made.element_spec)[0]
    if first.shape.rank and first.shape[0] is not None:
        return False
    last = next(iter(made.skip(count - 1)), None)
    return last is not None and len(tf.nest.flatten(last)[0]) < rows


def _array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind in "US":
        return array.astype(object)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _stacked(batches: Sequence[Any]) -> Any:
    return tf.nest.map_structure(lambda *parts: np.stack(parts), *batches)
