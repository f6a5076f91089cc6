"""Puts requests that arrive together into one run of the graph.

After a pause a batch waits as in TensorFlow Serving: until it is full or its time is over. Under steady traffic nobody
waits: the thread that finds no further request at hand runs what has come together, and what arrives meanwhile is the
next batch; and no batch grows larger than pays (``batch_size``). When a batch runs, and in which thread, is decided in
``scheduler``.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from kilnworks.components.serving.batching.batch import BatchQueue
from kilnworks.components.serving.batching.parameters import BatchSettings
from kilnworks.components.serving.batching.places import ModelLimit
from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.batching.turns import Later, stay, waited
from kilnworks.components.serving.wire.feeds import Array, Feeds, Runner


class BatchingRunner:
    """A runner that batches: one queue for each set of inputs and outputs that is asked for.

    Args:
        runner: of one version.
        settings: of its queues.
        scheduler: runs the batches of all models.
        alone: of the model; bounds the requests that are better run alone.
    """

    _MOST_QUEUES = 64

    def __init__(self, runner: Runner, settings: BatchSettings, scheduler: BatchScheduler, alone: ModelLimit) -> None:
        self._runner, self._settings, self._scheduler, self._alone = runner, settings, scheduler, alone
        self._lock = threading.Lock()
        self._queues: dict[tuple[Any, ...], BatchQueue] = {}

    def begin(
        self,
        feeds: Feeds,
        fetches: Sequence[str],
        timeout_seconds: float | None,
        step_back: Callable[[], None] = stay,
    ) -> list[Array] | Later[list[Array]]:
        """The fetched tensors, at once or once their batch has run. Raises ``ServingError``."""
        key = (*[info.name for info, _ in feeds], None, *fetches)
        queue = self._queues.get(key) or self._add_queue(key, fetches)
        request = queue.request(feeds, timeout_seconds, step_back)
        return Later(request, request.outputs) if request.pending else request.outputs()

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        """The same, blocking."""
        return waited(self.begin(feeds, fetches, timeout_seconds))

    def close(self) -> None:
        """Forget the queues; nobody waits in them when a version is unloaded."""
        with self._lock:
            self._queues.clear()
        self._runner.close()

    def _add_queue(self, key: tuple[Any, ...], fetches: Sequence[str]) -> BatchQueue:
        with self._lock:
            if key not in self._queues:
                if len(self._queues) >= self._MOST_QUEUES:
                    self._queues.pop(next(iter(self._queues)))
                self._queues[key] = BatchQueue(self._runner, fetches, self._settings, self._scheduler, self._alone)
            return self._queues[key]
