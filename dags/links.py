"""Links on Airflow's task pages of our DAGs: the run's report, and MLflow and TensorBoard where they are served.

A link is made when its task ends and kept by Airflow; the plugin names these classes so that the UI may read them.
"""

import os
from typing import Any
from urllib.parse import urlencode

from airflow.sdk import BaseOperatorLink

from kilnworks.dags.project import open_run
from kilnworks.pipelines.core.after_run import TRACKED
from kilnworks.schemas.files import read_json

MLFLOW_VARIABLE = "KILNWORKS_MLFLOW_URL"
TENSORBOARD_VARIABLE = "KILNWORKS_TENSORBOARD_URL"


class ReportLink(BaseOperatorLink):
    """The report of the run, in Airflow's own server."""

    name = "Run report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """A path of the plugin."""
        return f"/kilnworks/run?{urlencode({'dag_id': ti_key.dag_id, 'run_id': ti_key.run_id})}"


class MlflowLink(BaseOperatorLink):
    """The run in MLflow, at ``$KILNWORKS_MLFLOW_URL``; no link where that is not set."""

    name = "MLflow"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Address of the run; of the pipeline's experiment while the run has not been sent."""
        base = os.environ.get(MLFLOW_VARIABLE, "").rstrip("/")
        sent = open_run(ti_key.dag_id, ti_key.run_id).path / TRACKED
        if base and sent.is_file():
            return f"{base}/#/runs/{read_json(sent)['run_id']}"
        return f"{base}/#/experiments?{urlencode({'experimentSearchFilter': ti_key.dag_id})}" if base else ""


class TensorBoardLink(BaseOperatorLink):
    """The training's curves in TensorBoard, at ``$KILNWORKS_TENSORBOARD_URL``; no link where that is not set."""

    name = "TensorBoard"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Address of the curves, those of this run's pipeline alone."""
        base = os.environ.get(TENSORBOARD_VARIABLE, "").rstrip("/")
        return f"{base}/?{urlencode({'runFilter': ti_key.dag_id})}#timeseries" if base else ""


LINKS = (ReportLink(), MlflowLink(), TensorBoardLink())
