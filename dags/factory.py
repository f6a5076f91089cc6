"""Pipeline -> Airflow DAG: a task for each unit of work, an arrow for each input. It decides nothing.

::

    Pipeline.operations    what is said about running it   -> pools, retries, timeouts, approval, place, deadline
    Pipeline.units()       what runs in one process        -> one task: kilnworks step NAME STEP...
    form(pipeline)         its settings                    -> the params form; changes travel as JSON in the environment
    teardown task finish   report, MLflow                  -> runs however the others ended, and hides no failure
"""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable, Param, TaskGroup
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.definitions.param import ParamsDict

from kilnworks.dags import alerts, assets, containers, fields
from kilnworks.dags.approval import ApprovalOperator
from kilnworks.dags.markdown import document
from kilnworks.dags.operators import InProcessOperator, PipelineOperator
from kilnworks.dags.project import open_run
from kilnworks.dags.timetable import LATE, NextInterval
from kilnworks.pipelines.core.approval import approved_settings
from kilnworks.pipelines.core.challenge import asks_models
from kilnworks.pipelines.core.form import changed, form
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.operations import Docker, Pod, Python, Task, ThisProcess, stage
from kilnworks.pipelines.core.promotion import ASKED, AUTO, NEVER, WISHES
from kilnworks.pipelines.core.units import Unit
from kilnworks.schemas.artifacts import Deployment

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LIVE = "live"
"""Name of the form's field about going live; settings have a dot in theirs."""
WISH_HELP = {
    AUTO: "the model goes live where the gates are open, unless settings were changed (a trial) or something newer is "
    "live.",
    NEVER: "nothing is published.",
    ASKED: "it goes live in your name although it is a trial or older; gates and approval hold all the same.",
}
AT_ONCE = ("@once", "@continuous")
"""Schedules that ask for a run as soon as the DAG is switched on."""
RESTARTS = 1
"""How often a task is tried again at least: it may be killed with the machine, whatever its step says of errors."""
LONGEST_RETRY = dt.timedelta(hours=1)


def build_dag(pipeline: Pipeline, docs: str = "") -> DAG:
    """The DAG of a pipeline.

    Args:
        pipeline: the definition.
        docs: Markdown, put above the table of its steps.
    """
    with DAG(
        pipeline.name,
        description=pipeline.description,
        doc_md=_docs(pipeline, docs),
        schedule=_schedule(pipeline),
        start_date=START if pipeline.schedule in AT_ONCE else None,
        catchup=False,
        max_active_runs=1,
        auto_register=False,
        tags=sorted({"kilnworks", *pipeline.tags}),
        default_args={"owner": pipeline.owner},
        deadline=_deadline(pipeline),
        user_defined_macros={
            "overrides": lambda params, run_id: _overrides(pipeline, params, run_id),
            "interval": lambda dag_run: _interval(pipeline, dag_run),
        },
    ) as dag:
        tasks = _tasks(pipeline)
        finish = PipelineOperator(
            task_id="finish",
            task_display_name="finish: report and tracking",
            doc_md="Writes the report of the run and sends its figures to MLflow, however the other tasks ended.",
            pipeline=pipeline.name,
            arguments=("finish", pipeline.name),
            env=_environment(),
        ).as_teardown(on_failure_fail_dagrun=False)
        list(tasks.values()) >> finish
    dag.params = ParamsDict(_params(pipeline))  # last: each task would begin with a deep copy of the whole form
    return dag


def companion(
    pipeline: Pipeline, ending: str, description: str, docs: str, tag: str, tasks: Mapping[str, Any], **dag: Any
) -> DAG:
    """An empty DAG that stands beside that of a pipeline, one run of it at a time.

    Args:
        pipeline: the definition.
        ending: of its name, behind that of the pipeline.
        description: one line.
        docs: Markdown.
        tag: what it is for.
        tasks: arguments of every task, besides its owner and who is told of a failure.
        dag: other arguments of the DAG.
    """
    return DAG(
        f"{pipeline.name}{ending}",
        description=description,
        doc_md=document(docs),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        auto_register=False,
        tags=["kilnworks", tag],
        default_args={"owner": pipeline.owner, "on_failure_callback": alerts.task_failed, **tasks},
        **dag,
    )


