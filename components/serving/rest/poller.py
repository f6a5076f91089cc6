"""Waiting for sockets, one event at a time: each socket reports once and is silent until it is armed again.

So that many threads may wait on one poller and each event wakes exactly one of them. Linux has epoll, which is used as
it is; macOS and the BSDs have kqueue, which gets the methods of epoll that the server needs.
"""

import select
import sys

if sys.platform == "linux":
    READ = select.EPOLLIN | select.EPOLLONESHOT
    WRITE = select.EPOLLOUT | select.EPOLLONESHOT
    ALWAYS = select.EPOLLIN  # reported by every poll, for as long as it can be read

    Poller = select.epoll

else:
    READ, WRITE, ALWAYS = 1, 2, 3

    class Poller:
        """kqueue with the methods of ``select.epoll``. Every method may be called from any thread."""

        def __init__(self) -> None:
            self._kqueue = select.kqueue()

        def register(self, fd: int, events: int) -> None:
            """Watch a socket for what it is armed for."""
            kind = select.KQ_FILTER_WRITE if events == WRITE else select.KQ_FILTER_READ
            once = 0 if events == ALWAYS else select.KQ_EV_ONESHOT
            self._kqueue.control([select.kevent(fd, kind, select.KQ_EV_ADD | once)], 0)

        modify = register

        def poll(self, seconds: float | None, most: int) -> list[tuple[int, int]]:
            """At most so many sockets that are ready within ``seconds`` (None = without end)."""
            return [(int(found.ident), 0) for found in self._kqueue.control(None, most, seconds)]

        def close(self) -> None:
            """Free the poller."""
            self._kqueue.close()
