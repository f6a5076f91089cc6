"""Says that a task waits for a pool that does not exist; Airflow's scheduler itself would let it wait without a word.

The plugin makes it a listener, which the scheduler calls when a run begins. The alert is sent by a thread of its own:
looking up a connection of Airflow ends the transaction of the thread that asks. In the scheduler's own thread that is
the one that starts the run, which would be started, and told of, again several times a second.
"""

from threading import Thread
from typing import Any

from airflow.listeners import hookimpl

from kilnworks.dags import alerts
from kilnworks.dags.markdown import note
from kilnworks.dags.metadata import pools
from kilnworks.dags.names import TAG

KIND = "no pool"
"""Of the alert."""
WAITS = "waits: "
"""What the note of a run begins with that waits for a pool; the note at its end replaces it."""


@hookimpl
def on_dag_run_running(dag_run: Any, msg: str) -> None:
    """Tell of each pool that tasks of a run name and that is not there, also in the note of the run."""
    if TAG not in dag_run.dag.tags:
        return
    wanted: dict[str, list[str]] = {}
    for task in dag_run.dag.tasks:
        wanted.setdefault(task.pool, []).append(task.task_id)
    missing: list[str] = []
    for pool in sorted(wanted.keys() - pools()):
        tasks = ", ".join(sorted(wanted[pool]))
        text = f"{tasks} will wait: there is no pool {pool!r}. To do: airflow pools set {pool} 1 '{pool}'"
        missing.append(text)
        told = (KIND, str(dag_run.dag_id), str(dag_run.run_id), tasks, text)
        Thread(target=alerts.tell, args=told, name="alert").start()
    if missing and not dag_run.note:
        dag_run.note = note(f"{WAITS}{'; '.join(missing)}")
