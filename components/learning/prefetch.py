"""Makes the next items in a thread of its own while the caller works on the last one.

A generator inside ``tf.data`` would do the same, but not end well: where the interpreter finishes while such an
iterator is alive (training that diverged, stopped early or was interrupted), TensorFlow waits for a thread that waits
for Python, for ever. This thread ends with the ``with`` block.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Prefetch(Iterator[Item], Generic[Item]):
    """The items in their order; an error in making one is raised where that one would have come.

    ::

        with Prefetch(feed.blocks(range(3), 32)) as blocks:
            first = next(blocks)
    """

    def __init__(self, items: Iterable[Item], count: int = 2) -> None:
        """``count``: items that may lie ready, at least 1."""
        self._items, self._count = items, count
        self._ready: deque[Item] = deque()
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._make, name="prefetch", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; waits for the item that is being made."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def __next__(self) -> Item:
        """The next item, as soon as there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended)
            if self._ready:
                self._changed.notify_all()
                return self._ready.popleft()
        raise self._error or StopIteration

    def _make(self) -> None:
        try:
            for item in self._items:
                if not self._offer(item):
                    return
        except BaseException as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _offer(self, item: Item) -> bool:
        """Wait for room; whether the item is still wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._ready) < self._count)
            self._ready.append(item)
            self._changed.notify_all()
            return not self._closed
