"""Ports of this machine that no other process is given meanwhile, as tests beside each other would be."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which nobody listens, until a server under test does.

    It is bound here, so the system gives it to nobody who asks for any free one. With ``SO_REUSEADDR``, which servers
    set, whoever is told its number may listen on it all the same.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]
