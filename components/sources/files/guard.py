"""What a library says of bytes that it cannot read, as one of our errors.

Polars ends some readings of broken bytes with a panic, which is no ``Exception``, and ``click`` takes an ``EOFError``
for Ctrl-C: neither may leave a reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kilnworks.schemas.errors import DataUnreadable, KilnworksError

LONGEST = 200
"""Characters of a library's words that are shown."""


@contextmanager
def reading(where: object, wanted: str, fix: str = "write or copy the file again") -> Iterator[None]:
    """Turn every error of a library inside the block into ``DataUnreadable``; only calls of readers belong inside.

    Args:
        where: the file, for the message.
        wanted: what should have been there, e.g. ``a whole Parquet file``.
        fix: what to do.
    """
    import polars as pl

    try:
        yield
    except (KilnworksError, GeneratorExit):
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        raise DataUnreadable(f"{where}: {words(error)}", wanted, fix) from None


def words(error: BaseException) -> str:
    """The first line of what an error says, or its kind where it says nothing."""
    if isinstance(error, EOFError):
        return "it is cut off"
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.splitlines()[0][:LONGEST] if text else type(error).__name__
