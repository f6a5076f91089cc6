"""What people are told when a run of a DAG goes wrong or is late: the first line of the decision record or error.

An alert is logged, kept in the store for the Airflow plugin's page, and posted as JSON to ``$KILNWORKS_ALERT_URL``
where that is set (a chat's webhook, a pager): ``{"at", "kind", "pipeline", "run_id", "task", "text"}``.
"""

import asyncio
import json
import logging
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.definitions.context import Context

from dags.place import open_run
from pipelines.core.arrivals import landed
from pipelines.core.execute import artifact_path
from pipelines.core.promotion import UNASKED
from pipelines.core.store import open_store
from schemas.files import read_json, write_json

URL_VARIABLE = "KILNWORKS_ALERT_URL"
POST_SECONDS = 5.0
SHOWN = 5
"""Most new files that an alert names."""
LOG = logging.getLogger(__name__)


def task_failed(context: Context) -> None:
    """Callback of a task that failed for good."""
    _told("failed", context, _failure(context))


def gate_closed(context: Context) -> None:
    """Callback of a task that was skipped: told where one of its own gates closed, not for those that follow it."""
    for headline in _headlines(context):
        _told("gate closed", context, headline)


async def deadline_missed(pipeline: str, seconds: float, context: dict[str, Any] | None = None) -> None:
    """Callback of a run that has not ended in time; Airflow's triggerer calls it."""
    run = (context or {}).get("dag_run") or {}
    run_id = str(run.get("dag_run_id") or run.get("run_id") or "")
    text = f"the run has not ended {seconds:.0f} s after it was queued"
    await asyncio.to_thread(tell, "late", pipeline, run_id, "", text)


def tell(kind: str, pipeline: str, run_id: str, task: str, text: str) -> None:
    """Log, keep and post one alert. A receiver that does not answer is a warning."""
    at = time.time()
    alert = {"at": at, "kind": kind, "pipeline": pipeline, "run_id": run_id, "task": task, "text": text}
    LOG.warning("%s: %s %s: %s", kind, pipeline, task, text)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(at))
    write_json(open_store().root / "alerts" / f"{stamp}-{pipeline}-{uuid.uuid4().hex[:6]}.json", alert)
    url = os.environ.get(URL_VARIABLE)
    if url:
        _post(url, alert)


def _post(url: str, alert: dict[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(alert).encode(), {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=POST_SECONDS).close()
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        LOG.warning("the alert was not taken at %s: %s", url, error)


def _told(kind: str, context: Context, text: str) -> None:
    task = context["ti"]
    tell(kind, str(task.dag_id), str(context["run_id"]), str(task.task_id), text)


def _failure(context: Context) -> str:
    """The first line of the closed gate's record, else of the failed step's reason, else of the exception."""
    run = open_run(str(context["ti"].dag_id), str(context["run_id"]))
    outcomes = [run.outcome(step) or {} for step in _steps(context)]
    reasons = [str(o["reason"]) for o in outcomes if o.get("outcome") == "failed" and o.get("reason")]
    lines = [*_headlines(context), *reasons, str(context.get("exception") or "failed")]
    return lines[0].splitlines()[0] + (_files(landed(run)) if reasons else "")


def _files(files: Sequence[Mapping[str, Any]]) -> str:
    """Which files of a retraining are bad by themselves; where none is, those that are new in it."""
    bad = "".join(f"; in {file['name']}: {file['bad']}" for file in files if file.get("bad"))
    new = [str(file["name"]) for file in files if file.get("kind") == "new"]
    more = f" and {len(new) - SHOWN} more" if len(new) > SHOWN else ""
    return bad or (f"; new files: {', '.join(new[:SHOWN])}{more}" if new else "")


def _headlines(context: Context) -> list[str]:
    """First lines of the records of the gates that closed in the task's own steps; not those of a mere trial."""
    run = open_run(str(context["ti"].dag_id), str(context["run_id"]))
    paths = [artifact_path(run, step) / "decision.json" for step in _steps(context)]
    records = [read_json(path) for path in paths if path.is_file()]
    closed = [record for record in records if not record["passed"] and record["gate"] not in UNASKED]
    return [str(record["headline"]) for record in closed]


def _steps(context: Context) -> Sequence[str]:
    return getattr(context["task"], "steps", None) or (str(context["ti"].task_id),)
