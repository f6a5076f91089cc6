"""Airflow on this machine with our DAGs, plugin, pools and connections: what ``make airflow`` runs.

Its database, passwords, port and logs lie under the store; the next start goes on with them. Ctrl-C ends it cleanly.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from kilnworks.schemas.places import ROOT_VARIABLE, is_remote, project_root, store_folder, store_url
from scripts.airflow.database import choose
from scripts.airflow.home import alone, settled_port
from scripts.airflow.processes import ROOT, Airflow, StartFailed

LAST_PORT = 65_535


def main() -> int:
    """Start, say where it is, wait for Ctrl-C; exit code 1 when a part of it cannot start or dies."""
    given = _arguments()
    os.environ.setdefault(ROOT_VARIABLE, str(ROOT))
    url, project = store_url(given.store), project_root()
    if is_remote(url):
        _say(f"the store {url} is no folder; Airflow's database and logs lie under the store: give --store FOLDER")
        return 2
    store = store_folder(url)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with alone(store / "airflow") as lock:
            return _run(given, store, project, lock)
    except StartFailed as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("\nAirflow ends")
        return 0


def _run(given: argparse.Namespace, store: Path, project: Path, lock: int) -> int:
    """Run everything until a part of it dies (``StartFailed``) or somebody ends it (``KeyboardInterrupt``)."""
    home = store / "airflow"
    port = settled_port(home, given.port)
    database = choose(given.database, home, (lock,))
    _say(f"Airflow starts; this takes about half a minute\n  database  {database.said}")
    airflow: Airflow | None = None
    try:
        airflow = Airflow(home, store, database.start(), port, project, holds=(lock,))
        airflow.start()
        _welcome(airflow)
        while True:
            time.sleep(1)
            dead = [name for name, process in airflow.processes.items() if process.poll() is not None]
            if dead:
                raise StartFailed(f"{dead[0]} has ended:\n{airflow.log(dead[0])[-3000:]}")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if airflow is not None:
            airflow.stop()
        database.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=_port, default=0, help="of the UI and API [default: that of the last start]")
    parser.add_argument("--store", help="folder of the store [default: $KILNWORKS_STORE, or store/ in the project]")
    parser.add_argument(
        "--database", help="SQLAlchemy URL, or sqlite [default: PostgreSQL where it is installed, else SQLite]"
    )
    return parser.parse_args()


def _port(text: str) -> int:
    """A number from 0 (no wish) to 65535."""
    if not text.isdecimal() or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"got {text!r}; wanted a number from 1 to {LAST_PORT}")
    return int(text)


def _welcome(airflow: Airflow) -> None:
    _say(f"\n  Airflow   {airflow.url}")
    for user, password in airflow.passwords.items():
        _say(f"  {user:9} {password}")
    _say(f"  logs      {airflow.home}\n\nCtrl-C ends it.")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _interrupt(_: int, __: FrameType | None) -> None:
    """SIGTERM ends it the way Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
