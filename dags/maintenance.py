"""The DAG that removes old runs from the store, without touching anything live.

How much is kept is asked in its form. See ``python -m pipelines prune``.
"""

import datetime as dt

from airflow.sdk import DAG, CronTriggerTimetable, Param

from dags.operators import PipelineOperator
from dags.timetable import LATE
from pipelines.core.retention import RetentionConfig

NAME = "maintenance"


def build_maintenance_dag() -> DAG:
    """Once a day, from the first midnight on after it was switched on."""
    with DAG(
        NAME,
        description="Removes old runs from the store.",
        doc_md=__doc__,
        schedule=CronTriggerTimetable("@daily", timezone="UTC", run_immediately=LATE),
        catchup=False,
        max_active_runs=1,
        auto_register=False,
        tags=["kilnworks"],
        default_args={"owner": "kilnworks", "retries": 2, "retry_delay": dt.timedelta(minutes=5)},
        params={name: Param(**rules) for name, rules in RetentionConfig.model_json_schema()["properties"].items()},
    ) as dag:
        PipelineOperator(
            task_id="prune",
            pipeline=NAME,
            arguments=("prune",),
            env={"KILNWORKS_KEEP_RUNS": "{{ params.runs }}", "KILNWORKS_KEEP_DAYS": "{{ params.days }}"},
        )
    return dag
