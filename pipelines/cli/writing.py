"""Files that a person asked for."""

import glob
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import write_text

if TYPE_CHECKING:
    from kilnworks.schemas.contract import Contract


def write_asked(path: Path, text: str, *, durable: bool = False) -> None:
    """``write_text``. Raises ``ConfigError`` where the file cannot be written; nothing is left of it."""
    with writable(path):
        write_text(path, text, durable=durable)


def write_contract(path: Path, contract: "Contract", *, durable: bool = False) -> None:
    """Write a contract for people, and what only programs read of it in a file beside it, whose name holds its hash.

    The statistics are there before the contract that names them; those of an earlier one go afterwards. Raises
    ``ConfigError`` where nothing can be written.
    """
    from kilnworks.schemas.contract import dump_contract
    from kilnworks.schemas.reference import SUFFIX

    reference = contract.reference
    if reference is None or not reference.sketch or (path.exists() and not path.is_file()):
        write_asked(path, dump_contract(contract), durable=durable)
        return
    named, name, content = reference.apart(path.stem)
    write_asked(path.with_name(name), content, durable=durable)
    write_asked(path, dump_contract(contract.model_copy(update={"reference": named})), durable=durable)
    for other in path.parent.glob(f"{glob.escape(path.stem)}-*{SUFFIX}"):
        if other.name != name and re.fullmatch(r"[0-9a-f]{8}", other.stem.removeprefix(f"{path.stem}-")):
            other.unlink(missing_ok=True)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn what the operating system says about writing ``path`` into a ``ConfigError``."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}", "a place that can be written", "choose another"
        ) from error
