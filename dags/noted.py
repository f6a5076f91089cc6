"""Why definitions make no DAG: noted by the file that reads them all, for the file that only shows it.

``STORE/definitions.json`` holds the reasons, and which files they are of; without Airflow, so that reading it is cheap.
"""

from pathlib import Path
from typing import Any

from pipelines.core.registry import files
from pipelines.core.store import open_store
from schemas.files import read_json, write_json


def note(reasons: dict[str, str]) -> None:
    """Keep the reasons, by name of the definition; empty where all of them load."""
    record = {"files": _files(), "reasons": reasons}
    if _read() != record:
        write_json(_path(), record)


def noted() -> dict[str, str] | None:
    """The reasons; None where a definition has changed since they were noted."""
    record = _read()
    return dict(record["reasons"]) if record.get("files") == _files() else None


def _read() -> dict[str, Any]:
    return dict(read_json(_path())) if _path().is_file() else {}


def _path() -> Path:
    return open_store().root / "definitions.json"


def _files() -> dict[str, list[int]]:
    """Path of each definition -> when it was changed, in nanoseconds, and its bytes."""
    stats = {str(path): path.stat() for path in files().values()}
    return {path: [stat.st_mtime_ns, stat.st_size] for path, stat in stats.items()}
