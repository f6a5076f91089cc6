"""Writing small files so that a reader sees the old content or the new, never half of it."""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace ``path`` in one rename; with ``durable`` the content survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with scratch.open("w", encoding="utf-8") as f:
            f.write(text)
            if durable:
                f.flush()
                os.fsync(f.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    if durable:
        sync_directory(path.parent)


def write_json(path: Path, value: Any, *, durable: bool = False) -> None:
    """``write_text`` of ``value`` as indented JSON; NaN is refused because it is not JSON."""
    write_text(path, json.dumps(value, indent=2, default=str, allow_nan=False) + "\n", durable=durable)


PATTERNS = frozenset("*?[]{}\\")
"""Characters of a path that TensorFlow takes for a pattern when it looks for the variables of a model."""


@contextmanager
def plainly_named(folder: Path) -> Iterator[Path]:
    """The folder; where a character of its path is a pattern to TensorFlow, a link to it without one, for the block."""
    if not PATTERNS & set(str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory() as place:
        link = Path(place) / "linked"
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield link


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Hard-link a file; copy it with its times where the file system cannot link.

    Raises ``FileExistsError`` where ``target`` is there: it may be the same file under another name.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        shutil.copy2(source, target)


def read_json(path: Path) -> Any:
    """The value in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def sync_directory(path: Path) -> None:
    """Make renames inside ``path`` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
