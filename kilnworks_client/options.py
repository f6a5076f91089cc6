"""How a client behaves: time, retries, trust."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kilnworks_client.retry import Policy


@dataclass(frozen=True)
class Tls:
    """How to trust the server and be trusted: PEM bytes; None = the system's roots, and no certificate of ours."""

    roots: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = None


@dataclass(frozen=True)
class Options:
    """How a client behaves.

    Attributes:
        timeout_seconds: for one call with all its retries.
        retry: when a call is tried again.
        tls: None = plain text; for ``https://`` the system's roots.
        token: sent as ``authorization: Bearer TOKEN`` to a server that has a callers file; None = none.
        clock: seconds that only grow; handed in by tests.
        chance: where the jitter comes from.
    """

    timeout_seconds: float = 30.0
    retry: Policy = field(default_factory=Policy)
    tls: Tls | None = None
    token: str | None = field(default=None, repr=False)
    clock: Callable[[], float] = time.monotonic
    chance: random.Random = field(default_factory=random.Random)
