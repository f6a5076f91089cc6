"""Batching against a runner that only counts: what is put together, padded, split, refused."""

import contextlib
import gc
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from kilnworks.components.serving.batching import batch, batch_tensors
from kilnworks.components.serving.batching.parameters import BatchSettings
from kilnworks.components.serving.batching.places import RunLimit
from kilnworks.components.serving.batching.runner import BatchingRunner
from kilnworks.components.serving.batching.scheduler import BatchScheduler, BatchWork, Entry
from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.wire.feeds import Array, Feeds
from kilnworks.components.serving.wire.values import TensorInfo
from tests.waiting import LONG_SECONDS, until

X = TensorInfo("x:0", 1, "float", np.dtype(np.float32), (-1,))


@dataclass
class Doubling:
    """Answers 2 x; notes the rows of each run; can be told to wait, to fail or to answer too few rows."""

    runs: list[int] = field(default_factory=list)
    gate: threading.Event | None = None
    error: ServingError | None = None
    answer: object = None
    seconds: float = 0.0
    timeouts: list[float | None] = field(default_factory=list)

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        value = feeds[0][1]
        self.runs.append(len(value))
        self.timeouts.append(timeout_seconds)
        if self.gate is not None:
            assert self.gate.wait(LONG_SECONDS)
        time.sleep(self.seconds)
        if self.error is not None:
            raise ServingError(self.error.code, self.error.text)
        return [np.asarray(value * 2 if self.answer is None else self.answer)]

    def close(self) -> None:
        """Nothing to close."""


class Noting(BatchScheduler):
    """Notes how long each batch may wait for companions."""

    def __init__(self, slots: int = 1) -> None:
        super().__init__(slots)
        self.waits: list[float] = []

    def add(self, batch: BatchWork, wait_seconds: float, model: str = "") -> Entry:
        self.waits.append(wait_seconds)
        return super().add(batch, wait_seconds, model)


def batching(
    inner: Doubling, slots: int = 1, scheduler: BatchScheduler | None = None, alone: int = 32, **settings: object
) -> BatchingRunner:
    made = {"max_batch_size": 8, "max_execution_size": settings.get("max_batch_size", 8), **settings}
    limit = RunLimit(alone, 0).of("m")
    return BatchingRunner(inner, BatchSettings(**made), scheduler or BatchScheduler(slots), limit)


def rows(*values: float) -> Feeds:
    return [(X, np.array(values, np.float32))]


def together(runner: BatchingRunner, requests: Sequence[Feeds], timeout: float | None = None) -> list[object]:
    """Results (or errors) of requests sent at the same time."""
    results: list[object] = [None] * len(requests)

    def ask(i: int) -> None:
        try:
            results[i] = runner.run(requests[i], ["y:0"], timeout)[0]
        except ServingError as error:
            results[i] = error

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_SECONDS)
    return results


def queued(runner: BatchingRunner) -> int:
    """Rows that wait for a batch to end."""
    [queue] = runner._queues.values()
    return sum(batch.rows for batch, _ in queue._waiting)


def test_requests_that_come_together_run_together_and_get_their_own_rows() -> None:
    inner = Doubling()
    results = together(batching(inner, timeout_seconds=LONG_SECONDS), [rows(i, i + 0.5) for i in range(4)])
    assert inner.runs == [8]
    for i, result in enumerate(results):
        np.testing.assert_array_equal(result, [2 * i, 2 * i + 1])


def test_a_batch_runs_when_its_time_is_over() -> None:
    inner = Doubling()
    started = time.monotonic()
    [result] = together(batching(inner, timeout_seconds=0.1), [rows(1)])
    assert time.monotonic() - started >= 0.1
    np.testing.assert_array_equal(result, [2])


def test_a_full_batch_does_not_wait() -> None:
    inner = Doubling()
    [result] = together(batching(inner, timeout_seconds=3600), [rows(*range(8))])
    np.testing.assert_array_equal(result, 2 * np.arange(8))


