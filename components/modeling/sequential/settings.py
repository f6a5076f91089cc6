"""Random changes of sequences while a model trains: what may be done to a course without changing what it tells.

::

    sequence -> window slice -> time warp -> scaling -> jitter        each sequence by itself, some stay as they are

Um et al. 2017 (jitter, scaling, time warp); Le Guennec, Malinowski & Tavenard 2016 (window slice).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.config import Config


class SequenceAugmentation(Config):
    """Random changes that leave what a sequence tells as it is; each sequence gets others in every epoch."""

    jitter: float = Field(default=0.0, ge=0, le=2)
    """Standard deviation of noise on each value, in deviations of its channel."""
    scaling: float = Field(default=0.0, ge=0, lt=1)
    """Standard deviation around 1 of what each channel of a sequence is multiplied by."""
    warp: float = Field(default=0.0, ge=0, lt=1)
    """How unevenly time runs: largest share by which the speed at a step differs from the usual one."""
    slice: float = Field(default=1.0, gt=0.1, le=1)
    """Shortest part of a sequence, as a share of its steps, that is cut out and stretched to the whole; 1 for none."""
    rate: float = Field(default=0.7, ge=0, le=1)
    """Share of sequences that are changed in an epoch, 0 to 1; the others stay as they are."""

    @property
    def changes(self) -> bool:
        """Whether anything is changed."""
        return bool(self.jitter or self.scaling or self.warp or self.slice < 1)

    def changed(self, x: Any, tag: str, names: LayerNames) -> Any:
        """Sequences [N, T, C] of which some are changed in training, and none outside of it."""
        if not self.changes:
            return x
        from kilnworks.components.modeling.sequential.augmentation import SequenceNoise

        settings = self.model_dump()
        return SequenceNoise(**settings, dtype="float32", name=names(f"augmented_{tag}"))(x)