def _tasks(pipeline: Pipeline) -> dict[str, BaseOperator]:
    """A task for each unit, drawn in the box of its stage, behind the tasks that it waits for."""
    boxes: dict[str, TaskGroup] = {}
    tasks: dict[str, BaseOperator] = {}
    unit_of = {step.name: unit.name for unit in pipeline.units() for step in unit.steps}
    for unit in pipeline.units():
        box = stage(unit.task, unit.steps[0].signature.result)
        if box not in boxes:
            boxes[box] = TaskGroup(box, prefix_group_id=False)
        with boxes[box]:
            tasks[unit.name] = _task(pipeline, unit)
            asked = _approval(pipeline, unit)
        behind = [tasks[unit_of[name]] for name in unit.upstream()]
        if asked is None:
            tasks[unit.name].set_upstream(behind)
        else:
            asked.set_upstream(behind)
            tasks[unit.name].set_upstream(asked)
    return tasks


def _approval(pipeline: Pipeline, unit: Unit) -> BaseOperator | None:
    """The task that asks a person before the unit runs, where its definition wants that."""
    if unit.task.approval is None:
        return None
    step = unit.steps[0].name
    title = f"approve: may {step} run?"
    return ApprovalOperator(
        task_id=f"approve_{unit.name}",
        task_display_name=title,
        pipeline=pipeline,
        step=step,
        approval=unit.task.approval,
        **routed(unit.task),
    )


def _task(pipeline: Pipeline, unit: Unit) -> BaseOperator:
    """The task of a unit, where its definition wants it to run."""
    steps = [step.name for step in unit.steps]
    arguments = ("step", pipeline.name, *steps)
    common = _common(pipeline, unit)
    match unit.task.where:
        case ThisProcess() if not any(asks_models(step) for step in unit.steps):
            return InProcessOperator(
                pipeline=pipeline.name, arguments=arguments, steps=steps, env=_environment(), **common
            )
        case ThisProcess() | Python():
            executable = unit.task.where.executable if isinstance(unit.task.where, Python) else None
            return PipelineOperator(
                pipeline=pipeline.name,
                arguments=arguments,
                steps=steps,
                env=_environment(),
                executable=executable,
                **common,
            )
        case Docker() as where:
            return containers.docker_operator(where, arguments, _environment(), **common)
        case Pod() as where:
            return containers.pod_operator(where, f"{pipeline.name}-{unit.name}", arguments, _environment(), **common)


def _common(pipeline: Pipeline, unit: Unit) -> dict[str, Any]:
    """What every task has, wherever it runs."""
    task = unit.task
    return {
        "task_id": unit.name,
        "task_display_name": _title(unit),
        "doc_md": "\n\n".join(f"### {s.name}\n\n{document(s.run.__doc__ or s.component)}" for s in unit.steps),
        "pool": task.pool,
        **routed(task),
        "max_active_tis_per_dag": 1,  # also in a backfill, which has a limit of runs of its own
        "retries": max(unit.retries, RESTARTS) if task.retries is None else task.retries,
        "retry_delay": dt.timedelta(seconds=task.retry_seconds),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": LONGEST_RETRY,
        "execution_timeout": None if task.timeout_seconds is None else dt.timedelta(seconds=task.timeout_seconds),
        "inlets": assets.inlets(pipeline, unit.steps),
        "outlets": assets.outlets(pipeline.name, unit.steps),
        "on_failure_callback": alerts.task_failed,
        "on_skipped_callback": alerts.gate_closed,
        "on_success_callback": alerts.gate_closed,  # a group whose last step was held has made the others
        "post_execute": assets.announce(pipeline, unit.steps),
    }


