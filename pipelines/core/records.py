"""What a remote store says of its runs, on a host that has not made them: their small files, without the artifacts.

They are fetched into a folder of their own: a manifest alone in the mirror would pass for a whole artifact.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kilnworks.pipelines.core.store import Run, Store

FIGURES = (".json",)
"""Endings of the files that hold outcomes, manifests and metrics."""
PAGES = (".json", ".csv", ".html", ".svg", ".png", ".txt")
"""Endings of the files that a report shows."""
MOST_BYTES = 16 * 2**20
"""Larger files are left out."""


@contextmanager
def newest_runs(store: Store, pipeline: str, count: int) -> Iterator[list[Run]]:
    """The newest runs, newest first, with their outcomes and metrics, while the block runs."""
    runs = store.runs(pipeline)[::-1][:count]
    with _fetched(store, pipeline, runs, FIGURES) as found:
        yield found


@contextmanager
def whole_run(run: Run) -> Iterator[Run]:
    """A run with everything that a report shows, also where other hosts made some of its steps."""
    remote = run.store.remote
    steps = remote.children(f"runs/{run.pipeline}/{run.folder}") if remote is not None else []
    if all((run.path / step).exists() for step in steps):
        yield run
        return
    with _fetched(run.store, run.pipeline, [run], PAGES) as found:
        yield found[0]


@contextmanager
def _fetched(store: Store, pipeline: str, runs: list[Run], endings: tuple[str, ...]) -> Iterator[list[Run]]:
    if store.remote is None:
        yield runs
        return
    with tempfile.TemporaryDirectory() as folder:
        looked = Store(Path(folder))
        store.remote.fetch_small("champions", looked.root / "champions", FIGURES, MOST_BYTES)
        for run in runs:
            place = f"runs/{pipeline}/{run.folder}"
            store.remote.fetch_small(place, looked.root / place, endings, MOST_BYTES)
        yield [looked.run(pipeline, run.folder) for run in runs]
