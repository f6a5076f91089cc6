"""The note of a DAG run on its page in Airflow: why it failed, which gate closed, and what it came to.

The plugin makes it a listener, which the scheduler calls when a run ends. A note that somebody wrote stays.
"""

from typing import Any

from airflow.listeners import hookimpl

from kilnworks.dags.pools import TAG
from kilnworks.pipelines.core.reasons import closed_gates, failures, result
from kilnworks.pipelines.core.store import Store, open_store
from kilnworks.schemas.markdown import escaped


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Say which step failed and why."""
    _note(dag_run)


@hookimpl
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """Say which gate closed, verdict, version and metrics; a run that stops at a gate has not failed."""
    _note(dag_run)


def _note(dag_run: Any) -> None:
    dag = dag_run.dag  # None where a person has set the state of a run by hand
    if dag is not None and TAG in dag.tags and not dag_run.note:
        text = reasons(str(dag_run.dag_id), str(dag_run.run_id))
        if text:
            dag_run.note = escaped(text)  # Airflow reads it as Markdown


def reasons(pipeline: str, run_id: str) -> str:
    """What stands in the run, a line each; as this host has it, because the scheduler waits for no other."""
    run = Store(open_store().root).run(pipeline, run_id)
    steps = [path.stem for path in sorted(run.path.glob("outcomes/*.json"))]
    return "\n".join(filter(None, [*failures(run, steps), *closed_gates(run, steps), result(run)]))
