"""``kilnworks landed``: what has landed for retraining and what became of it; brings back what was set aside."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from kilnworks.components.retraining import ledger as books
from kilnworks.components.retraining.aside import bring_back
from kilnworks.components.retraining.ledger import Ledger, Seen
from kilnworks.pipelines.cli.console import echo, table_console
from kilnworks.pipelines.cli.settings import StoreUrl
from kilnworks.pipelines.core.owner import require_owner
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import open_store
from kilnworks.schemas.errors import ConfigError


def landed(
    name: Annotated[str, typer.Argument(help="Name of the pipeline.", show_default=False)],
    back: Annotated[
        str | None, typer.Option("--bring-back", metavar="FILE", help="Train on a file that was set aside.")
    ] = None,
    store: StoreUrl = None,
) -> None:
    """Show the files that have landed for retraining: waiting, used by which run, or set aside and why."""
    policy = load(name).operations.retrain
    if policy is None:
        raise ConfigError(
            f"{name} does not retrain on new data", "a pipeline with a RetrainPolicy", "see docs/airflow.md, Retraining"
        )
    opened = open_store(store)
    if back is not None:
        require_owner(opened, f"bringing back {back} for {name}")
        bring_back(opened.root, name, back)
        echo(f"{back} waits for the next retraining of {name}")
        return
    ledger = books.read(opened.root, name)
    table = Table(box=None, pad_edge=False)
    for title in ("file", "rows", "state"):
        table.add_column(title, overflow="fold")
    for file, seen in sorted(ledger.files.items()):
        rows, state = _state(ledger, seen)
        table.add_row(Text(file), rows, Text(state))
    table_console().print(table if ledger.files else f"nothing has landed in {policy.landing}")


def _state(ledger: Ledger, seen: Seen) -> tuple[str, str]:
    """Rows of a file, and what became of it."""
    if seen.sha256 is None:
        return "", "may still be growing"
    content = ledger.contents[seen.sha256]
    if content.aside is not None:
        return str(content.rows), f"set aside: {content.aside.reason}"
    return str(content.rows), "waits" if content.batch is None else f"in {content.batch}"
