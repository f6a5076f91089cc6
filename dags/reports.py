"""The plugin's web server inside Airflow's: run reports, Data Docs and decision records, for those who may see the DAG.

Every address needs Airflow's own authentication, files too; a file is only ever one of the run that is asked for.
"""

import secrets
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from kilnworks.components.reporting.report import REPORT, refresh_seconds, render_report
from kilnworks.dags import live, pages
from kilnworks.dags.metadata import ENDED, state
from kilnworks.dags.names import CRAFT, TUNE, pipeline_of
from kilnworks.dags.side_by_side import MOST, side_by_side
from kilnworks.dags.summaries import SUMMARIES
from kilnworks.dags.users import get_user
from kilnworks.pipelines.core.records import whole_run
from kilnworks.pipelines.core.store import Run, Store, clean, open_store
from kilnworks.pipelines.craft.work import page_of
from kilnworks.pipelines.tuning.study import PAGE as SEARCH_PAGE
from kilnworks.pipelines.tuning.study import Study
from kilnworks.schemas.errors import KilnworksError

POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "script-src {script}; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY.format(script=pages.LEAVE_SOURCE),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "same-origin",
}
"""Of a page of the plugin's own: the one script that follows links around the frame."""
FILE_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "script-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
        "sandbox allow-same-origin allow-downloads"
    ),
}
"""Of a page from the store: it runs no script, sends no form, and leads nothing but itself to another place.

It keeps its origin, because a frame without one would be asked to log in for each picture and each link; without
scripts that origin gives it nothing.
"""
COMPARED = 100
"""How many of the newest runs may stand side by side, and are drawn over time."""
TITLES = {403: "Not yours to see", 404: "Not found", 400: "Not possible", 405: "Not possible"}

app = FastAPI(
    title="Kilnworks reports", dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None
)
User = Annotated[BaseUser, Depends(get_user)]


@app.get("/")
def index(user: User) -> HTMLResponse:
    """Every pipeline that the reader may see."""
    store = open_store()
    names = [name for name in store.pipelines() if _may_read(user, name)]
    return _page(pages.overview(store, names, lambda name: _may_read(user, name)))


@app.get("/run")
def run(dag_id: str, run_id: str, user: User, looks: int = 0) -> Response:
    """The report of a DAG run, the page of a search; for the other DAGs of a pipeline, the page of that."""
    store = open_store()
    pipeline = pipeline_of(dag_id, store.pipelines())
    _check(user, dag_id)
    _check(user, pipeline)
    if dag_id == f"{pipeline}{TUNE}":
        return _search(store, pipeline, run_id)
    if dag_id == f"{pipeline}{CRAFT}":
        return _craft(store, pipeline, run_id)
    if pipeline != dag_id:
        return _page(pages.overview(store, [pipeline], lambda name: name in (pipeline, dag_id)))
    this = store.run(pipeline, run_id)
    store.pull(f"runs/{pipeline}/{this.folder}/run.json")
    if not (this.path / "run.json").is_file():
        return _not_begun(dag_id, run_id, looks)
    return RedirectResponse(pages.report_path(this), status_code=303)


def _search(store: Store, pipeline: str, run_id: str) -> Response:
    """The page of the search that a run of ``NAME_tune`` made; its trials are runs of the pipeline."""
    study = Study(store, pipeline, clean(run_id))
    page = study.folder / SEARCH_PAGE
    store.pull(study.shared(SEARCH_PAGE))
    if not page.is_file():
        return _no_page(f"{pipeline}{TUNE}", run_id, "it is written when all trials have ended")
    return FileResponse(page, headers=FILE_HEADERS)


def _craft(store: Store, pipeline: str, run_id: str) -> Response:
    """The page that a run of ``NAME_craft`` made; its trainings are runs of the pipeline."""
    page = page_of(store, pipeline, run_id)
    if page is None:
        return _no_page(f"{pipeline}{CRAFT}", run_id, "it is written at the end")
    return FileResponse(store.root / page, headers=FILE_HEADERS)


def _no_page(dag_id: str, run_id: str, when: str) -> HTMLResponse:
    """A page in place of one that is not there: where it comes from, or that none will come."""
    now = state(dag_id, run_id)
    if now in ENDED:
        words = f"Run {run_id} has ended ({now}) and left no page; its note and its tasks' logs say why."
    else:
        words = f"Run {run_id} has no page yet: {when}. The log says how far it is."
    return _page(pages.said(dag_id, words))


@app.get("/live")
def running(dag_id: str, run_id: str, user: User, looks: int = 0) -> Response:
    """How far a DAG run has come; of a search, whose trials are runs of their own, its page."""
    _check(user, dag_id)
    store = open_store()
    pipeline = pipeline_of(dag_id, store.pipelines())
    if dag_id == f"{pipeline}{TUNE}":
        _check(user, pipeline)
        return _search(store, pipeline, run_id)
    if dag_id == f"{pipeline}{CRAFT}":
        _check(user, pipeline)
        return _craft(store, pipeline, run_id)
    this = store.run(dag_id, run_id)
    if not (this.path / "run.json").is_file():
        return _not_begun(dag_id, run_id, looks, "live")
    return RedirectResponse(f"/kilnworks/live/{quote(dag_id)}/{quote(this.folder)}", status_code=303)


