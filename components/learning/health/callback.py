"""Looks at the layers after an epoch, warns at once, and keeps what it saw in ``health.json``."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kilnworks.components.learning.health.findings import Finding, findings, newest
from kilnworks.components.learning.health.measure import Probe, measurable
from kilnworks.components.learning.input_pipeline import MemoryFeed
from kilnworks.components.modeling.feeds.feed import Feed
from kilnworks.schemas.files import write_json

LOG = logging.getLogger("kilnworks.data")
ROWS = 256
"""Of the batch that is looked at, at most."""
SHARE = 0.03
"""Of the time of the training that looks may take, beyond the first one."""


class Health(keras.callbacks.Callback):
    """Looks after the first epoch, and after others while all looks took 3 % of the training at most, or after all."""

    key = "health"

    def __init__(self, path: Path, every: bool) -> None:
        """``every``: look after every epoch, whatever it takes."""
        super().__init__()
        self._path, self._every = path, every
        self._probe: Probe | None = None
        self._feed: MemoryFeed | None = None
        self._looks: list[dict[str, Any]] = []
        self._found: list[Finding] = []
        self._seconds = self._trained = self._since = 0.0
        self._phase = self._steps = 0

    def watch(self, trained: Any, feed: Feed, replicated: bool, phase: int) -> None:
        """Begin a phase, from 0; one that trains in a way of its own, is streamed or has replicas is not looked at."""
        self._probe, self._phase, self._steps = None, phase, 0
        self._feed = feed if measurable(trained) and isinstance(feed, MemoryFeed) and not replicated else None

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Take the batch that every look has."""
        start = time.perf_counter()
        if self._feed is not None:
            self._probe = Probe(self.model, _rows(self._feed))
        self._since = time.perf_counter()
        self._seconds += self._since - start

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look, judge, and say what is new."""
        if self._probe is None or self._feed is None:
            return
        start = time.perf_counter()
        self._trained += start - self._since
        self._steps += self._feed.steps
        if self._every or not self._looks or self._next() <= SHARE * self._trained:
            try:
                self._look(self._probe, epoch, float((logs or {}).get("loss", 0.0)))
            except tf.errors.ResourceExhaustedError:
                LOG.warning("health: there is no memory for a look at the layers; the training goes on without")
                self._probe = None
        self._since = time.perf_counter()
        self._seconds += self._since - start

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Write what was seen."""
        if self._looks:
            self.write()

    def write(self) -> None:
        """Write ``health.json``: every look, every finding, seconds that they took and share of the training's."""
        told = {
            "looks": self._looks,
            "findings": [one.record() for one in self._found],
            "seconds": round(self._seconds, 3),
            "share": round(self._seconds / self._trained, 4) if self._trained else None,
        }
        write_json(self._path, told)

    def state(self) -> dict[str, Any]:
        """What was seen."""
        return {"looks": self._looks, "seconds": self._seconds, "trained": self._trained}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take back what was seen; how far weights moved is told from here on."""
        self._looks = list(state["looks"])
        self._seconds, self._trained = state["seconds"], state["trained"]
        self._found = findings(self._looks)
        if self._probe is not None:
            self._probe.remember()

    def _next(self) -> float:
        """Seconds that all looks will have taken with one more."""
        return self._seconds * (1 + 1 / len(self._looks))

    def _look(self, probe: Probe, epoch: int, loss: float) -> None:
        look = {"phase": self._phase + 1, "epoch": epoch + 1, "steps": self._steps, "loss": loss}
        self._looks.append({**look, "layers": probe.look()})
        self._steps = 0
        self._say()

    def _say(self) -> None:
        known = {(one.kind, one.layer) for one in self._found}
        for one in newest(self._looks):
            if (one.kind, one.layer) not in known:
                self._found.append(one)
                where = f"layer {one.layer}: " if one.layer else ""
                LOG.warning("health, epoch %d: %s%s; to do: %s", one.epoch, where, one.said, one.remedy)


def _rows(feed: MemoryFeed) -> Any:
    """The first rows of the first batch, as the model takes them."""
    feed.hold(("",))
    batch = feed.read(next(feed.blocks(range(1), 1)), 0)
    return tf.nest.map_structure(lambda part: part[:ROWS], batch)
