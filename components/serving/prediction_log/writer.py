"""``--prediction_log_dir``: a sample of requests and answers as ``PredictionLog`` records in TFRecord files.

A request never waits for the disk: what was sampled goes into a bounded queue, and when that is full it is dropped
and counted. One thread writes. A file appears under its name by one rename when it is complete: at
``max_file_bytes`` or ``max_file_seconds``, and when the server stops. While it is written its name starts with a dot.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kilnworks.components.serving.prediction_log.files import (
    LogFiles,
    LogSettings,
    RecordTooLarge,
    RecordWriter,
    make_log_folder,
)
from kilnworks.components.serving.prediction_log.records import (
    Array,
    describe,
    examples_record,
    predict_record,
)
from kilnworks.components.serving.wire.answers import Answer
from kilnworks.components.serving.wire.tensor_budget import texts_needed
from kilnworks.components.serving.wire.tensor_codec import needed
from kilnworks.components.serving.wire.values import Classified, Predicted, Regressed
from kilnworks.schemas.errors import ConfigError

log = logging.getLogger(__name__)

_COMPLAIN_SECONDS = 60.0


_Waiting = tuple[Callable[[], Any], int]
"""A sampled request: how its record is made, and the bytes it keeps alive."""


class PredictionLogWriter:
    """Writes sampled requests and their answers. Its methods neither block for long nor raise.

    Args:
        settings: where and how much.
        open_writer: opens a TFRecord file; None = TensorFlow's writer.
        chance: decides what is sampled.
        count: told for each sampled request that it was ``"written"``, ``"dropped"`` because too many wait, or
            ``"failed"`` because the disk took it not; and ``"lost"`` for one that was written to a file that failed.

    Raises:
        ConfigError: the folder cannot be written, or the sampling rate is not between 0 and 1.
    """

    def __init__(
        self,
        settings: LogSettings,
        open_writer: Callable[[Path], RecordWriter] | None = None,
        chance: random.Random | None = None,
        count: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        if not 0 <= settings.sampling_rate <= 1:
            raise ConfigError(
                f"a sampling rate of {settings.sampling_rate:g}",
                "a share from 0 to 1",
                "correct --prediction_log_sampling_rate",
            )
        make_log_folder(settings.folder)
        self.settings = settings
        self.written = self.dropped = 0
        self._chance, self._count = chance or random.Random(), count
        self._files = LogFiles(settings, open_writer)
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(settings.queue_records)
        self._bytes = 0
        self._lock = threading.Lock()
        self._complained = 0.0
        self._thread = threading.Thread(target=self._write_all, name="prediction-log", daemon=True)
        self._thread.start()

    def sample(self) -> bool:
        """Whether the next request is to be written."""
        return self._chance.random() < self.settings.sampling_rate

    def log_predict(self, inputs: Mapping[str, Array], predicted: Predicted) -> None:
        """Write a Predict request and its answer."""
        size = needed(inputs) + needed(predicted.outputs)
        self._put(lambda: predict_record(inputs, predicted), predicted, size)

    def log_examples(self, examples: Sequence[bytes], answer: Classified | Regressed) -> None:
        """Write a Classify or Regress request (serialized Examples) and its answer."""
        self._put(lambda: examples_record(examples, answer), answer, texts_needed(examples))

    def close(self) -> None:
        """Write what waits (for at most 10 s) and finish the file that is open."""
        if not self._thread.is_alive():
            return
        try:
            self._queue.put(None, timeout=5.0)
        except queue.Full:
            log.warning("the prediction log's disk is too slow: what waits is dropped")
        self._thread.join(timeout=10.0)

    def _put(self, make: Callable[[], Any], answer: Answer, size: int) -> None:
        second = int(time.time())

        def record() -> Any:
            found = make()
            describe(found, answer, self.settings.sampling_rate, second)
            return found

        with self._lock:
            fits = self._bytes + size <= self.settings.queue_bytes
            if fits:
                self._bytes += size
        if not fits:
            self._drop("the queue is full")
            return
        try:
            self._queue.put_nowait((record, size))
        except queue.Full:
            self._release(size)
            self._drop("the queue is full")

    def _write_all(self) -> None:
        """The writing thread's life."""
        while True:
            try:
                waiting = self._queue.get(timeout=self._files.seconds_left())
            except queue.Empty:
                self._finish_file()
                continue
            if waiting is None:
                self._finish_file()
                return
            self._write(*waiting)

    def _write(self, make: Callable[[], Any], size: int) -> None:
        try:
            self._files.write(make().SerializeToString())
        except RecordTooLarge as error:
            self._drop(str(error))
        except Exception as error:  # TensorFlow's writer has its own errors; none may end this thread
            self._lose()
            self._drop(str(error), "failed")
        else:
            self.written += 1
            self._count("written")
        finally:
            self._release(size)

    def _finish_file(self) -> None:
        try:
            self._files.finish()
        except Exception as error:
            self._lose()
            log.warning("a prediction log file was lost: %s", error)

    def _lose(self) -> None:
        """Let go of the file that failed, and count what was in it."""
        for _ in range(self._files.abandon()):
            self._count("lost")

    def _release(self, size: int) -> None:
        with self._lock:
            self._bytes -= size

    def _drop(self, why: str, outcome: str = "dropped") -> None:
        self.dropped += 1
        self._count(outcome)
        now = time.monotonic()
        if now - self._complained > _COMPLAIN_SECONDS:
            self._complained = now
            log.warning("prediction log: %d records dropped so far (%s)", self.dropped, why)
