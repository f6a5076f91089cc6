"""For each pipeline that retrains on new data, the DAG that starts it exactly once.

::

    landing folder --watcher--> asset NAME.landing --> DAG NAME_retrain:  decide -> start -> confirm
    POST /api/v2/assets/events -----^                                    one run id for each content fingerprint

``decide`` sets aside what would spoil a run, with an alert for each file, and claims what is due, or is skipped with
the reason; where it cannot decide it fails, with an alert. ``start`` creates the run of the pipeline under that
id; where it exists, nothing happens. With ``max_active_runs=1`` it queues behind the run that is going on.
"""

import datetime as dt
import time
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
    DagRunTriggerException,
)

from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.retraining.watch import claim, confirm, look
from kilnworks.dags import alerts
from kilnworks.dags.factory import companion, where_published
from kilnworks.dags.names import RETRAIN
from kilnworks.dags.watcher import LandingTrigger
from kilnworks.pipelines.core.arrivals import set_spoiled_aside
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.owner import require_owner
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import open_store
from kilnworks.schemas.errors import KilnworksError


class DecideOperator(BaseOperator):
    """Looks at the landing folder and claims what is due; hands ``{"run_id", "settings"}`` to the next task."""

    custom_operator_name = "looks at new data"

    def __init__(self, *, pipeline: str, policy: RetrainPolicy, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline, self.policy = pipeline, policy

    def execute(self, context: Context) -> dict[str, Any]:
        """Claim. Skipped when nothing is due; asks again in a moment while data still arrives; fails with an alert."""
        try:
            return self._claimed(context)
        except KilnworksError as error:
            raise (AirflowException if error.retry_helps else AirflowFailException)(str(error)) from error

    def _claimed(self, context: Context) -> dict[str, Any]:
        opened, now = open_store(), time.time()
        require_owner(opened, f"starting a retraining of {self.pipeline}")
        store = opened.root
        decision = look(self.policy, store, self.pipeline, now)
        self.log.info("%s", decision.record.headline)
        for spoiled in set_spoiled_aside(load(self.pipeline), self.policy, opened):
            text = f"{spoiled.name} is set aside: {spoiled.reason}. It lies at {spoiled.lies_at}; {spoiled.bring_back}"
            alerts.tell("set aside", str(context["ti"].dag_id), str(context["run_id"]), "decide", text)
        order = claim(self.policy, store, self.pipeline, now)
        if order is not None:
            self.log.info("%s: %d new rows in %s", order.run_id, order.rows, ", ".join(order.files))
            return {"run_id": order.run_id, "settings": order.settings}
        if decision.soon:
            again = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.policy.poll_seconds)
            raise AirflowRescheduleException(again)
        raise AirflowSkipException(decision.record.headline)


class StartOperator(BaseOperator):
    """Creates the claimed run of the pipeline's DAG; skipped where it exists."""

    custom_operator_name = "starts a run"

    def __init__(self, *, pipeline: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline

    def execute(self, context: Context) -> None:
        """Ask Airflow for the run. It has no logical date, which would collide with that of another run."""
        order = context["ti"].xcom_pull(task_ids="decide")
        raise DagRunTriggerException(
            trigger_dag_id=self.pipeline,
            dag_run_id=order["run_id"],
            conf=order["settings"],
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=[],
            failed_states=[],
            poke_interval=60,
            deferrable=False,
        )


class ConfirmOperator(BaseOperator):
    """Remembers that the claimed run exists, so that it is not started again."""

    custom_operator_name = "keeps the ledger"

    def __init__(self, *, pipeline: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline

    def execute(self, context: Context) -> None:
        """Confirm the order of ``decide``; nothing where it was skipped."""
        order = context["ti"].xcom_pull(task_ids="decide")
        if order is None:
            raise AirflowSkipException("nothing was claimed")
        confirm(open_store().root, self.pipeline, order["run_id"])


def landing_asset(pipeline: str, policy: RetrainPolicy) -> Asset:
    """What arrives for a pipeline; events come from the watcher, or from whoever posts one."""
    trigger = LandingTrigger(pipeline, policy.model_dump(mode="json"))
    return Asset(
        name=f"{pipeline}.landing",
        uri=f"kilnworks://{pipeline}/landing",
        group="kilnworks",
        watchers=[AssetWatcher(name=f"{pipeline}.landing", trigger=trigger)],
    )


def build_retrain_dag(pipeline: Pipeline, policy: RetrainPolicy) -> DAG:
    """The DAG that starts retrainings of ``pipeline``."""
    name = pipeline.name
    with companion(
        pipeline,
        RETRAIN,
        f"Starts {name} once for whatever arrives in {policy.landing}.",
        __doc__ or "",
        "retraining",
        {**where_published(pipeline), "retries": 3, "retry_delay": dt.timedelta(seconds=10)},
        schedule=[landing_asset(name, policy)],
    ) as dag:
        decide = DecideOperator(
            task_id="decide", task_display_name="decide: is a retraining due?", pipeline=name, policy=policy
        )
        start = StartOperator(task_id="start", task_display_name="start: create the run", pipeline=name)
        (
            decide
            >> start
            >> ConfirmOperator(
                task_id="confirm", task_display_name="confirm: remember it", pipeline=name, trigger_rule="none_failed"
            )
        )
    return dag
