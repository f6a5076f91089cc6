"""Where the DAGs find the project: its root, its store, and the environment of a task.

Nothing here needs Airflow; the words "airflow" and "dag" keep its safe-mode discovery content.
"""

import os
import sys

from kilnworks.pipelines.core.store import Run, open_store
from kilnworks.schemas.places import ROOT_VARIABLE, STORE_VARIABLE, project_root, store_url, with_clone


def open_run(pipeline: str, run_id: str) -> Run:
    """The run of a DAG run, in the store."""
    return open_store().run(pipeline, run_id)


def environment() -> dict[str, str]:
    """What a process of ours needs beside the environment of Airflow itself."""
    return {
        **os.environ,
        STORE_VARIABLE: store_url(),
        ROOT_VARIABLE: str(project_root()),
        **with_clone(),
        "PYTHONUNBUFFERED": "1",
    }


def command(arguments: tuple[str, ...], executable: str | None = None) -> list[str]:
    """The command that a person would type."""
    return [executable or sys.executable, "-m", "kilnworks", *arguments]
