"""Why definitions make no DAG: noted by the file that reads them all, for the file that only shows it.

``STORE/definitions.json`` holds the reasons, and which files they are of; without Airflow, so that reading it is cheap.
The note saves work and nothing else: where it cannot be kept or read, whoever wants the reasons finds them anew.
"""

import logging
from pathlib import Path
from typing import Any

from kilnworks.pipelines.core.registry import files
from kilnworks.pipelines.core.store import open_store
from kilnworks.schemas.access import private_files
from kilnworks.schemas.files import read_json, write_json

Stamps = dict[str, list[int]]
"""Path of each definition -> when it was changed, in nanoseconds, and its bytes."""
LOG = logging.getLogger(__name__)


def stamps() -> Stamps:
    """Those of now; a file that has just gone is left out."""
    found: Stamps = {}
    for path in files().values():
        if path.is_file():
            stat = path.stat()
            found[str(path)] = [stat.st_mtime_ns, stat.st_size]
    return found


def note(seen: Stamps, reasons: dict[str, str]) -> None:
    """Keep the reasons, by name of the definition; empty where all of them load.

    Args:
        seen: stamps from before the definitions were read, so that what changed meanwhile counts as changed.
        reasons: why each of those that make no DAG makes none.
    """
    record = {"files": seen, "reasons": reasons}
    try:
        if _read() != record:
            with private_files():
                write_json(_path(), record)
    except OSError as error:
        LOG.warning("%s cannot be written, so the definitions are read twice at each parse: %s", _path(), error)


def noted() -> dict[str, str] | None:
    """The reasons; None where there is no note of the definitions as they are."""
    record = _read()
    return dict(record["reasons"]) if record.get("files") == stamps() else None


def _read() -> dict[str, Any]:
    """The note; empty where there is none, or none that can be read."""
    try:
        return dict(read_json(_path()))
    except (OSError, ValueError):
        return {}


def _path() -> Path:
    return open_store().root / "definitions.json"
