"""The Airflow plugin: reports in the UI's navigation and beside each DAG run, links on tasks, the timetable,
and a check of the settings that a trigger gives.

Airflow finds it by the entry point ``airflow.plugins`` of the installed distribution; its plugins folder stays free.
"""

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from kilnworks.dags import notes, pools
from kilnworks.dags.guard import Guard
from kilnworks.dags.links import LINKS
from kilnworks.dags.timetable import NextInterval

PREFIX = "/kilnworks"


async def reports(scope: Any, receive: Any, send: Any) -> None:
    """The web server of the reports, loaded by the first request: each task loads this plugin and needs none of it."""
    from kilnworks.dags.reports import app

    await app(scope, receive, send)


class KilnworksPlugin(AirflowPlugin):
    """Run reports, Data Docs and decision records inside Airflow."""

    name = "kilnworks"
    fastapi_apps: ClassVar[list[Any]] = [{"app": reports, "url_prefix": PREFIX, "name": "Kilnworks reports"}]
    fastapi_root_middlewares: ClassVar[list[Any]] = [
        {"middleware": Guard, "args": [], "kwargs": {}, "name": "Kilnworks settings"}
    ]
    external_views: ClassVar[list[Any]] = [
        {
            "name": "Pipelines",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "url_route": "kilnworks",
            "category": "browse",
        },
        {
            "name": "Run report",
            "href": f"{PREFIX}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "run-report",
        },
        *(
            {
                "name": "Epochs",
                "href": f"{PREFIX}/live?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
                "destination": destination,
                "url_route": route,
            }
            for destination, route in (("dag_run", "epochs"), ("task_instance", "task-epochs"))
        ),
    ]
    timetables: ClassVar[list[Any]] = [NextInterval]
    listeners: ClassVar[list[Any]] = [pools, notes]
    operator_extra_links: ClassVar[list[Any]] = list(LINKS)