def routed(task: Task) -> dict[str, Any]:
    """Arguments of an operator that say which executor and workers take it, and before whom."""
    named = {"queue": task.queue, "executor": task.executor, "executor_config": task.executor_config}
    return {"priority_weight": task.priority, **{name: value for name, value in named.items() if value is not None}}


def where_published(pipeline: Pipeline) -> dict[str, Any]:
    """The same for tasks that belong on the host of the deployment, which alone may move the champion."""
    steps = [step.name for step in pipeline.steps if issubclass(step.signature.result, Deployment)]
    return routed(pipeline.operations.task(steps[0]) if steps else Task())


def _title(unit: Unit) -> str:
    """What a task does, in a line of the graph: its name and its components, such as ``model: train``."""
    verbs = dict.fromkeys(step.component.rpartition(".")[2] for step in unit.steps)
    return f"{unit.name}: {', '.join(verbs)}"


def _environment() -> dict[str, str]:
    """What a task tells its command; Airflow fills in the templates."""
    return {
        "KILNWORKS_RUN_ID": "{{ run_id }}",
        "KILNWORKS_OVERRIDES": "{{ overrides(params, run_id) }}",
        "KILNWORKS_LIVE": "{{ params['live'] }}",
        "KILNWORKS_BY": "{{ dag_run.triggering_user_name or '' }}",
        "KILNWORKS_INTERVAL": "{{ interval(dag_run) }}",
        "KILNWORKS_TRIGGER": "Airflow, {{ dag_run.run_type | replace('DagRunType.', '') | lower }}",
    }


def _overrides(pipeline: Pipeline, params: Mapping[str, Any], run_id: str) -> str:
    """The settings that differ from the definition: by the form, and over them by those who approved; as JSON."""
    steps = [step.name for step in pipeline.steps]
    settings = {name: value for name, value in params.items() if name != LIVE}
    given = {**changed(pipeline, settings), **approved_settings(open_run(pipeline.name, run_id), steps)}
    return json.dumps(given, sort_keys=True)


def _schedule(pipeline: Pipeline) -> Any:
    """When it runs; for a pipeline that takes the rows of an interval, a timetable that has intervals."""
    if pipeline.schedule is None or pipeline.schedule in AT_ONCE:
        return pipeline.schedule
    if pipeline.operations.window:
        return NextInterval(pipeline.schedule, timezone="UTC")
    return CronTriggerTimetable(pipeline.schedule, timezone="UTC", run_immediately=LATE)


def _interval(pipeline: Pipeline, dag_run: Any) -> str:
    """The data interval of a run as ``START/END``; empty where the run, or the pipeline, has none."""
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    if not pipeline.operations.window or start is None or end is None or end <= start:
        return ""
    return f"{start.isoformat()}/{end.isoformat()}"


def _deadline(pipeline: Pipeline) -> DeadlineAlert | None:
    """The alert for a run that takes too long."""
    seconds = pipeline.operations.deadline_seconds
    if seconds is None:
        return None
    callback = AsyncCallback(alerts.deadline_missed, {"pipeline": pipeline.name, "seconds": seconds})
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, dt.timedelta(seconds=seconds), callback)


def _params(pipeline: Pipeline) -> dict[str, Param]:
    """The form: what may go live, and one field a setting, in a section for each step."""
    return {LIVE: _live_param()} | {field.name: fields.param(field) for field in form(pipeline)}


def _live_param() -> Param:
    return Param(
        AUTO,
        enum=list(WISHES),
        type="string",
        title="what goes live",
        section="Going live",
        description_md="\n".join(f"* **{kind}**: {text}" for kind, text in WISH_HELP.items()),
    )


def _docs(pipeline: Pipeline, docs: str) -> str:
    rows = [f"| `{s.name}` | {s.signature.result.__name__} | {', '.join(s.upstream())} |" for s in pipeline.steps]
    table = "\n".join(["| step | makes | from |", "|---|---|---|", *rows])
    by_hand = f"The same on the command line: `kilnworks run {pipeline.name}`"
    return f"{document(docs or pipeline.description)}\n\n{table}\n\n{by_hand}\n"
