"""What Airflow knows of a run of ours, for a page about a run that has written nothing yet."""

from typing import Any

TAG = "kilnworks"
ENDED = ("success", "failed")


def state(dag_id: str, run_id: str) -> str | None:
    """State of the DAG run; ``""`` where there is none of that id, None where the DAG is not one of ours."""
    from airflow.models.dag import DagTag
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        ours = select(DagTag.name).where(DagTag.dag_id == dag_id, DagTag.name == TAG)
        if session.scalar(ours) is None:
            return None
        found: Any = session.scalar(select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    return str(getattr(found, "value", found) or "")
