"""Who sends a request to Airflow's API, for our pages of runs and before a DAG is triggered.

Airflow means this for its own routes alone.
"""

from typing import Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import HTTPException
from starlette.requests import Request

__all__ = ["get_user", "sender"]


async def sender(scope: Any) -> BaseUser | None:
    """The user of an ASGI request by its token; None where it has no valid one."""
    request = Request(scope)
    try:
        return await get_user(request, None, await bearer_scheme(request))
    except HTTPException:
        return None
