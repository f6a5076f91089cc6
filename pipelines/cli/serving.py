"""Commands around a served model: ``serve``, ``predict``, ``load``."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from kilnworks.pipelines.cli.console import echo
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.settings import StoreUrl
from kilnworks.pipelines.cli.writing import writable
from kilnworks.pipelines.core.asked_model import live_model
from kilnworks.pipelines.core.owner import follow_published
from kilnworks.pipelines.core.registry import load as load_pipeline
from kilnworks.pipelines.core.store import Store, open_store
from kilnworks.schemas.errors import KilnworksError, UnknownName

if TYPE_CHECKING:
    from kilnworks.components.sources.base import Source
    from kilnworks.pipelines.core.graph import Pipeline

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Typer settings for commands whose flags another parser reads."""

LOOK_SECONDS = 10.0
"""How often a server looks into a remote store for new versions."""

serving_app = typer.Typer(no_args_is_help=True, help="TensorFlow Serving itself, on the models of the store.")


@serving_app.callback()
def _group() -> None:
    """TensorFlow Serving itself, on the models of the store."""


@serving_app.command("config")
def config(
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("docker/serving"),
    models_at: Annotated[str, typer.Option(help="Where the server will see STORE/serving.")] = "/models",
    every: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="SECONDS", help="Go on: look so often, and write what has changed in the store."),
    ] = None,
    store: StoreUrl = None,
) -> None:
    """Write models.config, batching.config and monitoring.config for the tensorflow/serving image."""
    from kilnworks.components.serving.versions.serving_config import update_serving_config, write_serving_config

    opened = open_store(store)
    if every is not None:
        _keep_in_step(lambda: update_serving_config(opened.root, out, models_at), opened, every)
        return
    follow_published(opened)
    for path in write_serving_config(opened.root, out, models_at):
        echo(path)


def _keep_in_step(update: Callable[[], tuple[Path, ...]], store: Store, every: float) -> None:
    """Update again and again until the process is ended; what hinders it is said once, and tried again."""
    said = ""
    with suppress(KeyboardInterrupt):
        while True:
            hindered = ""
            try:
                follow_published(store)
                for path in update():
                    echo(path)
            except (KilnworksError, OSError) as error:
                hindered = f"not now: {error}"
            if hindered != said and hindered:
                echo(hindered, err=True)
            said = hindered
            sys.stdout.flush()
            time.sleep(every)


def predict(
    name: Annotated[str, typer.Argument(help="Name of the pipeline.", show_default=False)],
    file: Annotated[
        Path, typer.Argument(help="CSV, JSON lines, Parquet, .npz, or images; no label needed.", show_default=False)
    ],
    server: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Ask this gRPC server, not this process.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write CSV here [default: the screen]")] = None,
    timeout_seconds: Annotated[float, typer.Option(help="How long one request to the server may take.")] = 30.0,
    for_spreadsheet: Annotated[
        bool, typer.Option("--for-spreadsheet", help="Put ' before texts that a spreadsheet would run as formulas.")
    ] = False,
    store: StoreUrl = None,
) -> None:
    """Predict for the rows of a file with the live model.

    One CSV line a row: the key or the number of the row, then the class and every class's probability, or the value.
    """
    quiet_libraries()
    from kilnworks.components.predicting.champion import in_process, predicted, through_server
    from kilnworks.components.predicting.spreadsheet import shown_as_text

    pipeline, opened = load_pipeline(name), open_store(store)
    like, champion = source_of(pipeline), live_model(opened, pipeline)
    follow_published(opened)
    ask = through_server(champion, server, timeout_seconds) if server else in_process(champion)
    rows = 0
    with ExitStack() as stack:
        out = stack.enter_context(_replacing(output)) if output else sys.stdout
        for i, frame in enumerate(predicted(file, champion, ask, like, apart=True)):
            written = shown_as_text(frame) if for_spreadsheet else frame
            out.write(written.write_csv(include_header=i == 0))
            rows += frame.height
    if output:
        asked = server or f"version {champion.version}, run {champion.run_id}"
        echo(f"{output}: {rows:,} rows, answered by {name} ({asked})", err=True)


def serve(context: typer.Context) -> int:
    """Serve the models of the store; takes TensorFlow Serving's own flags (`serve --help` lists them)."""
    quiet_libraries()
    from kilnworks.components.serving.process.main import serve as start

    return start(context.args, _Served)


def load(
    address: Annotated[
        str, typer.Argument(metavar="HOST:PORT", help="gRPC port of a model server.", show_default=False)
    ],
    model: Annotated[str, typer.Argument(help="Name of the served model.", show_default=False)],
    rest: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Load this REST port; signatures still come from HOST:PORT.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows of each request.")] = 1,
    clients: Annotated[int, typer.Option(min=1, max=1024, help="How many ask at a time.")] = 4,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long to measure.")] = 10.0,
    signature: Annotated[str, typer.Option(help="Signature to call.")] = "serving_default",
) -> None:
    """Ask a served model again and again from N clients; prints throughput, latencies and errors.

    Each client sends its next request when the last one is answered. Inputs are made up to fit the signature.
    """
    from kilnworks.components.load.closed_loop import inputs_like, run_load
    from kilnworks.components.serving.client import Client

    with Client(address) as client:
        signatures = {name: meta for name, meta in client.metadata(model).signatures.items() if meta.inputs}
        if signature not in signatures:
            raise UnknownName(f"signature of {model}", signature, signatures)
        inputs = inputs_like(signatures[signature], rows)
        client.predict(model, inputs, signature=signature)  # one that is refused says why
    report = run_load(
        rest or address,
        model,
        inputs,
        protocol="rest" if rest else "grpc",
        clients=clients,
        seconds=seconds,
        signature=signature,
    )
    echo(f"{report.protocol}  {report.clients} clients  {report.rows} rows a request  {report.seconds:.1f} s")
    echo(f"requests/s  {report.requests_per_second:.0f}   ({report.requests} answered)")
    echo(f"latency ms  p50 {report.p50_ms:.2f}   p95 {report.p95_ms:.2f}   p99 {report.p99_ms:.2f}")
    errors = ", ".join(f"{code} x {count}" for code, count in report.errors.items())
    echo(f"errors      {errors or 'none'}")


def source_of(pipeline: "Pipeline") -> "Source | None":
    """Where the first step that has a source reads from."""
    from kilnworks.components.sources.base import Source

    found = (getattr(step.config, "source", None) for step in pipeline.steps)
    return next((source for source in found if isinstance(source, Source)), None)


class _Served:
    """The published models of a store, followed from afar where another host publishes them."""

    def __init__(self, url: str | None) -> None:
        self._store, self._looked = open_store(url), 0.0
        self.refresh()

    @property
    def root(self) -> Path:
        """The local folder."""
        return self._store.root

    def refresh(self) -> None:
        """Take up what was published elsewhere; looks at most every ``LOOK_SECONDS``."""
        if self._looked and time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        follow_published(self._store)


class _replacing:
    """A text file that takes its final name only when all of it was written."""

    def __init__(self, path: Path) -> None:
        self._path, self._scratch = path, path.with_name(f".{path.name}.partial")

    def __enter__(self) -> TextIO:
        with writable(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._scratch.open("w", encoding="utf-8")
        return self._file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if kind is None:
            self._scratch.replace(self._path)
        else:
            self._scratch.unlink()
