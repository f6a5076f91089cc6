"""Writing small files so that a reader sees the old content or the new, never half of it."""

import json
import os
import uuid
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