@app.get("/live/{pipeline}/{folder}")
def progress(pipeline: str, folder: str, user: User, part: bool = False) -> HTMLResponse:
    """The same as a page that asks for news, and those news alone."""
    _check(user, pipeline)
    this, nonce = _known_run(pipeline, folder), secrets.token_urlsafe(16)
    with whole_run(this) as seen:
        if part:
            return _page(live.content(seen))
        policy = POLICY.format(script=f"'nonce-{nonce}'; connect-src 'self'")
        return HTMLResponse(live.live(seen, nonce), headers={**HEADERS, "Content-Security-Policy": policy})


@app.get("/compare")
def compare(pipeline: str, user: User, run: Annotated[list[str] | None, Query()] = None) -> HTMLResponse:
    """Chosen runs of a pipeline side by side; without a choice the two newest."""
    _check(user, pipeline)
    every = SUMMARIES.newest(open_store(), pipeline, COMPARED)
    folders = [_known_run(pipeline, folder).folder for folder in run or []]
    chosen = [told for told in reversed(every) if told.run.folder in folders] if folders else every[:2][::-1]
    if not chosen:
        raise HTTPException(404, f"{pipeline} has no such run among its newest {COMPARED}")
    if len(chosen) > MOST:
        raise HTTPException(400, f"{len(chosen)} runs are chosen; at most {MOST} fit side by side")
    return _page(side_by_side(chosen, every))


@app.get("/files/{pipeline}/{folder}/{name:path}")
def file(pipeline: str, folder: str, name: str, user: User) -> Response:
    """One file of a run; the report as it is now while the run goes on."""
    _check(user, pipeline)
    this = _known_run(pipeline, folder)
    if name == REPORT:
        with whole_run(this) as seen:
            return HTMLResponse(render_report(seen.path), headers={**FILE_HEADERS, **_again(seen.path)})
    path = _path(this, name)
    if path is None:
        raise HTTPException(404, f"run {folder} of {pipeline} has no file {name!r}")
    return FileResponse(path, headers=FILE_HEADERS)


@app.exception_handler(StarletteHTTPException)
def refused(request: Request, error: StarletteHTTPException) -> HTMLResponse:
    """The reason as a page; what asks by a program reads the status."""
    words = str(error.detail) if error.status_code != 404 or error.detail != "Not Found" else "There is no such page."
    return HTMLResponse(pages.said(TITLES.get(error.status_code, "Not possible"), words), error.status_code, HEADERS)


@app.exception_handler(RequestValidationError)
def misunderstood(request: Request, error: RequestValidationError) -> HTMLResponse:
    """An address that lacks something, or gives a word for a number."""
    parts = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg'].lower()}" for e in error.errors())
    return HTMLResponse(pages.said("This address is not complete", parts), 400, HEADERS)


def _again(run_dir: Path) -> dict[str, str]:
    """Has a report load itself again while its run goes on; a sandbox allows that by a header alone."""
    seconds = refresh_seconds(run_dir)
    return {"Refresh": str(seconds)} if seconds else {}


def _page(content: str) -> HTMLResponse:
    return HTMLResponse(content, headers=HEADERS)


def _path(this: Run, name: str) -> Path | None:
    """The file of that name in a run; None for none, for one outside, and for a name that no file can have."""
    try:
        this.store.pull(f"runs/{this.pipeline}/{this.folder}/{name}")
        path = (this.path / name).resolve()
        return path if path.is_relative_to(this.path.resolve()) and path.is_file() else None
    except (OSError, ValueError, KilnworksError):
        return None


def _not_begun(dag_id: str, run_id: str, looks: int, wanted: str = "run") -> HTMLResponse:
    """A page for a run that has written nothing: it waits where something may still come."""
    now = state(dag_id, run_id)
    if now is None:
        raise HTTPException(404, f"{dag_id} is no pipeline of Kilnworks: it has no reports")
    if now == "":
        raise HTTPException(404, f"{dag_id} has no run {run_id!r}")
    if now in ENDED:
        return _page(
            pages.said(dag_id, f"Run {run_id} has ended ({now}) before a step began; its tasks' logs say why.")
        )
    return _page(pages.waiting(dag_id, run_id, looks, wanted))


def _known_run(pipeline: str, folder: str) -> Run:
    """The run of that folder, which must be there by exactly that name."""
    try:
        return open_store().find_run(pipeline, folder)
    except (KilnworksError, OSError, ValueError):
        raise HTTPException(404, f"no run {folder!r} of {pipeline}") from None


def _check(user: BaseUser, dag_id: str) -> None:
    if not dag_id.strip(".") or "\0" in dag_id or Path(dag_id).name != dag_id or not _may_read(user, dag_id):
        raise HTTPException(403, f"you may not see {dag_id}")


def _may_read(user: BaseUser, dag_id: str) -> bool:
    return bool(get_auth_manager().is_authorized_dag(method="GET", details=DagDetails(id=dag_id), user=user))
