"""Commands that keep a store in order: ``prune``."""

import time
from typing import Annotated

import typer

from kilnworks.pipelines.cli.console import echo
from kilnworks.pipelines.cli.settings import StoreUrl
from kilnworks.pipelines.core.owner import require_owner
from kilnworks.pipelines.core.retention import RetentionConfig, prune
from kilnworks.pipelines.core.store import open_store
from kilnworks.schemas.access import private_files


@private_files()
def prune_store(
    runs: Annotated[
        int, typer.Option("--runs", min=1, envvar="KILNWORKS_KEEP_RUNS", help="Newest runs of each pipeline to keep.")
    ] = 20,
    days: Annotated[
        float,
        typer.Option("--days", min=1, envvar="KILNWORKS_KEEP_DAYS", help="Age in days up to which everything is kept."),
    ] = 30,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    store: StoreUrl = None,
) -> None:
    """Remove old runs, checkpoints and pinned data; the champion and all that it stands on stay."""
    opened = open_store(store)
    if not dry:
        require_owner(opened, "pruning")
    removed = prune(RetentionConfig(runs=runs, days=days), opened, time.time(), dry=dry)
    for name in removed.runs:
        echo(f"run {name}")
    counted = ("checkpoints", "batches", "alerts", "leftovers")
    kinds = {"runs": len(removed.runs), **{kind: getattr(removed, kind) for kind in counted}}
    counts = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    echo(f"{'would remove' if dry else 'removed'} {counts}: {removed.bytes / 1e6:.1f} MB")
