"""The plugin's web server inside Airflow's: run reports, Data Docs and decision records, for those who may see the DAG.

Every address needs Airflow's own authentication, files too; a file is only ever one of the run that is asked for.
"""

from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from components.reporting.report import REPORT, render_report
from dags import pages
from pipelines.core.records import whole_run
from pipelines.core.store import Run, open_store
from schemas.errors import KilnworksError

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "script-src 'self' 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "same-origin",
}
"""A page from the store may show itself and nothing else: it cannot call Airflow's API in the name of its reader."""

app = FastAPI(
    title="Kilnworks reports", dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None
)
User = Annotated[BaseUser, Depends(get_user)]


@app.get("/")
def index(user: User) -> HTMLResponse:
    """Every pipeline that the reader may see."""
    store = open_store()
    names = [name for name in store.pipelines() if _may_read(user, name)]
    return HTMLResponse(pages.overview(store, names), headers=HEADERS)


@app.get("/run")
def run(dag_id: str, run_id: str, user: User) -> Response:
    """The report of a DAG run; for the DAGs that start retrainings or move the champion, the page of its pipeline."""
    pipeline = dag_id.removesuffix("_retrain").removesuffix("_champion")
    _check(user, dag_id)
    store = open_store()
    if pipeline != dag_id:
        return HTMLResponse(pages.overview(store, [pipeline]), headers=HEADERS)
    this = store.run(pipeline, run_id)
    store.pull(f"runs/{pipeline}/{this.folder}/run.json")
    if not (this.path / "run.json").is_file():
        return HTMLResponse(pages.waiting(pipeline, run_id), headers=HEADERS)
    return RedirectResponse(pages.report_path(this), status_code=303)


@app.get("/files/{pipeline}/{folder}/{name:path}")
def file(pipeline: str, folder: str, name: str, user: User) -> Response:
    """One file of a run; the report as it is now while the run goes on."""
    _check(user, pipeline)
    this = _known_run(pipeline, folder)
    this.store.pull(f"runs/{pipeline}/{folder}/{name}")
    if name == REPORT:
        with whole_run(this) as seen:
            return HTMLResponse(render_report(seen.path), headers=HEADERS)
    path = (this.path / name).resolve()
    if not path.is_relative_to(this.path.resolve()) or not path.is_file():
        raise HTTPException(404, f"run {folder} of {pipeline} has no file {name}")
    return FileResponse(path, headers=HEADERS)


def _known_run(pipeline: str, folder: str) -> Run:
    """The run of that folder, which must be there by exactly that name."""
    try:
        return open_store().find_run(pipeline, folder)
    except (KilnworksError, OSError, ValueError):
        raise HTTPException(404, f"no run {folder} of {pipeline}") from None


def _check(user: BaseUser, dag_id: str) -> None:
    if Path(dag_id).name != dag_id or not _may_read(user, dag_id):
        raise HTTPException(403, f"you may not see {dag_id}")


def _may_read(user: BaseUser, dag_id: str) -> bool:
    return bool(get_auth_manager().is_authorized_dag(method="GET", details=DagDetails(id=dag_id), user=user))
