"""The DAG that removes old runs from the store, without touching anything live.

How much is kept is asked in its form. See ``kilnworks prune``.
"""

import datetime as dt

from airflow.sdk import DAG, CronTriggerTimetable, Param

from kilnworks.dags.fields import asked
from kilnworks.dags.markdown import document
from kilnworks.dags.operators import PipelineOperator
from kilnworks.dags.timetable import LATE
from kilnworks.pipelines.core.form import settings_of
from kilnworks.pipelines.core.retention import RetentionConfig

NAME = "maintenance"


def build_maintenance_dag() -> DAG:
    """Once a day, from the first midnight on after it was switched on."""
    with DAG(
        NAME,
        description="Removes old runs from the store.",
        doc_md=document(__doc__ or ""),
        schedule=CronTriggerTimetable("@daily", timezone="UTC", run_immediately=LATE),
        catchup=False,
        max_active_runs=1,
        auto_register=False,
        tags=["kilnworks"],
        default_args={"owner": "kilnworks", "retries": 2, "retry_delay": dt.timedelta(minutes=5)},
        params=_params(),
    ) as dag:
        PipelineOperator(
            task_id="prune",
            task_display_name="prune: remove old runs",
            pipeline=NAME,
            arguments=("prune",),
            env={"KILNWORKS_KEEP_RUNS": "{{ params.runs }}", "KILNWORKS_KEEP_DAYS": "{{ params.days }}"},
        )
    return dag


def _params() -> dict[str, Param]:
    return {f.title: asked(f.default, f.schema, f.help) for f in settings_of(NAME, RetentionConfig())}
