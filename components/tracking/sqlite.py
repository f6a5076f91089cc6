"""A run written straight into an MLflow database in a SQLite file, without importing MLflow.

Everything happens in one transaction of the revision that ``schema`` knows; a database of another revision is left to
MLflow's own client (``WrongRevision``). Tracking a run again replaces what it had.
"""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kilnworks.components.tracking.collect import ALIAS, PATH_TAG, TrackedRun, Version
from kilnworks.components.tracking.schema import read_schema, revision
from kilnworks.schemas.files import write_text

BUSY_SECONDS = 5.0
"""How long another writer is waited for."""


class WrongRevision(Exception):
    """The database was made by another version of MLflow."""


def write_run(run: TrackedRun, database: Path, artifacts: Path) -> str:
    """Write ``run`` into ``database``, made if need be.

    Args:
        run: what to write.
        database: the SQLite file.
        artifacts: directory below which the files of experiments that are new lie.

    Returns:
        MLflow's id of the run: the same for the same pipeline and run id.

    Raises:
        WrongRevision: nothing was written.
        sqlite3.Error, OSError: locked for too long, read-only, full or damaged.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        with _transaction(connection):
            _prepare(connection, artifacts)
            experiment, location = _experiment(connection, run, artifacts)
            run_id, folder = _run(connection, run, experiment, location)
            _values(connection, run, run_id)
            _model(connection, run, run_id)
        _files(run, folder)
    return run_id


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection, artifacts: Path) -> None:
    """Make the tables of an empty database; refuse those of another revision."""
    schema, found = read_schema(), revision(connection)
    if found is None:
        for statement in _split(schema.sql):
            connection.execute(statement)
        values = (0, "Default", str(artifacts / "Default"), "active", 0, 0)
        columns = "experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time"
        connection.execute(f"INSERT INTO experiments ({columns}) VALUES (?, ?, ?, ?, ?, ?)", values)
    elif found != schema.revision:
        raise WrongRevision(f"the database has revision {found}, this version writes {schema.revision}")


def _split(sql: str) -> Iterator[str]:
    """The statements of a script, one by one, so that they stay inside the transaction."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _experiment(connection: sqlite3.Connection, run: TrackedRun, artifacts: Path) -> tuple[int, str]:
    """Number and artifact location of the pipeline's experiment; revived where it had been deleted."""
    found = connection.execute(
        "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments "
        "WHERE name = ? AND workspace = 'default'",
        (run.experiment,),
    ).fetchone()
    if found is None:
        location = str(artifacts / run.experiment)
        connection.execute(
            "INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time) "
            "VALUES (?, ?, 'active', ?, ?)",
            (run.experiment, location, run.started, run.started),
        )
        return int(connection.execute("SELECT last_insert_rowid()").fetchone()[0]), location
    if found[2] != "active":
        connection.execute("UPDATE experiments SET lifecycle_stage = 'active' WHERE experiment_id = ?", (found[0],))
    return int(found[0]), str(found[1])


def _run(connection: sqlite3.Connection, run: TrackedRun, experiment: int, location: str) -> tuple[str, Path]:
    """MLflow's id of the run and the directory of its artifacts."""
    run_id = hashlib.sha256(f"{run.experiment}\0{run.name}".encode()).hexdigest()[:32]
    folder = Path(location.removeprefix("file://")) / run_id / "artifacts"
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, "
        "end_time, source_version, lifecycle_stage, artifact_uri, experiment_id) "
        "VALUES (?, ?, 'LOCAL', '', '', ?, ?, ?, ?, '', 'active', ?, ?) "
        "ON CONFLICT (run_uuid) DO UPDATE SET status = excluded.status, start_time = excluded.start_time, "
        "end_time = excluded.end_time, lifecycle_stage = 'active', deleted_time = NULL",
        (run_id, run.name, os.environ.get("USER", ""), run.status, run.started, run.ended, str(folder), experiment),
    )
    return run_id, folder


def _values(connection: sqlite3.Connection, run: TrackedRun, run_id: str) -> None:
    """Parameters, tags and metrics, in place of those that the run had."""
    for table in ("params", "tags", "metrics", "latest_metrics"):
        connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run_id,))
    tags = {"mlflow.runName": run.name, **run.tags}
    for table, pairs in (("params", run.params), ("tags", tags)):
        rows = [(name, value, run_id) for name, value in pairs.items()]
        connection.executemany(f"INSERT INTO {table} (key, value, run_uuid) VALUES (?, ?, ?)", rows)
    metrics = [(m.key, m.value, m.timestamp, run_id, m.step) for m in run.metrics]
    latest = {m.key: (m.key, m.value, m.timestamp, run_id, m.step) for m in sorted(run.metrics, key=lambda m: m.step)}
    for table, rows_of in (("metrics", metrics), ("latest_metrics", list(latest.values()))):
        connection.executemany(
            f"INSERT OR REPLACE INTO {table} (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)",
            rows_of,
        )


def _model(connection: sqlite3.Connection, run: TrackedRun, run_id: str) -> None:
    """Register the version that the run published, once, and let the alias follow the live model."""
    at = run.ended or run.started
    if run.version is not None and _version_at(connection, run.version.source) is None:
        _register(connection, run.version, run_id, at)
    live = _version_at(connection, run.champion)
    if live is not None:
        connection.execute(
            "INSERT INTO registered_model_aliases (alias, name, version) VALUES (?, ?, ?) "
            "ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version",
            (ALIAS, *live),
        )


def _version_at(connection: sqlite3.Connection, path: str) -> tuple[str, int] | None:
    """Name and number of the model version that is served from ``path``."""
    asked = "SELECT name, version FROM model_version_tags WHERE key = ? AND value = ? AND workspace = 'default'"
    found = connection.execute(asked, (PATH_TAG, path)).fetchone()
    return (str(found[0]), int(found[1])) if found else None


def _register(connection: sqlite3.Connection, version: Version, run_id: str, at: int) -> None:
    """A model version for a published directory; its number is that of the directory where it is free."""
    connection.execute(
        "INSERT INTO registered_models (name, creation_time, last_updated_time) VALUES (?, ?, ?) "
        "ON CONFLICT (workspace, name) DO UPDATE SET last_updated_time = excluded.last_updated_time",
        (version.model, at, at),
    )
    asked = "SELECT version FROM model_versions WHERE name = ? AND workspace = 'default'"
    taken = [number for (number,) in connection.execute(asked, (version.model,))]
    number = version.number if version.number not in taken else max(taken) + 1
    connection.execute(
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, current_stage, source, run_id, "
        "status, storage_location) VALUES (?, ?, ?, ?, 'None', ?, ?, 'READY', ?)",
        (version.model, number, at, at, version.source, run_id, version.source),
    )
    connection.execute(
        "INSERT INTO model_version_tags (key, value, name, version) VALUES (?, ?, ?, ?)",
        (PATH_TAG, version.source, version.model, number),
    )


def _files(run: TrackedRun, folder: Path) -> None:
    """The artifacts, in place of those that the run had."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in run.artifacts.items():
        write_text(folder / name, content.decode("utf-8"))
