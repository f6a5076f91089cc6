"""Which thread runs which batch, and when."""

import threading
import time
from dataclasses import dataclass, field

import pytest

from kilnworks.components.serving.batching import scheduler as scheduling
from kilnworks.components.serving.batching.scheduler import _COLLECT_SECONDS, BatchScheduler
from tests.waiting import LONG_SECONDS, until


@dataclass
class Work:
    """Notes who ran it; may wait in its run."""

    gate: threading.Event | None = None
    done: threading.Event = field(default_factory=threading.Event)
    ran_in: str = ""
    thread: threading.Thread | None = None
    timed_out: bool | None = None
    begun: float = 0.0
    ended: float = 0.0

    def taken(self, timed_out: bool) -> None:
        self.timed_out, self.begun = timed_out, time.monotonic()

    def run(self, step_back: object) -> None:
        self.thread = threading.current_thread()
        self.ran_in = self.thread.name
        if self.gate is not None:
            assert self.gate.wait(LONG_SECONDS)
        self.ended = time.monotonic()
        self.done.set()


def add(scheduler: BatchScheduler, work: Work, wait_seconds: float = 0.0, model: str = "") -> object:
    with scheduler.lock:
        return scheduler.add(work, wait_seconds, model)


HERE = threading.current_thread().name


def test_collected_batches_run_in_the_thread_that_finds_nothing_more() -> None:
    scheduler, first, second = BatchScheduler(), Work(), Work()
    add(scheduler, first)
    add(scheduler, second)
    assert scheduler.collected
    assert not first.done.is_set()
    scheduler.run_here()
    assert (first.ran_in, second.ran_in) == (HERE, HERE)
    assert not (scheduler.collected or scheduler.due)


def test_a_batch_does_not_wait_for_ever_for_requests_at_hand() -> None:
    scheduler, work = BatchScheduler(), Work()
    before = time.monotonic()
    add(scheduler, work)
    assert not scheduler.due or time.monotonic() - before > _COLLECT_SECONDS
    assert until(lambda: scheduler.due)


def test_a_caller_that_blocks_has_its_batch_run_by_a_batch_thread() -> None:
    scheduler, work = BatchScheduler(), Work()
    add(scheduler, work)
    scheduler.run_elsewhere()
    assert work.done.wait(LONG_SECONDS)
    assert work.ran_in.startswith("batch-")


def test_a_timed_batch_runs_when_its_time_is_over_and_says_so() -> None:
    scheduler, work = BatchScheduler(), Work()
    started = time.monotonic()
    add(scheduler, work, 0.1)
    assert not scheduler.collected
    assert work.done.wait(LONG_SECONDS)
    assert time.monotonic() - started >= 0.1
    assert work.timed_out is True


def test_a_timed_batch_that_is_full_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, work = BatchScheduler(), Work()
    monkeypatch.setattr(scheduler, "_call_thread", lambda: None)  # a batch thread may be faster than this one
    entry = add(scheduler, work, 3600)
    with scheduler.lock:
        scheduler.make_ready(entry)
    scheduler.run_here()
    assert work.ran_in == HERE
    assert work.timed_out is False


def test_the_earlier_of_two_times_comes_first() -> None:
    scheduler, late, early = BatchScheduler(), Work(), Work()
    with scheduler.lock:
        scheduler.add(late, 0.4)
        scheduler.add(early, 0.05)
    assert early.done.wait(LONG_SECONDS) and late.done.wait(LONG_SECONDS)
    assert early.ended < late.ended


def test_times_are_looked_at_while_a_timed_batch_runs() -> None:
    gate = threading.Event()
    scheduler, first, second = BatchScheduler(2), Work(gate), Work()
    add(scheduler, first, 0.05)
    add(scheduler, second, 0.1)
    assert second.done.wait(LONG_SECONDS)
    assert not first.done.is_set()
    gate.set()
    assert first.done.wait(LONG_SECONDS)


def test_no_more_batches_of_a_model_run_at_a_time_than_asked_for() -> None:
    gate = threading.Event()
    scheduler, held, next_one = BatchScheduler(1), Work(gate), Work()
    add(scheduler, held)
    scheduler.run_elsewhere()
    assert until(lambda: held.ran_in)
    add(scheduler, next_one)
    scheduler.run_here()
    time.sleep(0.05)
    assert not scheduler.due, "there is nothing that another thread could run"
    assert not next_one.ran_in
    gate.set()
    assert next_one.done.wait(LONG_SECONDS)
    assert next_one.ran_in == held.ran_in, "who ends a batch takes the next"


@pytest.mark.parametrize("wait_seconds", [0.0, 0.01], ids=["at hand", "timed"])
def test_a_model_whose_batches_never_end_holds_no_thread_of_another(wait_seconds: float) -> None:
    gate = threading.Event()
    scheduler, endless = BatchScheduler(2), [Work(gate) for _ in range(5)]
    for work in endless:
        add(scheduler, work, wait_seconds, "endless")
    scheduler.run_elsewhere()
    assert until(lambda: sum(bool(work.ran_in) for work in endless) == 2)
    others = [Work() for _ in range(3)]
    for number, work in enumerate(others):
        add(scheduler, work, wait_seconds, f"m{number}")
    scheduler.run_elsewhere()
    assert all(work.done.wait(LONG_SECONDS) for work in others)
    assert sum(bool(work.ran_in) for work in endless) == 2
    gate.set()
    assert all(work.done.wait(LONG_SECONDS) for work in endless)
    begun = [work.begun for work in endless[2:]]
    assert begun == sorted(begun), "in order"
    assert until(lambda: not scheduler._placed and not scheduler._held)


def test_batches_that_one_thread_cannot_run_at_once_are_run_beside_it() -> None:
    gate = threading.Event()
    scheduler, works = BatchScheduler(2), [Work(gate), Work()]
    for work in works:
        add(scheduler, work)
    thread = threading.Thread(target=scheduler.run_here, name="mine")
    thread.start()
    assert works[1].done.wait(LONG_SECONDS)
    gate.set()
    thread.join(LONG_SECONDS)
    assert [works[0].ran_in, works[1].ran_in[:6]] == ["mine", "batch-"]


def test_idle_batch_threads_end_and_start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_IDLE_SECONDS", 0.2)
    scheduler = BatchScheduler(2)
    for _ in range(2):
        work = Work()
        add(scheduler, work)
        scheduler.run_elsewhere()
        assert work.done.wait(LONG_SECONDS)
        assert work.thread is not None
        work.thread.join(LONG_SECONDS)
        assert not work.thread.is_alive()
        assert scheduler._threads == 0


def test_a_batch_thread_that_cannot_be_started_is_started_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    scheduler, first, second = BatchScheduler(), Work(), Work()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        add(scheduler, first, 0.01)
    add(scheduler, second, 0.01)
    assert first.done.wait(LONG_SECONDS)
    assert second.done.wait(LONG_SECONDS)
    assert "can't start new thread" in caplog.text


def test_a_time_that_never_comes_does_not_stop_the_others() -> None:
    scheduler, never, soon = BatchScheduler(), Work(), Work()
    add(scheduler, never, threading.TIMEOUT_MAX * 2)
    add(scheduler, soon, 0.01)
    assert soon.done.wait(LONG_SECONDS)
    assert not never.done.is_set()
    with scheduler.lock:
        scheduler._timed.clear()  # so that its thread ends
