"""Waiting for sockets, one event at a time: each socket reports once and is silent until it is armed again.

So that many threads may wait on one poller and each event wakes exactly one of them. Linux has epoll; macOS and the
BSDs have kqueue.
"""

import select
import sys

if sys.platform == "linux":

    class Poller:
        """epoll with one-shot events. Every method may be called from any thread."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._read = select.EPOLLIN | select.EPOLLONESHOT
            self._write = select.EPOLLOUT | select.EPOLLONESHOT

        def add(self, fd: int) -> None:
            """Watch a new socket for reading, once."""
            self._epoll.register(fd, self._read)

        def arm(self, fd: int, *, write: bool = False) -> None:
            """Watch a socket that has reported, for reading (or writing), once more."""
            self._epoll.modify(fd, self._write if write else self._read)

        def add_for_all(self, fd: int) -> None:
            """Watch ``fd`` for ever: once it is readable, every ``wait`` returns it."""
            self._epoll.register(fd, select.EPOLLIN)

        def wait(self, seconds: float | None = None) -> int | None:
            """A socket that is ready within ``seconds`` (None = without end); None when there is none."""
            found = self._epoll.poll(seconds, 1)
            return found[0][0] if found else None

        def close(self) -> None:
            """Free the poller."""
            self._epoll.close()

else:

    class Poller:
        """kqueue with one-shot events. Every method may be called from any thread."""

        def __init__(self) -> None:
            self._kqueue = select.kqueue()

        def add(self, fd: int) -> None:
            """Watch a new socket for reading, once."""
            self.arm(fd)

        def arm(self, fd: int, *, write: bool = False) -> None:
            """Watch a socket that has reported, for reading (or writing), once more."""
            kind = select.KQ_FILTER_WRITE if write else select.KQ_FILTER_READ
            self._kqueue.control([select.kevent(fd, kind, select.KQ_EV_ADD | select.KQ_EV_ONESHOT)], 0)

        def add_for_all(self, fd: int) -> None:
            """Watch ``fd`` for ever: once it is readable, every ``wait`` returns it."""
            self._kqueue.control([select.kevent(fd, select.KQ_FILTER_READ, select.KQ_EV_ADD)], 0)

        def wait(self, seconds: float | None = None) -> int | None:
            """A socket that is ready within ``seconds`` (None = without end); None when there is none."""
            found = self._kqueue.control(None, 1, seconds)
            return int(found[0].ident) if found else None

        def close(self) -> None:
            """Free the poller."""
            self._kqueue.close()
