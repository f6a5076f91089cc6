"""What people are told when a run of a DAG goes wrong or is late: columns, rules and rows, or metric and limit.

An alert is logged, kept in the store for the Airflow plugin's page, sent by the connections that are named in
``$KILNWORKS_ALERT_CONNECTIONS`` (see ``notify``), and posted as JSON to ``$KILNWORKS_ALERT_URL`` where that is set:
``{"at", "kind", "pipeline", "run_id", "task", "text", "link"}``.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from airflow.sdk.configuration import conf
from airflow.sdk.definitions.context import Context

from kilnworks.dags import notify
from kilnworks.dags.project import open_run
from kilnworks.pipelines.core.arrivals import landed
from kilnworks.pipelines.core.reasons import blamed, closed_gates, failures
from kilnworks.pipelines.core.store import open_store
from kilnworks.schemas.access import private_files
from kilnworks.schemas.files import write_json

LOG = logging.getLogger(__name__)


def task_failed(context: Context) -> None:
    """Callback of a task that failed for good."""
    _told("failed", context, _failure(context))


def gate_closed(context: Context) -> None:
    """Callback of a task that was skipped: told where one of its own gates closed, not for those that follow it."""
    run = open_run(str(context["ti"].dag_id), str(context["run_id"]))
    for headline in closed_gates(run, _steps(context)):
        _told("gate closed", context, headline)


async def deadline_missed(pipeline: str, seconds: float, context: dict[str, Any] | None = None) -> None:
    """Callback of a run that has not ended in time; Airflow's triggerer calls it."""
    run = (context or {}).get("dag_run") or {}
    run_id = str(run.get("dag_run_id") or run.get("run_id") or "")
    text = f"the run has not ended {seconds:.0f} s after it was queued"
    await asyncio.to_thread(tell, "late", pipeline, run_id, "", text)


def tell(kind: str, pipeline: str, run_id: str, task: str, text: str) -> None:
    """Log, keep and send one alert. A receiver that does not answer is a warning."""
    at = time.time()
    alert = {
        "at": at,
        "kind": kind,
        "pipeline": pipeline,
        "run_id": run_id,
        "task": task,
        "text": text,
        "link": link(pipeline, run_id),
    }
    LOG.warning("%s: %s %s: %s", kind, pipeline, task, text)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(at))
    with private_files():
        write_json(open_store().root / "alerts" / f"{stamp}-{pipeline}-{uuid.uuid4().hex[:6]}.json", alert)
    notify.send(alert)


def link(pipeline: str, run_id: str) -> str:
    """Address of the run in Airflow's UI; of its DAG where it is of no run."""
    base = f"{conf.get('api', 'base_url', fallback='http://localhost:8080').rstrip('/')}/dags/{quote(pipeline)}"
    return f"{base}/runs/{quote(run_id, safe='')}" if run_id else base


def _told(kind: str, context: Context, text: str) -> None:
    task = context["ti"]
    tell(kind, str(task.dag_id), str(context["run_id"]), str(task.task_id), text)


def _failure(context: Context) -> str:
    """The closed gate's record, else the failed step's reason with its details, else the exception; in one line."""
    run = open_run(str(context["ti"].dag_id), str(context["run_id"]))
    reasons = failures(run, _steps(context))
    said = str(context.get("exception") or "").strip() or "failed"
    lines = [*closed_gates(run, _steps(context)), *reasons, said.splitlines()[0]]
    return lines[0] + (blamed(landed(run)) if reasons else "")


def _steps(context: Context) -> Sequence[str]:
    return getattr(context["task"], "steps", None) or (str(context["ti"].task_id),)
