"""A pipeline at hand: run it with settings, ask its live model, look at its runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilnworks.frames import as_given, as_polars
from kilnworks.pipelines.cli.console import watched
from kilnworks.pipelines.cli.live import opened_as, wanted_live
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.running import run_words
from kilnworks.pipelines.cli.serving import source_of
from kilnworks.pipelines.cli.settings import new_run_id
from kilnworks.pipelines.core import registry
from kilnworks.pipelines.core.after_run import finish_run
from kilnworks.pipelines.core.asked_model import live_model
from kilnworks.pipelines.core.events import nobody
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.owner import follow_published
from kilnworks.pipelines.core.project import opened_anew
from kilnworks.pipelines.core.store import Run, Store, open_store
from kilnworks.result import RunResult
from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.places import ROOT_VARIABLE

if TYPE_CHECKING:
    import polars as pl


@contextmanager
def project_named(root: Path) -> Iterator[None]:
    """Let all that asks for the project folder find this one while the block runs."""
    before = os.environ.get(ROOT_VARIABLE)
    os.environ[ROOT_VARIABLE] = str(root)
    try:
        yield
    finally:
        os.environ.pop(ROOT_VARIABLE, None)
        if before is not None:
            os.environ[ROOT_VARIABLE] = before


@contextmanager
def in_project(root: Path) -> Iterator[None]:
    """The same, and its modules can be imported, as they are now; afterwards those of the caller are there again."""
    with project_named(root), opened_anew(root):
        yield


class LoadedPipeline:
    """A pipeline of a project, by name: each use reads its definition anew, so edits count without a restart.

    Not for two threads at a time: one project is open in a process.
    """

    def __init__(self, name: str, project: Path, store: str | None = None) -> None:
        self.name, self.project = name, project
        self._store = store
        self._asked: tuple[str, Callable[..., Any]] | None = None

    def __repr__(self) -> str:
        return f"<pipeline {self.name} of {self.project}>"

    def definition(self) -> Pipeline:
        """The pipeline as its file defines it now."""
        with in_project(self.project):
            return registry.load(self.name)

    @property
    def store(self) -> Store:
        """Where its runs and models are kept."""
        with project_named(self.project):
            return open_store(self._store)

    def run(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        first: str | None = None,
        last: str | None = None,
        fresh: bool = False,
        run_id: str | None = None,
        promote: bool = False,
        train_only: bool = False,
        reason: str = "",
        quiet: bool = False,
    ) -> RunResult:
        """Run the pipeline here; as ``kilnworks run`` does it, what has not changed is taken from earlier runs.

        Args:
            settings: other values for settings, ``{"model.epochs": 3}``. A run with any is a trial: it publishes
                nothing unless ``promote`` asks for it.
            first: run this step and all that hang on it; all steps by default.
            last: run this step and all that it needs.
            fresh: make the steps again even where nothing has changed.
            run_id: name of the run; one that exists is resumed.
            promote: let the model go live though the run is a trial or older.
            train_only: publish nothing.
            reason: why; kept in the decision record.
            quiet: print nothing.

        Returns:
            The run: its outcome, metrics, artifacts and report. A closed gate is an outcome, ``skipped``.

        Raises:
            KilnworksError: a step failed. Its report is written; what had finished stays finished.
        """
        quiet_libraries(own_process=False)
        given = dict(settings or {})
        with in_project(self.project), private_files():
            defined = registry.load(self.name)
            pipeline = defined.configured(given)
            selected = pipeline.between(first, last)
            if not selected:
                have = ", ".join(step.name for step in defined.steps)
                raise ConfigError(
                    f"no step lies between first={first!r} and last={last!r}",
                    f"two steps of which the last needs the first; the steps: {have}",
                    "change first or last, or leave one out",
                )
            run = self.store.run(self.name, run_id or new_run_id())
            run.store.check_writable()
            words = run_words(self.name, run, [f"{k}={json.dumps(v, default=str)}" for k, v in given.items()], None)
            live = wanted_live(promote, train_only, None, reason)
            record = run.begin(words, given, trigger="Python", steps=pipeline.outline(), **live)
            pipeline = opened_as(defined, run, record)
            try:
                outcome = self._run(pipeline, run, selected, fresh, quiet)
            finally:
                finish_run(run)
            return RunResult(pipeline, run, outcome)

    def predict(self, rows: Any) -> Any:
        """Answers of the live model, loaded into this process, as ``kilnworks predict`` gives them.

        Args:
            rows: a Polars or pandas frame, a mapping of columns, a list of rows as mappings, or the path of a file.
                Columns that the contract does not know, such as the label, are passed over.

        Returns:
            One row a row: the class and every class's probability, or the value; a pandas frame with the same index for
            a pandas frame, else Polars.

        Raises:
            UnknownName: there was no run yet.
            ConfigError: no model is live; says at which gate the newest run ended, and what to do.
            RequestInvalid: a row breaks the contract; nothing is predicted.
            DataInvalid: a column is missing.
        """
        quiet_libraries(own_process=False)
        with in_project(self.project), as_polars(rows) as path:
            return as_given(self._answers(path), rows)

    def runs(self) -> pl.DataFrame:
        """All runs, the newest first: ``run``, ``started``, ``outcome``, ``seconds``, ``live``, and each metric."""
        import polars as pl

        from kilnworks.components.reporting.summary import run_summary

        found = [run_summary(run.path) for run in reversed(self.store.runs(self.name))]
        shown = [
            {
                "run": one["run_id"],
                "started": one["started"],
                "outcome": one["outcome"],
                "seconds": one["seconds"],
                "live": one["champion"],
                **one["metrics"],
            }
            for one in found
        ]
        return pl.DataFrame(shown, infer_schema_length=None)

    def find_run(self, run_id: str | None = None) -> RunResult:
        """A run by its name; the newest by default. Raises ``UnknownName``."""
        run = self.store.find_run(self.name, run_id)
        defined = self.definition()
        outcomes = {step.name: (run.outcome(step.name) or {}).get("outcome") for step in defined.steps}
        return RunResult(defined, run, {name: status for name, status in outcomes.items() if status})

    @staticmethod
    def _run(pipeline: Pipeline, run: Run, selected: Any, fresh: bool, quiet: bool) -> dict[str, Any]:
        from rich.console import Console

        if quiet:
            return dict(run_all(pipeline, run, fresh=fresh, selected=selected, listener=nobody))
        console = Console(soft_wrap=True, force_jupyter=False)  # lines of one stream; else each is an output of its own
        with watched(console, pipeline) as listener:
            return dict(run_all(pipeline, run, fresh=fresh, selected=selected, listener=listener))

    def _answers(self, path: Path) -> pl.DataFrame:
        import polars as pl

        from kilnworks.components.predicting.champion import in_process, predicted

        store, defined = self.store, registry.load(self.name)
        champion = live_model(store, defined)
        follow_published(store)
        like = source_of(defined)
        if self._asked is None or self._asked[0] != champion.path:
            self._asked = champion.path, in_process(champion)
        return pl.concat(list(predicted(path, champion, self._asked[1], like)))
