"""What Airflow's own database knows; the one place of ours that asks it.

Airflow calls its models and sessions internal. The processes that ask are its own (API server, scheduler), where the
documented way, its REST API, would need a token of its own for each question.
"""

from typing import Any

from kilnworks.dags.names import TAG

ENDED = ("success", "failed")
"""States of a DAG run that goes on no more."""


def state(dag_id: str, run_id: str) -> str | None:
    """State of the DAG run; ``""`` where there is none of that id, None where the DAG is not one of ours."""
    from airflow.models.dag import DagTag
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    with _session() as session:
        ours = select(DagTag.name).where(DagTag.dag_id == dag_id, DagTag.name == TAG)
        if session.scalar(ours) is None:
            return None
        found: Any = session.scalar(select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    return str(getattr(found, "value", found) or "")


def pools() -> set[str]:
    """Names of the pools that exist."""
    from airflow.models.pool import Pool
    from sqlalchemy import select

    with _session() as session:
        return set(session.scalars(select(Pool.pool)))


def latest(dag_bag: Any, dag_id: str) -> Any:
    """The DAG as it was parsed last, from the API server's ``dag_bag``; None where there is none."""
    with _session() as session:
        return dag_bag.get_latest_version_of_dag(dag_id, session=session)


def _session() -> Any:
    """A transaction beside that of the thread that asks."""
    from airflow.utils.session import create_session

    return create_session(scoped=False)
