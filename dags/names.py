"""Names of our DAGs in Airflow: each pipeline has one, and others that retrain it, move its champion, look closer."""

from collections.abc import Collection

TAG = "kilnworks"
"""Of every DAG of ours."""
RETRAIN = "_retrain"
"""What the DAG that starts retrainings of a pipeline has behind its name."""
CHAMPION = "_champion"
"""The same for the DAG that moves its champion by hand."""
TUNE = "_tune"
"""The same for the DAG that searches for better settings."""
CRAFT = "_craft"
"""The same for the DAG that cross-validates and diagnoses it, and finds a learning rate."""
ENDINGS = (RETRAIN, CHAMPION, TUNE, CRAFT)


def pipeline_of(dag_id: str, pipelines: Collection[str] = ()) -> str:
    """The pipeline that a DAG of ours belongs to; ``pipelines`` are those that are known, however their names end.

    >>> pipeline_of("churn_champion"), pipeline_of("churn")
    ('churn', 'churn')
    >>> pipeline_of("tennis_champion", ["tennis_champion"]), pipeline_of("tennis_champion_retrain")
    ('tennis_champion', 'tennis_champion')
    """
    if dag_id in pipelines:
        return dag_id
    return next((dag_id.removesuffix(end) for end in ENDINGS if dag_id.endswith(end)), dag_id)
