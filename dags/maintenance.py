"""Airflow finds here the DAG that removes old runs from the store, without touching anything live.

How much is kept is asked in its form. See ``python -m pipelines prune``.
"""

import datetime as dt

from airflow.sdk import DAG, Param

from dags.factory import START
from dags.operators import PipelineOperator
from pipelines.core.retention import RetentionConfig

with DAG(
    "maintenance",
    description="Removes old runs from the store.",
    doc_md=__doc__,
    schedule="@daily",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    tags=["kilnworks"],
    default_args={"owner": "kilnworks", "retries": 2, "retry_delay": dt.timedelta(minutes=5)},
    params={name: Param(**rules) for name, rules in RetentionConfig.model_json_schema()["properties"].items()},
) as dag:
    PipelineOperator(
        task_id="prune",
        pipeline="maintenance",
        arguments=("prune",),
        env={"KILNWORKS_KEEP_RUNS": "{{ params.runs }}", "KILNWORKS_KEEP_DAYS": "{{ params.days }}"},
    )
