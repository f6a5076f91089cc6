"""What hands out batches of training rows: the interface that every feed of ``learning`` has, and any other may have.

An architecture whose batches are no rows of the data, such as transitions of a game, brings one (``Learner.feed``).
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np

Unpack = Callable[[Any], dict[str, Any]]
"""Encoded tensors as they travel -> as the model takes them; see ``FeatureTransform.unpack``."""


class Feed(ABC):
    """A training split.

    Attributes:
        rows: rows of the split.
        batch: rows of a batch, over all replicas.
        unpack: makes of the tensors of a batch what the model takes.
    """

    synchronous: ClassVar[bool] = False
    """Whether a block is made only once the steps of the one before it are done, as where the model that trains decides
    what comes next; otherwise blocks are made ahead, in a thread."""

    def __init__(self, rows: int, batch: int, seed: int, unpack: Unpack = dict) -> None:
        self.rows, self.batch, self.seed, self.unpack = rows, batch, seed, unpack

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return self.rows // self.batch

    @property
    def longest_block(self) -> int:
        """Batches of a block at most."""
        return self.steps

    def blocks(self, epochs: range, size: int) -> Iterator[Any]:
        """Blocks of ``size`` batches for every epoch in turn; the last block of an epoch may be shorter."""
        return itertools.chain.from_iterable(self._epoch_blocks(epoch, size) for epoch in epochs)

    @abstractmethod
    def block_signature(self, rows: int) -> Any:
        """``tf.TensorSpec`` of the part of a block that has ``rows`` rows of each batch, in its structure."""

    @abstractmethod
    def hold(self, devices: Sequence[str]) -> None:
        """Get ready to ``read`` on these devices."""

    def read(self, block: Any, index: Any, device: int = 0) -> Any:
        """Batch ``index`` of a block, or of a part of one, as the model takes it, inside a TensorFlow graph.

        ``device``: number of the device in ``hold``.
        """
        batch = self._packed(block, index, device)
        return (self.unpack(batch[0]), *batch[1:])

    @abstractmethod
    def _packed(self, block: Any, index: Any, device: int) -> Any: ...

    @abstractmethod
    def not_finite(self) -> list[str]:
        """Names of the encoded tensors that hold NaN or infinity; looks at every row."""

    @abstractmethod
    def _epoch_blocks(self, epoch: int, size: int) -> Iterator[Any]: ...

    def state(self) -> Mapping[str, np.ndarray]:
        """What it remembers from one epoch to the next, [...] by name, for the backup; by default nothing."""
        return {}

    def resume(self, state: Mapping[str, np.ndarray]) -> None:  # noqa: B027 (most remember nothing)
        """Take back what ``state`` gave, [...] by name, before the first block."""

    def _random(self, epoch: int) -> np.random.Generator:
        import numpy as np

        return np.random.default_rng([self.seed, epoch])
