"""The note of a DAG run on its page in Airflow: why it failed, who or which gate stopped it, and what it came to.

The plugin makes it a listener, which the scheduler calls when a run ends. A note that somebody wrote stays.
"""

from typing import Any

from airflow.listeners import hookimpl

from kilnworks.components.reporting.reading import read_object
from kilnworks.dags.names import CHAMPION, RETRAIN, TAG, pipeline_of
from kilnworks.dags.pools import WAITS
from kilnworks.pipelines.core.arrivals import landed
from kilnworks.pipelines.core.reasons import blamed, closed_gates, failures, rejections, result
from kilnworks.pipelines.core.store import Store, open_store
from kilnworks.schemas.champion import newest_moves
from kilnworks.schemas.markdown import escaped


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Say which step failed and why."""
    _note(dag_run)


@hookimpl
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """Say who or what stopped it, verdict, version and metrics; a run that stops at a gate has not failed."""
    _note(dag_run)


def _note(dag_run: Any) -> None:
    dag = dag_run.dag  # None where a person has set the state of a run by hand
    if dag is not None and TAG in dag.tags and (not dag_run.note or dag_run.note.startswith(WAITS)):
        text = _text(dag_run)
        if text:
            dag_run.note = escaped(text)  # Airflow reads it as Markdown


def _text(dag_run: Any) -> str:
    """What a run came to; as this host has it, because the scheduler waits for no other."""
    name, store = str(dag_run.dag_id), Store(open_store().root)
    if name.endswith(CHAMPION):
        return _moved(store, pipeline_of(name), dag_run) or _alert(store, name, str(dag_run.run_id))
    if name.endswith(RETRAIN):
        return _alert(store, name, str(dag_run.run_id)) or _decided(store, pipeline_of(name), dag_run)
    return reasons(store, name, str(dag_run.run_id))


def reasons(store: Store, pipeline: str, run_id: str) -> str:
    """What stands in a run of a pipeline, a line each."""
    run = store.run(pipeline, run_id)
    steps = [path.stem for path in sorted(run.path.glob("outcomes/*.json"))]
    failed = failures(run, steps)
    failed[:1] = [line + blamed(landed(run)) for line in failed[:1]]
    return "\n".join(filter(None, [*failed, *closed_gates(run, steps), *rejections(run, steps), result(run)]))


def _moved(store: Store, pipeline: str, dag_run: Any) -> str:
    """The move of the champion that was made while the run went on."""
    began = dag_run.start_date.isoformat(timespec="seconds")
    move = next(newest_moves(store.root, pipeline), None)
    if move is None or str(move["since"]) < began:
        return ""
    done = {"promote": "promoted", "rollback": "rolled back to"}.get(str(move["action"]), str(move["action"]))
    return f"{done} run {move['run_id']}, live as version {move['version']}, by {move['by']}: {move['reason']}"


def _decided(store: Store, pipeline: str, dag_run: Any) -> str:
    """What was decided on new data while the run went on."""
    newest = sorted((store.root / "retraining" / pipeline / "decisions").glob("*.json"))[-1:]
    records = [read_object(path) for path in newest]
    return "".join(str(r["headline"]) for r in records if r and r["at"] >= dag_run.start_date.timestamp())


def _alert(store: Store, dag_id: str, run_id: str) -> str:
    """What was last told of a run by an alert."""
    found = [read_object(path) for path in sorted((store.root / "alerts").glob(f"*-{dag_id}-*.json"))]
    return next((str(a["text"]) for a in found[::-1] if a and a["run_id"] == run_id), "")
