"""What a finished artifact says of its own files: sizes, hashes and times, by which damage is found later."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kilnworks.schemas.files import read_json

MANIFEST = "manifest.json"
"""An artifact is complete if and only if this file is there; it is written last."""


def load_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest of a finished artifact, None where there is none."""
    file = path / MANIFEST
    return dict(read_json(file)) if file.is_file() else None


def describe_files(root: Path) -> dict[str, dict[str, Any]]:
    """Relative path -> size, sha256 and modification time of every file below ``root``."""
    paths = sorted(p for p in root.rglob("*") if p.is_file() and p.name != MANIFEST)
    with ThreadPoolExecutor(max_workers=2) as pool:
        hashes = list(pool.map(sha256, paths))
    described = {}
    for path, digest in zip(paths, hashes, strict=True):
        stat = path.stat()
        described[path.relative_to(root).as_posix()] = {
            "size": stat.st_size,
            "sha256": digest,
            "mtime_ns": stat.st_mtime_ns,
        }
    return described


def damage(path: Path, manifest: dict[str, Any]) -> str | None:
    """What is wrong with the files of an artifact; None when they are whole.

    Size and modification time are compared first; where the time differs, the content is hashed.
    """
    for name, want in manifest["files"].items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        stat = file.stat()
        if stat.st_size != want["size"]:
            return f"{name} has {stat.st_size} bytes instead of {want['size']}"
        if stat.st_mtime_ns != want["mtime_ns"] and sha256(file) != want["sha256"]:
            return f"{name} has other content than when it was made"
    return None


def sha256(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
