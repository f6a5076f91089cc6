"""The names of our DAGs in Airflow: each pipeline has one, one that retrains it, and one that moves its champion."""

from collections.abc import Collection

TAG = "kilnworks"
"""Of every DAG of ours."""
RETRAIN = "_retrain"
"""What the DAG that starts retrainings of a pipeline has behind its name."""
CHAMPION = "_champion"
"""The same for the DAG that moves its champion by hand."""


def pipeline_of(dag_id: str, pipelines: Collection[str] = ()) -> str:
    """The pipeline that a DAG of ours belongs to; ``pipelines`` are those that are known, however their names end.

    >>> pipeline_of("churn_champion"), pipeline_of("churn")
    ('churn', 'churn')
    >>> pipeline_of("tennis_champion", ["tennis_champion"]), pipeline_of("tennis_champion_retrain")
    ('tennis_champion', 'tennis_champion')
    """
    if dag_id in pipelines:
        return dag_id
    return next((dag_id.removesuffix(end) for end in (RETRAIN, CHAMPION) if dag_id.endswith(end)), dag_id)
