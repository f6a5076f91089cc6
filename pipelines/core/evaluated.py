"""The evaluation of a run, and the model that is live: what both comparisons with the champion begin with."""

from typing import Any

from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.artifacts import Evaluation
from kilnworks.schemas.champion import ChampionRecord, read_champion
from kilnworks.schemas.errors import UnknownName


def evaluates(pipeline: Pipeline) -> bool:
    """Whether a definition measures its models at all."""
    return any(issubclass(step.signature.result, Evaluation) for step in pipeline.steps)


def evaluation_of(pipeline: Pipeline, run: Run) -> Step | None:
    """The first evaluation that has finished in a run."""
    steps = (step for step in pipeline.steps if issubclass(step.signature.result, Evaluation))
    return next((step for step in steps if run.manifest(step.name) is not None), None)


def champion_of(run: Run) -> ChampionRecord | None:
    """The live model of a run's pipeline."""
    run.store.pull(f"champions/{run.pipeline}.json")
    try:
        return read_champion(run.store.root, run.pipeline)
    except UnknownName:
        return None


def fingerprint(run: Run, step: Step) -> str:
    """Of a finished step of a run; empty where it has none."""
    return str((run.manifest(step.name) or {}).get("fingerprint", ""))


def evaluated(run: Run, step: Step) -> dict[str, Any]:
    """The metrics that a finished evaluation has found."""
    return dict(Evaluation(run.step_path(step.name)).results.get("metrics", {}))
