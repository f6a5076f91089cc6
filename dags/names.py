"""The names of our DAGs in Airflow: each pipeline has one, one that retrains it, and one that moves its champion."""

TAG = "kilnworks"
"""Of every DAG of ours."""
RETRAIN = "_retrain"
"""What the DAG that starts retrainings of a pipeline has behind its name."""
CHAMPION = "_champion"
"""The same for the DAG that moves its champion by hand."""


def pipeline_of(dag_id: str) -> str:
    """The pipeline that a DAG of ours belongs to.

    >>> pipeline_of("churn_champion"), pipeline_of("churn")
    ('churn', 'churn')
    """
    return dag_id.removesuffix(RETRAIN).removesuffix(CHAMPION)
