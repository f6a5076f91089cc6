"""For each pipeline that trains in processes of its own, the DAG that searches for better settings of it.

::

    begin -> trial 0, trial 1, ... -> conclude
             as many at the same time as the search has workers

A trial is one training with other settings. Its task ends as skipped where the trial lagged behind and was stopped, or
broke down; one that is killed is tried again, and the trial that it lost is handed out once more. Nothing goes live by
a search: ``kilnworks run NAME --best``, or its settings typed into the form of the pipeline, make a run of what it
found. The same by ``kilnworks tune NAME``.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, get_args

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.context import Context

from kilnworks.dags.factory import RESTARTS, companion, routed
from kilnworks.dags.fields import asked, settings_of
from kilnworks.dags.handed import handed_secrets
from kilnworks.dags.names import TUNE
from kilnworks.dags.operators import PipelineOperator
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.operations import Python, ThisProcess
from kilnworks.pipelines.core.space import trained_step
from kilnworks.pipelines.tuning.work import shared_threads
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Pruner, Sampler

MOST_TRIALS = 1000
"""Of one run: Airflow makes a task of each, and no more than 1,024 of them."""
FORM: dict[str, tuple[dict[str, Any], str]] = {
    "trials": (
        {"type": "integer", "minimum": 1, "maximum": MOST_TRIALS},
        "Trainings, the one with the settings of the definition included.",
    ),
    "sampler": (
        {"type": "string", "enum": list(get_args(Sampler))},
        "tpe: from what earlier trials reached; random; grid: every combination of listed values.",
    ),
    "pruner": (
        {"type": "string", "enum": list(get_args(Pruner))},
        "hyperband: trials that lag behind others at the same epoch are stopped; none.",
    ),
    "objective": (
        {"type": ["string", "null"]},
        "Number of the best epoch to search by, such as val_auc; empty: what the training monitors.",
    ),
    "seed": ({"type": "integer", "minimum": 0}, "Of the sampler."),
}
"""What a run may change of a search: rules of a value, and what it means."""


class SearchOperator(PipelineOperator):
    """Runs a part of ``kilnworks tune`` on the search of this run."""

    typed = ""
    """Settings of every trial, as they were typed into the form."""

    def execute(self, context: Context) -> Any:
        """Run the command. Raises the Airflow exception that fits how it ended."""
        self.arguments = (*self.arguments, f"--study={context['run_id']}")
        self.typed = str(dict(context["params"]).get("settings") or "")
        return super().execute(context)

    def handed(self) -> dict[str, str]:
        """See ``PipelineOperator.handed``; also what the settings of every trial refer to."""
        return handed_secrets(self.pipeline, self.steps, self.typed)


class BeginOperator(SearchOperator):
    """Makes the search; hands a place for each trial to the next task."""

    def execute(self, context: Context) -> list[int]:
        """Run the command with what was typed into the form, and return the places of the trials."""
        params = dict(context["params"])
        self.arguments = (*self.arguments, *words(params))
        super().execute(context)
        return list(range(params["trials"]))


class TrialOperator(SearchOperator):
    """Runs the next trial of the search, with its share of the processors.

    Args:
        place: of the task among those of the run; it takes whichever trial is next.
        workers: tasks that train at the same time.
    """

    def __init__(self, *, place: int = 0, workers: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.place, self.workers = place, workers

    def handed(self) -> dict[str, str]:
        """What its process alone is told."""
        return {**super().handed(), **shared_threads(self.workers)}


def words(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of the command for a filled form; one word a value, so that nothing typed is taken for an option."""
    given = {name: params.get(name) for name in FORM}
    options = [f"--{name}={value}" for name, value in given.items() if value not in (None, "")]
    return (*options, *setting_lines(params))


def setting_lines(params: Mapping[str, Any]) -> tuple[str, ...]:
    """``--set`` for each line of the field ``settings`` of a filled form."""
    lines = str(params.get("settings") or "").splitlines()
    return tuple(f"--set={line.strip()}" for line in lines if line.strip())


def tunes(pipeline: Pipeline) -> bool:
    """Whether there are trials to run: one step trains, in a process on the worker."""
    try:
        step = trained_step(pipeline)
    except ConfigError:
        return False
    return isinstance(pipeline.operations.task(step.name).where, ThisProcess | Python)


def build_tune_dag(pipeline: Pipeline) -> DAG:
    """The DAG that searches for better settings of ``pipeline``, which ``tunes``."""
    step, search = trained_step(pipeline), pipeline.search
    task = pipeline.operations.task(step.name)
    common: dict[str, Any] = {
        "pipeline": pipeline.name,
        "steps": sorted(pipeline.between(None, step.name)),
        "executable": task.where.executable if isinstance(task.where, Python) else None,
    }
    with companion(
        pipeline,
        TUNE,
        f"Searches for better settings of {pipeline.name}.",
        __doc__ or "",
        "search",
        routed(task),
        schedule=None,
        params=_params(pipeline),
    ) as dag:
        begin = BeginOperator(
            task_id="begin",
            task_display_name="begin: what is tried",
            arguments=_part(pipeline, "begin"),
            retries=RESTARTS,
            **common,
        )
        trial = TrialOperator.partial(
            task_id="trial",
            task_display_name="trial: train with other settings",
            arguments=_part(pipeline, "trial"),
            workers=search.workers,
            pool=task.pool,
            max_active_tis_per_dagrun=search.workers,
            map_index_template="trial {{ task.place }}",
            retries=3,
            retry_delay=dt.timedelta(seconds=task.retry_seconds),
            **common,
        ).expand(place=begin.output)
        conclude = SearchOperator(
            task_id="conclude",
            task_display_name="conclude: the best settings, and a page",
            arguments=_part(pipeline, "conclude"),
            trigger_rule="none_failed",
            retries=RESTARTS,
            **common,
        )
        trial >> conclude
    return dag


def _part(pipeline: Pipeline, name: str) -> tuple[str, ...]:
    return "tune", pipeline.name, f"--part={name}"


def _params(pipeline: Pipeline) -> dict[str, Param]:
    """The form: how is searched, and settings of every trial."""
    found = {
        name: asked(getattr(pipeline.search, name), rules, text, title=name) for name, (rules, text) in FORM.items()
    }
    found["settings"] = settings_of("trial")
    return found
