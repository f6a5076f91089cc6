"""Which database ``make airflow`` takes, and why: PostgreSQL wherever it can be started, for Airflow needs it."""

from dataclasses import dataclass
from pathlib import Path

from scripts.airflow.postgres import Postgres, why_not

SQLITE = "sqlite"
NO_BACKFILLS = "backfills need PostgreSQL"
"""Airflow answers 503 to them on SQLite, which lets one process write at a time."""


@dataclass(frozen=True)
class Choice:
    """A database.

    Attributes:
        said: which it is and why, in one line.
        given: its SQLAlchemy URL where somebody gave one.
        server: to be started first; None where there is nothing to start.
    """

    said: str
    given: str | None = None
    server: Postgres | None = None

    def start(self) -> str | None:
        """Start what has to be; returns the URL, None for SQLite in Airflow's home. Raises ``StartFailed``."""
        if self.server is None:
            return self.given
        self.server.start()
        return self.server.url

    def stop(self) -> None:
        """End what was started."""
        if self.server is not None:
            self.server.stop()


def choose(given: str | None, home: Path, holds: tuple[int, ...] = (), reason: str | None = None) -> Choice:
    """The database for an Airflow.

    Args:
        given: a SQLAlchemy URL, or ``sqlite`` for a file in ``home``; None: PostgreSQL where it can be started.
        home: Airflow's folder; the data lie there and are found again by the next start.
        holds: descriptors that the server holds open until it has ended.
        reason: why PostgreSQL cannot be started, empty where it can; None: looked up.
    """
    file = home / "airflow.db"
    if given == SQLITE:
        return Choice(f"SQLite, as asked ({file}); {NO_BACKFILLS}")
    if given is not None:
        limit = f"; {NO_BACKFILLS}" if given.startswith(SQLITE) else ""
        return Choice(f"{given.partition(':')[0]}, as asked{limit}", given=given)
    reason = why_not() if reason is None else reason
    if reason:
        return Choice(f"SQLite ({file}), because there is {reason}; {NO_BACKFILLS}")
    server = Postgres(home / "postgres", holds=holds)
    before = f"; what ran on SQLite is still in {file}: --database {SQLITE}" if file.is_file() else ""
    return Choice(f"PostgreSQL, which is installed here; its data stay in {server.folder}{before}", server=server)
