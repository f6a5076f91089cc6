"""Every DAG of every pipeline definition, made in one pass; with the reasons of those that make none.

::

    pipelines/NAME.py -> NAME              the pipeline
                      -> NAME_retrain      where it retrains on new data
                      -> NAME_champion     where it publishes
                      -> NAME_tune         where it trains
                      -> NAME_craft        where it trains on rows
    the store         -> maintenance

Airflow reads each of its files in a process of its own, every few seconds. So one file, ``training.py``, asks for all
of this, and what did not load is noted in the store for ``import_errors.py``, which Airflow shows it by.
"""

from airflow.sdk import DAG, get_parsing_context

from kilnworks.dags import champion, craft, maintenance, retrain, tune
from kilnworks.dags.factory import build_dag
from kilnworks.dags.names import ENDINGS
from kilnworks.dags.noted import note, stamps
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.registry import docs, load, names
from kilnworks.pipelines.core.store import Store, open_store
from kilnworks.schemas.errors import KilnworksError


def all_dags() -> dict[str, DAG]:
    """DAG id -> DAG. In the process of a task only its own, of the one definition that it needs."""
    asked = get_parsing_context().dag_id
    if asked is not None:
        return {dag.dag_id: dag for dag in _asked(asked)}
    seen = stamps()
    found, reasons = read_all()
    note(seen, reasons)
    return found


def read_all() -> tuple[dict[str, DAG], dict[str, str]]:
    """DAG id -> DAG, and name of each definition that makes none -> why."""
    found: dict[str, DAG] = {maintenance.NAME: maintenance.build_maintenance_dag()}
    reasons: dict[str, str] = {}
    store = open_store()
    for name in names():
        try:
            made = {dag.dag_id: dag for dag in _dags(load(name), store)}
        except KilnworksError as error:
            reasons[name] = error.got
        except Exception as error:
            reasons[name] = f"{type(error).__name__}: {error}"
        else:
            taken = sorted(made.keys() & found.keys())
            if taken:
                reasons[name] = f"there is another DAG {', '.join(taken)}; give the definition another name"
            else:
                found |= made
    return found, reasons


def _asked(dag_id: str) -> list[DAG]:
    """The DAG of that id, the first as in ``read_all``; none where it has gone."""
    if dag_id == maintenance.NAME:
        return [maintenance.build_maintenance_dag()]
    owners = [n for n in names() if dag_id in (n, *(n + end for end in ENDINGS))]
    return [dag for name in owners for dag in _dags(load(name)) if dag.dag_id == dag_id][:1]


def _dags(pipeline: Pipeline, store: Store | None = None) -> list[DAG]:
    """All DAGs of a definition, or none: an error in one of them is one of the definition.

    ``store`` is what their forms offer choices from, if they are read to be shown.
    """
    found = [build_dag(pipeline, docs(pipeline.name))]
    if pipeline.operations.retrain is not None:
        found.append(retrain.build_retrain_dag(pipeline, pipeline.operations.retrain))
    if champion.publishes(pipeline):
        found.append(champion.build_champion_dag(pipeline, store))
    if tune.tunes(pipeline):
        found.append(tune.build_tune_dag(pipeline))
    if craft.crafts(pipeline):
        found.append(craft.build_craft_dag(pipeline))
    return found
