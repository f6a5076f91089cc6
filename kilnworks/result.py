"""A run at hand: what became of it, its metrics and its artifacts as frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.artifacts import Artifact, Evaluation, Examples, Model
from kilnworks.schemas.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    import polars as pl

A = TypeVar("A", bound=Artifact)


class RunResult:
    """One run of a pipeline.

    Attributes:
        id: its name.
        outcome: step -> ``done``, ``cached``, ``skipped`` or ``failed``; steps not reached are absent.
    """

    def __init__(self, pipeline: Pipeline, run: Run, outcome: Mapping[str, str]) -> None:
        self._pipeline, self._run = pipeline, run
        self.id, self.outcome = run.run_id, dict(outcome)

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {status}" for name, status in self.outcome.items())
        return f"<run {self.id} of {self._pipeline.name}: {told}>"

    @property
    def folder(self) -> Path:
        """Where its artifacts lie."""
        return self._run.path

    @property
    def report(self) -> Path:
        """Its report, one HTML file."""
        return self._run.path / "report.html"

    def artifact(self, step: str) -> Artifact:
        """What a step made. Raises ``UnknownName``; ``StoreError`` where it has not finished, or is damaged."""
        return self._run.load(step, self._pipeline[step].signature.result)

    def steps(self) -> pl.DataFrame:
        """One row a step: ``step``, ``outcome``, ``seconds`` and ``reason``, why it ended so or was made again."""
        import polars as pl

        rows = [(name, status, self._run.outcome(name) or {}) for name, status in self.outcome.items()]
        told = [(name, status, said.get("seconds"), str(said.get("reason", ""))) for name, status, said in rows]
        schema = {"step": pl.String, "outcome": pl.String, "seconds": pl.Float64, "reason": pl.String}
        return pl.DataFrame(told, schema=schema, orient="row")

    def metrics(self) -> pl.DataFrame:
        """One row a metric of the test split: ``metric``, ``value``, and the 95 % interval ``low`` to ``high``."""
        import polars as pl

        found = self._made(Evaluation).results["metrics"]
        rows = [(name, one.get("value"), one.get("low"), one.get("high")) for name, one in found.items()]
        schema = {"metric": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def history(self) -> pl.DataFrame:
        """One row an epoch: loss, metrics, learning rate."""
        import polars as pl

        return pl.read_csv(self._made(Model).path / "history.csv")

    def rows(self, split: str = "test") -> pl.DataFrame:
        """The checked rows of a split, ``train``, ``val`` or ``test``, in contract types. Raises ``UnknownName``."""
        import polars as pl

        examples = self._made(Examples)
        if split not in examples.splits:
            raise UnknownName("split", split, examples.splits)
        return pl.read_parquet(examples.files(split), glob=False)

    def _made(self, kind: type[A]) -> A:
        """The last artifact of a kind that has finished."""
        made = [step for step in self._pipeline.steps if issubclass(step.signature.result, kind)]
        finished = [step.name for step in made if self._run.manifest(step.name) is not None]
        if not finished:
            raise ConfigError(
                f"run {self.id} has no finished {kind.__name__.lower()}",
                f"a run in which one of these is done: {', '.join(step.name for step in made) or 'no step makes one'}",
                "see .steps() for what became of each",
            )
        found = self._run.load(finished[-1], kind)
        assert isinstance(found, kind)
        return found
