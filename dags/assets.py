"""The data set, model, servable and live model of a pipeline as Airflow assets, with what other teams ask of them.

``churn.checked``, ``churn.model`` and ``churn.servable`` get an event from every run; ``churn.deployment`` only when
a version went live that was not live before, so that a DAG may be scheduled on it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from airflow.sdk import Asset, AssetAlias
from airflow.sdk.definitions.context import Context

from kilnworks.dags.project import open_run
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.artifacts import CheckedExamples, Deployment, Evaluation, Model, Servable

KINDS = (CheckedExamples, Model, Servable)
"""What a step must make for each of its runs to be an event."""


def asset(pipeline: str, step: str) -> Asset:
    """The asset that a step makes: ``asset("churn", "deployment")`` is the live model of churn."""
    return Asset(name=f"{pipeline}.{step}", uri=f"kilnworks://{pipeline}/{step}", group="kilnworks")


def outlets(pipeline: str, steps: Sequence[Step]) -> list[Asset | AssetAlias]:
    """What the task of these steps declares; an alias for what not every run makes."""
    kept = [asset(pipeline, s.name) for s in steps if issubclass(s.signature.result, KINDS)]
    return [*kept, *(_alias(pipeline, s.name) for s in steps if issubclass(s.signature.result, Deployment))]


def inlets(pipeline: Pipeline, steps: Sequence[Step]) -> list[Asset]:
    """Assets that the task of these steps reads."""
    mine = {s.name for s in steps}
    names = dict.fromkeys(up for s in steps for up in s.upstream() if up not in mine)
    return [asset(pipeline.name, n) for n in names if issubclass(pipeline[n].signature.result, KINDS)]


def announce(pipeline: Pipeline, steps: Sequence[Step]) -> Callable[[Context, Any], None]:
    """A hook after the task that fills the events of its assets."""

    def told(context: Context, result: Any = None) -> None:
        run = open_run(pipeline.name, str(context["run_id"]))
        events = context["outlet_events"]
        for step in steps:
            kind = step.signature.result
            outcome = (run.outcome(step.name) or {}).get("outcome")
            if outcome not in ("done", "cached"):
                continue
            if issubclass(kind, KINDS):
                events[asset(pipeline.name, step.name)].extra = extra(pipeline, run, step)
            elif issubclass(kind, Deployment) and outcome == "done":
                made = extra(pipeline, run, step)
                events[_alias(pipeline.name, step.name)].add(asset(pipeline.name, step.name), extra=made)

    return told


def extra(pipeline: Pipeline, run: Run, step: Step) -> dict[str, Any]:
    """What an event says of a finished step.

    Always: ``run_id``, ``fingerprint``, ``changed`` (whether it was made now). By kind: ``rows`` by split; ``epochs``
    and ``parameters``; ``bytes``; ``model`` and ``version``. ``metrics`` where the run has been evaluated.
    """
    manifest = run.manifest(step.name) or {}
    outcome = run.outcome(step.name) or {}
    said: dict[str, Any] = {
        "run_id": run.run_id,
        "fingerprint": manifest.get("fingerprint"),
        "changed": outcome.get("outcome") == "done",
        **_by_kind(step.signature.result(run.step_path(step.name))),
    }
    for other in pipeline.steps:
        if issubclass(other.signature.result, Evaluation) and run.manifest(other.name) is not None:
            metrics = Evaluation(run.step_path(other.name)).results.get("metrics", {})
            said["metrics"] = {name: value["value"] for name, value in metrics.items()}
    return said


def _by_kind(artifact: Any) -> dict[str, Any]:
    match artifact:
        case CheckedExamples():
            return {"rows": {split: artifact.rows(split) for split in artifact.splits}}
        case Model():
            return {"epochs": artifact.training.get("epochs_run"), "parameters": artifact.training.get("parameters")}
        case Servable():
            return {"bytes": artifact.description.get("bytes")}
        case Deployment():
            return {"model": artifact.description.get("model"), "version": artifact.description.get("version")}
    return {}


def _alias(pipeline: str, step: str) -> AssetAlias:
    return AssetAlias(name=f"{pipeline}.{step}.changed", group="kilnworks")
