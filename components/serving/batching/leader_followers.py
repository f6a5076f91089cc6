"""Threads of which one at a time waits for events and handles them itself: the Leader/Followers pattern.

(Schmidt, O'Ryan, Kircher, Pyarali, Buschmann: Leader/Followers, 2000.) As long as events are short no thread ever hands
anything to another, and none competes with another for the interpreter's lock. Before work that takes long the leader
steps back, and a follower leads; a caretaker relieves a leader that is busy for longer than anyone had expected.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Event = TypeVar("Event")

_LOG = logging.getLogger(__name__)

_LOOK_SECONDS = 0.01
"""A leader that is busy with one event for so long, or for twice as long, is relieved."""


class LeaderFollowers(Generic[Event]):
    """Threads that handle events until one says that it is the last.

    Args:
        name: of the threads.
        most: threads at most.
        wait: blocks until there is an event. Called by one thread at a time, seldom by two.
        handle: False = it was the last event: every thread ends. An error is logged.
        nobody_leads: called when the leader steps back and all other threads are busy.
    """

    def __init__(
        self,
        name: str,
        most: int,
        wait: Callable[[], Event],
        handle: Callable[[Event], bool],
        nobody_leads: Callable[[], None] = lambda: None,
    ) -> None:
        self._name, self._most, self._wait, self._handle = name, most, wait, handle
        self._nobody_leads = nobody_leads
        self._lock = threading.Lock()
        self._lead = threading.Lock()
        self._leader: int | None = None
        self._parked = 0
        self._turns: list[int] = []  # of each thread, written by it alone: odd while it handles an event
        self._threads: list[threading.Thread] = []
        self._ended = False
        self._care = threading.Semaphore(0)
        self._caretaker_sleeps = False
        with self._lock:
            self._add_thread()
        self._caretaker = threading.Thread(target=self._take_care, name=f"{name}-caretaker", daemon=True)
        self._caretaker.start()

    @property
    def handles(self) -> bool:
        """Whether any thread handles an event."""
        return any(turn % 2 for turn in self._turns)

    @property
    def leads(self) -> bool:
        """Whether this thread will wait for the next event; False in a thread that is none of them."""
        leader = self._leader
        return leader is not None and self._threads[leader].ident == threading.get_ident()

    def step_back(self) -> None:
        """If this thread leads, let another one wait for events: called before work that may be long."""
        leader = self._leader
        if leader is not None and self._threads[leader].ident == threading.get_ident():
            self._relieve(leader)

    def join(self, seconds: float) -> None:
        """Wait for the threads' end, each at most so long."""
        self._caretaker.join(seconds)  # it may still have added one
        for thread in self._threads:
            thread.join(seconds)

    def _add_thread(self) -> None:
        """Start a follower, with the lock. Raises RuntimeError when the system gives no further thread."""
        number = len(self._threads)
        thread = threading.Thread(target=self._work, args=(number,), name=f"{self._name}-{number}", daemon=True)
        self._turns.append(0)
        try:
            thread.start()
        except RuntimeError:
            self._turns.pop()
            raise
        self._threads.append(thread)
        self._parked += 1

    def _work(self, number: int) -> None:
        """A thread's life."""
        turns, wait = self._turns, self._wait
        going_on = True
        self._become_leader(number)
        while going_on:
            event = wait()
            turns[number] += 1
            if self._caretaker_sleeps:
                self._caretaker_sleeps = False
                self._care.release()
            try:
                going_on = self._handle(event)
            except Exception:
                _LOG.exception("%s: handling an event", self._name)
            del event
            turns[number] += 1
            if self._leader != number and going_on:
                with self._lock:
                    self._parked += 1
                self._become_leader(number)
        self._ended = True
        self._care.release()
        self._relieve(number)

    def _become_leader(self, number: int) -> None:
        """Follow until nobody leads."""
        self._lead.acquire()
        with self._lock:
            self._parked -= 1
            self._leader = number

    def _relieve(self, number: int, turn: int | None = None) -> None:
        """If that thread leads (and is still at this turn), have another one lead."""
        with self._lock:
            if self._leader != number or turn not in (None, self._turns[number]):
                return
            if not (self._parked or self._ended) and len(self._threads) < self._most:
                try:
                    self._add_thread()
                except RuntimeError as error:
                    _LOG.error("%s: no further thread: %s", self._name, error)
            followed = self._parked > 0
            self._leader = None
        self._lead.release()
        if not followed:
            self._nobody_leads()

    def _take_care(self) -> None:
        """The caretaker's life: asleep while the leader waits for events."""
        while not self._ended:
            self._caretaker_sleeps = True  # before the look at the turn: an event that comes now is not missed
            leader = self._leader
            if leader is not None and self._turns[leader] % 2 == 0 and not self._ended:
                self._care.acquire()
            self._caretaker_sleeps = False
            leader = self._leader
            turn = 0 if leader is None else self._turns[leader]
            time.sleep(_LOOK_SECONDS)
            if leader is not None and turn % 2 and turn == self._turns[leader]:
                self._relieve(leader, turn)
