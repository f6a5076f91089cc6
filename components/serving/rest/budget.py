"""Bytes of large bodies, counted over all connections together."""

import threading


class BodyBudget:
    """Bytes that all connections together may hold."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Reserve ``size`` bytes; False when that would be too many."""
        with self._lock:
            if self.used + size > self.limit:
                return False
            self.used += size
            return True

    def give(self, size: int) -> None:
        """Return what was taken."""
        with self._lock:
            self.used -= size


class Share:
    """What one request holds of the budget, from the first piece of its body until it is answered.

    Used by one thread at a time.
    """

    __slots__ = ("_budget", "taken")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget, self.taken = budget, 0

    def take(self, size: int) -> bool:
        """Reserve ``size`` more bytes; False when all connections together would hold too many."""
        if not self._budget.take(size):
            return False
        self.taken += size
        return True

    def give_back(self) -> None:
        """Return everything. A second call does nothing."""
        if self.taken:
            self._budget.give(self.taken)
            self.taken = 0
