"""The note of a DAG run on its page in Airflow: why it failed, who or which gate stopped it, and what it came to.

The plugin makes it a listener, which the scheduler calls when a run ends. A note that somebody wrote stays.
"""

from itertools import takewhile
from typing import Any

from airflow.listeners import hookimpl

from kilnworks.components.reporting.reading import read_moves, read_object
from kilnworks.components.reporting.search_page import setting_words
from kilnworks.dags.markdown import note
from kilnworks.dags.names import CHAMPION, CRAFT, RETRAIN, TAG, TUNE, pipeline_of
from kilnworks.dags.pools import KIND, WAITS
from kilnworks.pipelines.core.arrivals import landed
from kilnworks.pipelines.core.reasons import blamed, closed_gates, failures, rejections, result
from kilnworks.pipelines.core.store import Store, clean, open_store
from kilnworks.pipelines.craft.headline import headline
from kilnworks.pipelines.craft.work import FOLDERS, RESULTS
from kilnworks.pipelines.tuning.study import BEST, Study
from kilnworks.schemas.json_values import as_dict, as_number

MOST_ALERTS = 100
"""How many of the newest alerts of a DAG are looked through for those of a run: the scheduler waits meanwhile."""


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
        if text or dag_run.note:
            dag_run.note = note(text) or None  # it waits no longer


def _text(dag_run: Any) -> str:
    """What a run came to; as this host has it, because the scheduler waits for no other."""
    name, store = str(dag_run.dag_id), Store(open_store().root)
    pipeline = pipeline_of(name, store.pipelines())
    if name == f"{pipeline}{CHAMPION}":
        return _moved(store, pipeline, dag_run) or _alert(store, name, str(dag_run.run_id))
    if name == f"{pipeline}{RETRAIN}":
        return _alert(store, name, str(dag_run.run_id)) or _decided(store, pipeline, dag_run)
    if name == f"{pipeline}{TUNE}":
        return _searched(store, pipeline, str(dag_run.run_id)) or _alert(store, name, str(dag_run.run_id))
    if name == f"{pipeline}{CRAFT}":
        return _crafted(store, pipeline, str(dag_run.run_id)) or _alert(store, name, str(dag_run.run_id))
    return reasons(store, name, str(dag_run.run_id))


def reasons(store: Store, pipeline: str, run_id: str) -> str:
    """What stands in a run of a pipeline, a line each."""
    run = store.run(pipeline, run_id)
    steps = [path.stem for path in sorted(run.path.glob("outcomes/*.json"))]
    failed = failures(run, steps)
    failed[:1] = [line + blamed(landed(run)) for line in failed[:1]]
    return "\n".join(filter(None, [*failed, *closed_gates(run, steps), *rejections(run, steps), result(run)]))


def _moved(store: Store, pipeline: str, dag_run: Any) -> str:
    """The move of the champion that somebody made while the run went on; not what the gates let go live meanwhile."""
    began = dag_run.start_date.isoformat(timespec="seconds")
    since = takewhile(lambda move: str(move["since"]) >= began, read_moves(store.root, pipeline))
    move = next((move for move in since if move["action"] != "deploy"), None)
    if move is None:
        return ""
    done = {"promote": "promoted", "rollback": "rolled back to"}.get(str(move["action"]), str(move["action"]))
    return f"{done} run {move['run_id']}, live as version {move['version']}, by {move['by']}: {move['reason']}"


def _decided(store: Store, pipeline: str, dag_run: Any) -> str:
    """What was decided on new data while the run went on."""
    newest = sorted((store.root / "retraining" / pipeline / "decisions").glob("*.json"))[-1:]
    records = [read_object(path) for path in newest]
    began = dag_run.start_date.timestamp()
    return "".join(str(r.get("headline", "")) for r in records if (as_number(r.get("at")) or 0.0) >= began)


def _searched(store: Store, pipeline: str, run_id: str) -> str:
    """The best trial of a search; empty where none has finished."""
    best = read_object(Study(store, pipeline, clean(run_id)).folder / BEST)
    if not best:
        return ""
    found, before = as_number(best.get("value")), as_number(best.get("default"))
    than = "" if before is None else f", the definition's settings {before:.5g}"
    settings = setting_words(as_dict(best.get("overrides"))) or "the settings of the definition"
    return f"best {best.get('objective')} {found or 0.0:.5g} (trial {best.get('trial')}{than}): {settings}"


def _crafted(store: Store, pipeline: str, run_id: str) -> str:
    """What a cross-validation, a diagnosis or a search for a learning rate came to; empty where it has not ended."""
    for folder in FOLDERS.values():
        told = read_object(store.root / folder / pipeline / clean(run_id) / RESULTS)
        if told:
            return headline(told)
    return ""


def _alert(store: Store, dag_id: str, run_id: str) -> str:
    """What was last told of a run by an alert; not that it waited."""
    newest = sorted((store.root / "alerts").glob(f"*-{dag_id}-*.json"), reverse=True)[:MOST_ALERTS]
    found = (alert for alert in map(read_object, newest) if alert.get("run_id") == run_id)
    return next((str(alert.get("text", "")) for alert in found if alert.get("kind") != KIND), "")
