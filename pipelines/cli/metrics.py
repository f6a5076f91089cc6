"""``kilnworks metrics``: what the store says of runs, data, drift and live models, as a page for Prometheus."""

import logging
import sys
from typing import Annotated

import typer

from kilnworks.pipelines.cli.console import echo
from kilnworks.pipelines.cli.settings import StoreUrl
from kilnworks.pipelines.core.records import newest_runs
from kilnworks.pipelines.core.store import Store, clean, open_store
from kilnworks.schemas.files import read_json
from kilnworks.schemas.logs import make_safe

DEFAULT_PORT = 9464
"""The port that OpenTelemetry's exporters for Prometheus use by default."""


def metrics(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")] = DEFAULT_PORT,
    allowed_hosts: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="Names it may be asked by [default: local ones on loopback, else any]"),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Newest runs of each pipeline that are looked at.")] = 100,
    once: Annotated[bool, typer.Option("--once", help="Print the page and end.")] = False,
    store: StoreUrl = None,
) -> int:
    """Serve runs, data, drift and live models of the store to Prometheus, at /metrics; until it is ended."""
    from kilnworks.components.monitoring.exporter import Exporter
    from kilnworks.components.serving.settings.hosts import AllowedHosts

    opened = open_store(store)
    if once:
        typer.echo(store_page(opened, runs), nl=False)
        return 0
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    make_safe(logging.getLogger())
    names = tuple(name.strip().lower() for name in (allowed_hosts or "").split(",") if name.strip())
    with Exporter(lambda: store_page(opened, runs), host, port, AllowedHosts(names) if names else None) as exporter:
        echo(f"{opened.root} at {exporter.url}")
        sys.stdout.flush()
        try:
            exporter.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def store_page(store: Store, runs: int) -> str:
    """The page of a store.

    Raises:
        StoreError: a remote store cannot be reached.
        OSError: the folder cannot be read.
    """
    from kilnworks.components.monitoring.facts import PipelineFacts, pipeline_facts
    from kilnworks.components.monitoring.page import facts_page

    facts: list[PipelineFacts] = []
    for name in store.pipelines():
        with newest_runs(store, name, runs) as found:
            root = found[0].store.root if found else store.root
            pointer = root / "champions" / f"{name}.json"
            run_id = str(read_json(pointer)["run_id"]) if pointer.is_file() else ""
            made = root / "runs" / name / clean(run_id) if run_id else None
            facts.append(pipeline_facts(name, [run.path for run in found], pointer, made))
    return facts_page(facts)
