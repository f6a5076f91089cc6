"""``kilnworks mlflow``: every finished run of the store in MLflow, and MLflow's pages to look at them."""

import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kilnworks.pipelines.cli.console import echo
from kilnworks.pipelines.cli.settings import StoreUrl
from kilnworks.pipelines.core.records import newest_runs, whole_run
from kilnworks.pipelines.core.store import Run, Store, open_store
from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import KilnworksError, ServerUnavailable
from kilnworks.schemas.secret import SecretUrl

if TYPE_CHECKING:
    from kilnworks.components.tracking.client import Tracker

DEFAULT_PORT = 5000
"""MLflow's own."""
ENDED = ("done", "skipped", "failed")
"""Outcomes of runs that are brought in; one that goes on is not."""
ALL = 1_000_000


@dataclass
class Counts:
    """Runs of one pipeline: brought in now, there already, not ended yet, and refused by MLflow."""

    sent: int = 0
    there: int = 0
    open: int = 0
    refused: int = 0


@private_files()
def mlflow(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of MLflow's pages, on 127.0.0.1.")] = DEFAULT_PORT,
    no_open: Annotated[bool, typer.Option("--no-open", help="Serve the pages, and open no browser.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Bring the runs in and end.")] = False,
    store: StoreUrl = None,
) -> int:
    """Bring every finished run that MLflow has not yet into MLflow, and open its pages.

    Into the store's own database, STORE/mlflow/mlflow.db, or to the server that $MLFLOW_TRACKING_URI names.
    """
    from kilnworks.components.tracking.tracker import configured, default_artifacts, default_uri
    from kilnworks.components.tracking.ui import served

    opened, given = open_store(store), configured()
    if not opened.pipelines():
        echo(f"{opened.root} holds no runs yet")
        return 0
    uri = given or SecretUrl(default_uri(opened.root))
    refused = _bring_in(opened, uri, None if given else default_artifacts(opened.root))
    if once or uri.reveal().startswith(("http://", "https://")):
        echo(f"MLflow at {uri}")
        if not once and not no_open:
            webbrowser.open(uri.reveal())
        return 1 if refused else 0
    with served(uri.reveal(), port) as (url, process):
        echo(f"MLflow at {url} shows {uri}; Ctrl-C ends it")
        if not no_open:
            webbrowser.open(url)
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 0


def _bring_in(store: Store, uri: SecretUrl, artifacts: Path | None) -> int:
    """Send what is missing, a line for each pipeline; returns how many runs MLflow has refused.

    Raises:
        ServerUnavailable: MLflow cannot be reached, or not be opened.
    """
    from kilnworks.components.tracking.client import connected
    from kilnworks.components.tracking.tracker import in_a_line

    refused = 0
    try:
        if artifacts is not None:
            artifacts.mkdir(parents=True, exist_ok=True)
        with connected(uri.reveal(), artifacts) as tracker:
            for name in store.pipelines():
                counts = _pipeline(store, name, tracker)
                refused += counts.refused
                echo(f"{name}: {_words(counts)}")
    except KilnworksError:
        raise
    except Exception as error:  # of MLflow, SQLAlchemy, a socket: all mean that there is no tracker
        wanted = "an MLflow that can be written"
        fix = "start the server, or upgrade the database: mlflow db upgrade URI"
        raise ServerUnavailable(f"MLflow at {uri}: {in_a_line(error)}", wanted, fix) from error
    return refused


def _pipeline(store: Store, name: str, tracker: "Tracker") -> Counts:
    """Send the runs of one pipeline that are missing or went on since, oldest first."""
    from kilnworks.components.reporting.reading import read_object, read_run
    from kilnworks.components.tracking.collect import state

    counts, known = Counts(), tracker.known(name)
    with newest_runs(store, name, ALL) as found:
        for run in reversed(found):
            record = read_run(run.path)
            if record.outcome not in ENDED:
                counts.open += 1
            elif known.get(str(record.run.get("run_id") or run.run_id)) == state(record):
                counts.there += 1
            else:
                _send(store.run(name, run.run_id), tracker, counts)
        if found:
            live = read_object(found[0].store.root / "champions" / f"{name}.json")
            tracker.point(name, str(live.get("model") or name), str(live.get("path") or ""))
    return counts


def _send(run: Run, tracker: "Tracker", counts: Counts) -> None:
    from mlflow.exceptions import MlflowException

    from kilnworks.components.tracking.collect import collect
    from kilnworks.components.tracking.tracker import in_a_line

    try:
        with whole_run(run) as seen:
            tracker.send(collect(seen.path))
        counts.sent += 1
    except MlflowException as error:  # one run that MLflow does not take keeps no other one out
        counts.refused += 1
        echo(f"{run.pipeline} {run.run_id} was refused: {in_a_line(error)}")


def _words(counts: Counts) -> str:
    said = [f"{counts.sent} brought in", f"{counts.there} there already"]
    said += [f"{counts.open} not ended"] if counts.open else []
    return ", ".join([*said, f"{counts.refused} refused"] if counts.refused else said)
