"""One thread waits for events, and another one as soon as it is busy for long."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from kilnworks.components.serving.batching import leader_followers
from kilnworks.components.serving.batching.leader_followers import LeaderFollowers
from tests.waiting import LONG_SECONDS, until

Event = Callable[[], None]


@dataclass
class Hall:
    """A workers that carries out functions from a queue, and notes which thread did."""

    events: "queue.Queue[Event | None]" = field(default_factory=queue.Queue)
    names: list[str] = field(default_factory=list)
    waiting: int = 0
    most_waiting: int = 0

    def wait(self) -> Event | None:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        event = self.events.get()
        self.waiting -= 1
        if event is None:
            self.events.put(None)
        return event

    def handle(self, event: Event | None) -> bool:
        if event is None:
            return False
        self.names.append(threading.current_thread().name)
        event()
        return True

    def do(self, event: Event, seconds: float = LONG_SECONDS) -> bool:
        """Have an event handled; whether it was within this time."""
        done = threading.Event()
        self.events.put(lambda: (event(), done.set()))
        return done.wait(seconds)


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def workers(hall: Hall) -> Iterator[LeaderFollowers]:
    workers = LeaderFollowers("workers", 4, hall.wait, hall.handle)
    yield workers
    hall.events.put(None)
    workers.join(LONG_SECONDS)
    assert not [thread for thread in (*workers._threads, workers._caretaker) if thread.is_alive()]


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine that takes the processor away for a while is no reason for another leader."""
    monkeypatch.setattr(leader_followers, "_LOOK_SECONDS", 1.0)


@pytest.mark.usefixtures("calm")
def test_short_events_stay_with_one_thread(hall: Hall, workers: LeaderFollowers) -> None:
    for _ in range(200):
        assert hall.do(lambda: None)
    assert set(hall.names) == {"workers-0"}
    assert until(lambda: not workers.handles)


@pytest.mark.usefixtures("calm")
def test_work_announced_as_long_is_done_beside_the_next_events(hall: Hall, workers: LeaderFollowers) -> None:
    gate, over = threading.Event(), threading.Event()

    def long() -> None:
        workers.step_back()
        gate.wait(3 * LONG_SECONDS)
        over.set()

    hall.events.put(long)
    assert all(hall.do(lambda: None) for _ in range(20))
    assert not over.is_set()
    assert workers.handles
    assert set(hall.names[1:]) == {"workers-1"}
    gate.set()


def test_a_leader_that_is_busy_unannounced_is_relieved(hall: Hall, workers: LeaderFollowers) -> None:
    gate = threading.Event()
    for _ in range(3):
        hall.events.put(lambda: gate.wait(3 * LONG_SECONDS))
    assert hall.do(lambda: None), "three of four threads are stuck"
    assert len(set(hall.names)) == 4
    gate.set()


def test_the_caretaker_wakes_for_the_first_event_after_a_rest(hall: Hall, workers: LeaderFollowers) -> None:
    gate = threading.Event()
    for _ in range(3):
        assert until(lambda: workers._caretaker_sleeps)
        gate.clear()
        hall.events.put(lambda: gate.wait(3 * LONG_SECONDS))
        assert hall.do(lambda: None)
        gate.set()


def test_all_threads_busy_and_one_of_them_free_again(hall: Hall, workers: LeaderFollowers) -> None:
    gates = [threading.Event() for _ in range(4)]
    for gate in gates:
        hall.events.put(lambda gate=gate: gate.wait(3 * LONG_SECONDS))
    assert not hall.do(lambda: None, 0.3), "there are no more than four threads"
    gates[2].set()
    assert hall.do(lambda: None)
    for gate in gates:
        gate.set()


@pytest.mark.usefixtures("calm")
def test_one_thread_waits_at_a_time(hall: Hall, workers: LeaderFollowers) -> None:
    def long_now_and_then(number: int) -> None:
        if number % 7 == 0:
            workers.step_back()
            time.sleep(0.002)

    for number in range(300):
        hall.events.put(lambda number=number: long_now_and_then(number))
    assert hall.do(lambda: None)
    assert hall.most_waiting == 1
    assert len(hall.names) == 301


@pytest.mark.usefixtures("calm")
def test_an_error_ends_neither_the_thread_nor_its_lead(
    hall: Hall, workers: LeaderFollowers, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        hall.events.put(lambda: 1 / 0)
    assert hall.do(lambda: None)
    assert set(hall.names) == {"workers-0"}
    assert "division by zero" in caplog.text


def test_a_thread_that_cannot_be_started_is_started_later(
    hall: Hall, workers: LeaderFollowers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    gate = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert hall.do(workers.step_back), "and the thread leads again when it has ended its work"
        assert hall.do(lambda: None)
    hall.events.put(lambda: (workers.step_back(), gate.wait(3 * LONG_SECONDS)))
    assert hall.do(lambda: None)
    gate.set()
    assert "can't start new thread" in caplog.text


@pytest.mark.usefixtures("calm")
def test_whoever_steps_back_says_so_when_nobody_can_follow(hall: Hall) -> None:
    alone = threading.Event()
    workers = LeaderFollowers("workers", 1, hall.wait, hall.handle, alone.set)
    assert hall.do(lambda: None)
    assert not alone.is_set()
    assert hall.do(workers.step_back)
    assert alone.is_set()
    assert hall.do(lambda: None)
    hall.events.put(None)
    workers.join(LONG_SECONDS)


@pytest.mark.usefixtures("calm")
def test_a_thread_knows_whether_it_leads(hall: Hall, workers: LeaderFollowers) -> None:
    found: list[bool] = []
    assert hall.do(lambda: (found.append(workers.leads), workers.step_back(), found.append(workers.leads)))
    assert found == [True, False]
    assert not workers.leads


@pytest.mark.usefixtures("calm")
def test_a_thread_that_is_not_one_of_them_changes_no_leader(hall: Hall, workers: LeaderFollowers) -> None:
    assert hall.do(lambda: None)
    workers.step_back()
    assert hall.do(lambda: None)
    assert hall.names == ["workers-0", "workers-0"]
    assert len(workers._threads) == 1
