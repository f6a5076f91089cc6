"""Airflow on this machine with our DAGs, plugin, pools and connections: what ``make airflow`` runs.

Its database, passwords and logs lie under the store. Ctrl-C ends it cleanly.
"""

import argparse
import os
import signal
import sys
import time
from types import FrameType

from schemas.places import ROOT_VARIABLE, is_remote, project_root, store_folder, store_url
from scripts.airflow.processes import ROOT, Airflow, StartFailed


def main() -> int:
    """Start, say where it is, wait for Ctrl-C; exit code 1 when a part of it cannot start or dies."""
    given = _arguments()
    os.environ.setdefault(ROOT_VARIABLE, str(ROOT))
    url, project = store_url(given.store), project_root()
    if is_remote(url):
        _say(f"the store {url} is no folder; Airflow's database and logs lie under the store: give --store FOLDER")
        return 2
    store = store_folder(url)
    airflow = Airflow(store / "airflow", store, given.database, given.port, project)
    signal.signal(signal.SIGTERM, _interrupt)
    _say("Airflow starts; this takes about half a minute")
    try:
        airflow.start()
        _welcome(airflow)
        while True:
            time.sleep(1)
            dead = [name for name, process in airflow.processes.items() if process.poll() is not None]
            if dead:
                raise StartFailed(f"{dead[0]} has ended:\n{airflow.log(dead[0])[-3000:]}")
    except StartFailed as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("\nAirflow ends")
        return 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        airflow.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the UI and API [default: a free one]")
    parser.add_argument("--store", help="folder of the store [default: $KILNWORKS_STORE, or store/ in the project]")
    parser.add_argument("--database", help="SQLAlchemy URL, e.g. of PostgreSQL [default: SQLite under the store]")
    return parser.parse_args()


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
