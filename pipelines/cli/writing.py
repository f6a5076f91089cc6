"""Files that a person asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import write_text


def write_asked(path: Path, text: str, *, durable: bool = False) -> None:
    """``write_text``. Raises ``ConfigError`` where the file cannot be written; nothing is left of it."""
    with writable(path):
        write_text(path, text, durable=durable)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn what the operating system says about writing ``path`` into a ``ConfigError``."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}", "a place that can be written", "choose another"
        ) from error
