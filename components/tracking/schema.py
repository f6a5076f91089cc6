"""The tables of MLflow's database, kept as SQL so that a new one is made in milliseconds.

Importing MLflow and migrating an empty database costs several CPU seconds, more than tracking itself. The SQL is what
MLflow made of an empty database; its first line names the MLflow version and the revision of the schema. After an
upgrade of MLflow: ``write_schema()``. A test compares the file with what the installed MLflow makes.
"""

import sqlite3
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kilnworks.schemas.files import write_text

FILE = Path(__file__).parent / "assets" / "mlflow_schema.sql"


@dataclass(frozen=True)
class Schema:
    """SQL that makes an empty database of one MLflow version; ``revision`` is Alembic's name for its tables."""

    mlflow: str
    revision: str
    sql: str


@cache
def read_schema() -> Schema:
    """The schema that is kept here."""
    text = FILE.read_text(encoding="utf-8")
    head = dict(part.split("=", 1) for part in text.partition("\n")[0].removeprefix("-- ").split())
    return Schema(head["mlflow"], head["revision"], text)


def revision(database: sqlite3.Connection) -> str | None:
    """Revision of the tables in a database; None where MLflow has made none yet."""
    known = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    row = database.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    return str(row[0]) if row else None


def statements(database: sqlite3.Connection) -> list[str]:
    """What makes the tables of a database and the rows that MLflow itself puts into them, without experiments."""
    made = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'trigger', type = 'index', name"
    found = [f"{sql};" for (sql,) in database.execute(made)]
    rows = [line for line in database.iterdump() if line.startswith("INSERT INTO") and '"experiments"' not in line]
    return [*found, *rows]


def write_schema(path: Path = FILE) -> None:
    """Have the installed MLflow make an empty database, and keep its tables as SQL. Imports MLflow: slow."""
    import mlflow
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with tempfile.TemporaryDirectory() as folder:
        SqlAlchemyStore(f"sqlite:///{folder}/empty.db", folder)
        with sqlite3.connect(f"{folder}/empty.db") as database:
            head = f"-- mlflow={mlflow.__version__} revision={revision(database)}"
            origin = (
                "-- Made by components/tracking/schema.py from the tables of MLflow (Apache-2.0); not edited by hand."
            )
            write_text(path, "\n".join([head, origin, *statements(database)]) + "\n")
