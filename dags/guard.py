"""Refuses a trigger whose settings a DAG of ours does not have, before Airflow makes a run of it.

The plugin puts it before Airflow's API. It looks at nothing but triggers and backfills of DAGs with our tag, and only
for those who may start them; whatever else comes is Airflow's.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from kilnworks.dags.names import TAG
from kilnworks.schemas.errors import ConfigError

TRIGGER = re.compile(r"/api/v2/dags/(?P<dag>[^/]+)/dagRuns/?$")
BACKFILL = re.compile(r"/api/v2/backfills(/dry_run)?/?$")


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer 400 with the reason, or hand the request on as it came."""
        if scope["type"] != "http" or scope["method"] != "POST" or not _guarded(scope["path"]):
            await self.app(scope, receive, send)
            return
        body, messages = await _read(receive)
        reason = await refusal(scope, body)
        if reason is not None:
            from starlette.responses import JSONResponse

            await JSONResponse({"detail": reason}, 400)(scope, receive, send)
            return
        await self.app(scope, _again(messages, receive), send)


async def refusal(scope: Any, body: bytes) -> str | None:
    """Why a trigger is refused, in one line; None where it is not, or is not ours to judge."""
    dag_id, given = asked(scope["path"], body)
    if not given or not await _may_start(scope, dag_id):
        return None
    return await asyncio.to_thread(_checked, scope["app"].state.dag_bag, dag_id, given)


def asked(path: str, body: bytes) -> tuple[str, Mapping[str, Any]]:
    """Id of the DAG and settings of a request; nothing where it is none that Airflow would take."""
    try:
        request = json.loads(body)
    except ValueError:
        return "", {}
    if not isinstance(request, dict):
        return "", {}
    trigger = TRIGGER.search(path)
    dag_id = unquote(trigger["dag"]) if trigger else str(request.get("dag_id") or "")
    given = request.get("conf" if trigger else "dag_run_conf")
    return dag_id, given if isinstance(given, dict) else {}


def _guarded(path: str) -> bool:
    return bool(TRIGGER.search(path) or BACKFILL.search(path))


async def _may_start(scope: Any, dag_id: str) -> bool:
    """Whether the request comes from somebody who may start this DAG; Airflow answers all others itself."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails

    from kilnworks.dags.users import sender

    user = await sender(scope)
    return user is not None and bool(
        get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=user
        )
    )


def _checked(dag_bag: Any, dag_id: str, given: Mapping[str, Any]) -> str | None:
    from kilnworks.dags.metadata import latest
    from kilnworks.dags.trigger_settings import Fields

    dag = latest(dag_bag, dag_id)
    if dag is None or TAG not in dag.tags:
        return None
    params = {name: dag.params.get_param(name) for name in dag.params}
    fields = Fields(dag_id, {n: p.value for n, p in params.items()}, {n: p.schema for n, p in params.items()})
    try:
        fields.check(given)
    except ConfigError as error:
        return "; ".join(filter(None, [error.got, f"wanted: {error.wanted}", error.fix]))
    return None


async def _read(receive: Any) -> tuple[bytes, list[Any]]:
    """The whole body, and the messages that it came in."""
    messages: list[Any] = []
    while not messages or (messages[-1]["type"] == "http.request" and messages[-1].get("more_body")):
        messages.append(await receive())
    return b"".join(message.get("body", b"") for message in messages), messages


def _again(messages: list[Any], receive: Any) -> Any:
    """A channel that says the messages once more, and then goes on."""
    left = list(messages)

    async def said() -> Any:
        return left.pop(0) if left else await receive()

    return said