def test_what_arrives_while_a_batch_runs_is_put_together() -> None:
    inner = Doubling(gate=threading.Event())
    runner = batching(inner)
    first = threading.Thread(target=runner.run, args=(rows(0), ["y:0"], None))
    first.start()
    assert until(lambda: inner.runs)
    rest = threading.Thread(target=together, args=(runner, [rows(i) for i in range(5)]))
    rest.start()
    assert until(lambda: queued(runner) == 5)
    inner.gate.set()
    first.join()
    rest.join()
    assert inner.runs == [1, 5]


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for a second between two requests is no pause of the traffic."""
    monkeypatch.setattr(batch, "_PAUSE_SECONDS", LONG_SECONDS)


@pytest.mark.usefixtures("no_pause")
def test_a_lone_client_does_not_wait_for_ever() -> None:
    inner = Doubling()
    scheduler = Noting()
    runner = batching(inner, scheduler=scheduler, timeout_seconds=0.02)
    for _ in range(20):
        runner.run(rows(1), ["y:0"], None)
    assert scheduler.waits[:16] == [0.02] * 16, "sixteen waits in vain teach that there is one client"
    scheduler.waits.clear()
    for _ in range(20):
        runner.run(rows(1), ["y:0"], None)
    assert set(scheduler.waits) <= {0.0}


@pytest.mark.usefixtures("no_pause")
def test_a_lone_client_has_its_rows_filled_up_and_does_not_wait() -> None:
    inner = Doubling()
    scheduler = Noting()
    runner = batching(inner, scheduler=scheduler, allowed_sizes=(4, 8), timeout_seconds=0.002)
    for _ in range(80):
        runner.run(rows(1), ["y:0"], None)
    scheduler.waits.clear()
    results = [runner.run(rows(i), ["y:0"], None)[0].tolist() for i in range(50)]
    assert set(scheduler.waits) <= {0.0}
    assert results == [[2.0 * i] for i in range(50)]
    assert set(inner.runs) == {4}, "allowed sizes hold for requests that run alone"


@pytest.mark.parametrize(("running", "batches"), [(0, 0), (1, 1)], ids=["room", "full"])
def test_a_request_that_is_better_alone_joins_a_batch_where_its_model_has_no_room(
    monkeypatch: pytest.MonkeyPatch, running: int, batches: int
) -> None:
    scheduler = Noting()
    runner = batching(Doubling(), scheduler=scheduler, alone=1)
    runner.run(rows(1), ["y:0"], None)
    [queue] = runner._queues.values()
    queue._alone.running = running
    monkeypatch.setattr(queue, "_better_alone", lambda request, now: True)
    scheduler.waits.clear()
    for _ in range(3):
        np.testing.assert_array_equal(runner.run(rows(1, 2), ["y:0"], None)[0], [2, 4])
    assert len(scheduler.waits) == 3 * batches
    assert queue._alone.running == running


@pytest.mark.usefixtures("no_pause")
def test_dear_runs_are_still_put_together_under_steady_traffic() -> None:
    inner = Doubling(seconds=0.002)
    runner = batching(inner, timeout_seconds=0.0005)
    for _ in range(80):
        runner.run(rows(1), ["y:0"], None)
    before, inner.gate = len(inner.runs), threading.Event()
    first = threading.Thread(target=runner.run, args=(rows(0), ["y:0"], None))
    first.start()
    assert until(lambda: len(inner.runs) > before)
    rest = threading.Thread(target=together, args=(runner, [rows(i) for i in range(7)]))
    rest.start()
    assert until(lambda: queued(runner) == 7), "none of them runs alone"
    inner.gate.set()
    first.join()
    rest.join()
    assert len(inner.runs) - before < 8


def test_a_request_that_is_too_large_is_refused() -> None:
    [error] = together(batching(Doubling()), [rows(*range(9))])
    assert isinstance(error, ServingError)
    assert (error.code, error.text) == (
        Code.INVALID_ARGUMENT,
        "Task size 9 is larger than maximum input batch size 8",
    )


def test_large_requests_are_split_and_put_together_again() -> None:
    inner = Doubling()
    runner = batching(inner, max_batch_size=20, split=True, max_execution_size=4)
    [result] = together(runner, [rows(*range(10))])
    assert sorted(inner.runs) == [2, 4, 4]
    np.testing.assert_array_equal(result, np.arange(10) * 2)


def test_a_full_queue_is_unavailable() -> None:
    inner = Doubling(gate=threading.Event())
    runner = batching(inner, max_batch_size=1, max_enqueued_batches=2)
    holder = threading.Thread(target=runner.run, args=(rows(0), ["y:0"], None))
    holder.start()
    assert until(lambda: inner.runs)
    waiting = [threading.Thread(target=runner.run, args=(rows(0), ["y:0"], None)) for _ in range(2)]
    for thread in waiting:
        thread.start()
    assert until(lambda: queued(runner) == 2)
    with pytest.raises(ServingError) as caught:
        runner.run(rows(0), ["y:0"], None)
    inner.gate.set()
    for thread in (holder, *waiting):
        thread.join()
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.text == (
        "The batch scheduling queue to which this task was submitted is full; currently 2 batches enqueued and "
        "max_enqueued_batches is 2"
    )


def test_padding_to_allowed_sizes_is_cut_off_again() -> None:
    inner = Doubling()
    [result] = together(batching(inner, allowed_sizes=(4, 8)), [rows(1, 2, 3)])
    assert inner.runs == [4]
    np.testing.assert_array_equal(result, [2, 4, 6])


def test_an_error_reaches_every_request_of_the_batch() -> None:
    inner = Doubling(error=ServingError(Code.INVALID_ARGUMENT, "kernel"))
    results = together(batching(inner, timeout_seconds=0.2), [rows(1), rows(2)])
    assert [(e.code, e.text) for e in results] == [(Code.INVALID_ARGUMENT, "kernel")] * 2


@pytest.mark.parametrize(
    ("answer", "words"), [(np.float32(3), "has 0 dimensions"), (np.zeros(3), "0th dimension does")]
)
def test_outputs_must_have_a_row_for_each_input_row(answer: object, words: str) -> None:
    [error] = together(batching(Doubling(answer=answer)), [rows(1)])
    assert isinstance(error, ServingError)
    assert error.code is Code.FAILED_PRECONDITION
    assert words in error.text


def test_different_inner_shapes_fail_without_padding_and_fit_with_it() -> None:
    wide = [(X, np.full((1, 3), 7, np.float32))]
    narrow = [(X, np.full((1, 2), 5, np.float32))]
    settings = {"max_batch_size": 2, "timeout_seconds": LONG_SECONDS}
    results = together(batching(Doubling(), **settings), [wide, narrow])
    assert {error.code for error in results} == {Code.FAILED_PRECONDITION}
    inner = Doubling()
    results = together(batching(inner, **settings, pad_variable_length=True), [wide, narrow])
    assert inner.runs == [2]
    np.testing.assert_array_equal(results[0], [[14, 14, 14]])
    np.testing.assert_array_equal(results[1], [[10, 10, 10]])


def test_scalars_and_unequal_rows_cannot_be_batched() -> None:
    for feeds, words in (
        ([(X, np.array(1, np.float32))], "at least one dimension"),
        ([(X, np.zeros(1, np.float32)), (X, np.zeros(2, np.float32))], "equal 0th-dimension size"),
        ([], "at least one input tensor"),
    ):
        with pytest.raises(ServingError, match=words):
            batching(Doubling()).run(feeds, ["y:0"], None)


def test_the_latest_deadline_of_a_batch_counts() -> None:
    inner = Doubling()
    together(batching(inner, timeout_seconds=0.05), [rows(1)], timeout=500)
    together(batching(inner, timeout_seconds=0.05), [rows(1)], timeout=None)
    assert inner.timeouts[0] is not None
    assert 0 < inner.timeouts[0] <= 500
    assert inner.timeouts[1] is None
    inner = Doubling()
    for other, wanted in ((400.0, 500.0), (None, None)):
        runner = batching(inner, max_batch_size=2, timeout_seconds=LONG_SECONDS)
        both = [threading.Thread(target=runner.run, args=(rows(1), ["y:0"], timeout)) for timeout in (500.0, other)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert inner.runs[-1] == 2
        assert inner.timeouts[-1] is None if wanted is None else 400 < inner.timeouts[-1] <= 500
    [error] = together(batching(inner, timeout_seconds=0.05), [rows(1)], timeout=0.001)
    assert isinstance(error, ServingError)
    assert error.text == "Run() timeout exceeded while waiting in batching queue"


def test_merging_and_splitting_are_inverse() -> None:
    parts = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((1, 3), np.float32)]
    merged = batch_tensors.merge(parts, "x:0", pad=False, filler_rows=2)
    assert merged.shape == (5, 3)
    for part, again in zip(parts, batch_tensors.split(merged, [2, 1], 5), strict=True):
        np.testing.assert_array_equal(part, again)


def test_heavy_traffic_loses_nothing() -> None:
    inner = Doubling()
    runner = batching(inner, slots=2, timeout_seconds=0.001)
    wrong = []

    def ask(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(100):
            values = rng.integers(0, 1000, rng.integers(1, 5)).astype(np.float32)
            got = runner.run([(X, values)], ["y:0"], None)[0]
            if not np.array_equal(got, values * 2):
                wrong.append((values, got))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("error", [None, ServingError(Code.INVALID_ARGUMENT, "kernel")])
def test_a_request_leaves_nothing_for_the_garbage_collector(error: ServingError | None) -> None:
    """A server freezes the collector's older generations, and tensors are large."""
    runner = batching(Doubling(error=error), timeout_seconds=0.0)

    def ask() -> None:
        with contextlib.suppress(ServingError):
            runner.run(rows(1, 2), ["y:0"], None)

    ask()
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            ask()
        left = [found for found in gc.get_objects() if type(found).__name__ in ("BatchRequest", "_Task", "_Batch")]
        assert len(left) < 10
    finally:
        gc.enable()
