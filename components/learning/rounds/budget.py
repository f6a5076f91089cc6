"""A training that ends in time: after the last epoch that fits, with the best weights so far."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import keras

from kilnworks.components.learning.resumable import Attributes

LOG = logging.getLogger(__name__)


class Budget(Attributes, keras.callbacks.Callback):
    """Ends the training where another epoch as long as the last one would end too late.

    At least one epoch is trained. A killed run goes on with the time that was left after its last complete epoch.
    """

    key = "budget"
    remembered = ("before", "spent", "over")

    def __init__(self, seconds: float) -> None:
        """``seconds``: for all phases, validation included."""
        super().__init__()
        self.seconds = seconds
        self.share = 1.0
        """Of the seconds behind ``before``, by which the phase that runs has to be over."""
        self.before = 0.0
        """Seconds before the first epoch."""
        self.spent = 0.0
        """Seconds before the first epoch and of all epochs so far."""
        self.over = False
        """Whether it ended the training, or a phase of it."""
        self._since = 0.0

    def prepared(self, seconds: float) -> None:
        """Count what went by before the first epoch, such as for reading rows."""
        self.before = self.spent = seconds

    def pace(self, epochs: int) -> float:
        """Seconds of each of the epochs so far."""
        return (self.spent - self.before) / epochs

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Start the clock."""
        self._since = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Stop, unless another epoch fits."""
        now = time.perf_counter()
        took, self._since = now - self._since, now
        self.spent += took
        allowed = self.before + self.share * max(0.0, self.seconds - self.before)
        if self.spent + took > allowed:
            self.over = True
            self.model.stop_training = True
            LOG.info("after epoch %d %.3g s of the budget leave no time for another one", epoch + 1, allowed)

    def summary(self) -> dict[str, Any]:
        """What happened, for ``training.json``."""
        return {"seconds": self.seconds, "spent": round(self.spent, 3), "over": self.over}
