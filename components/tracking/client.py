"""Runs in MLflow, by its own client: what is there, what is added, and which model is the champion.

Importing MLflow takes seconds, so that only functions that talk to it do.
"""

import logging
import os
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kilnworks.components.tracking.collect import (
    ALIAS,
    CHAMPION_TAG,
    PATH_TAG,
    RUN_TAG,
    STATE_TAG,
    DataSet,
    TrackedRun,
)
from kilnworks.schemas.wire import MLFLOW_FILE

CONNECT_SECONDS = 3.0
LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""In force where the surroundings do not set their own: seconds, how often, and no talking."""

PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
BATCH = 900
MODEL = "model"
"""Folder of a published model among the artifacts of its run."""


@contextmanager
def connected(uri: str, artifacts: Path | None = None) -> Iterator["Tracker"]:
    """MLflow at ``uri``, for as long as the block runs, with short timeouts.

    Args:
        uri: as MLflow writes them: ``http://host:port``, ``postgresql://...``, ``sqlite:///...``.
        artifacts: directory for the files of new experiments; by default the tracker chooses one.

    Raises:
        OSError: nobody listens there.
        Exception: whatever MLflow raises, here and inside of the block.
    """
    _reach(uri)
    with _limited(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        yield Tracker(MlflowClient(tracking_uri=uri, registry_uri=uri), artifacts)


class Tracker:
    """An MLflow that is connected.

    Args:
        client: an ``MlflowClient``.
        artifacts: where the files of new experiments go and, where it is given, published models are opened in the
            directory that they are served from; without it they are copied among the artifacts of their run.
    """

    def __init__(self, client: Any, artifacts: Path | None) -> None:
        self._client, self._artifacts = client, artifacts

    def known(self, experiment: str) -> dict[str, str]:
        """Run id -> state, of every run of a pipeline that was sent; a run that was deleted there counts as sent."""
        from mlflow.entities import ViewType

        found = self._client.get_experiment_by_name(experiment)
        if found is None:
            return {}
        runs = self._runs(found.experiment_id, "", ViewType.DELETED_ONLY)
        runs += self._runs(found.experiment_id, "", ViewType.ACTIVE_ONLY)
        return {run.data.tags[RUN_TAG]: run.data.tags.get(STATE_TAG, "") for run in runs if RUN_TAG in run.data.tags}

    def send(self, run: TrackedRun) -> str:
        """Add a run, or what is new of one that was sent; returns MLflow's id of it.

        A run whose settings have changed since takes the place of the one that was sent: MLflow keeps a parameter's
        first value.
        """
        run_id = self._open(run)
        self._log(run, run_id)
        if run.version is not None:
            self._register(run, run_id)
        self.point(run.experiment, run.version.model if run.version else run.experiment, run.champion)
        return run_id

    def point(self, experiment: str, model: str, path: str) -> None:
        """Let alias and tag follow the live model, which is served from ``path``; nothing where MLflow has it not."""
        from mlflow.entities import ViewType

        live = next((v for v in self._versions(model) if v.tags[PATH_TAG] == path), None) if path else None
        if live is None:
            return
        if ALIAS not in live.aliases:
            self._client.set_registered_model_alias(model, ALIAS, live.version)
        identifier = self._client.get_experiment_by_name(experiment).experiment_id
        tagged = self._runs(identifier, f"tags.`{CHAMPION_TAG}` = 'true'", ViewType.ACTIVE_ONLY)
        for run in tagged:
            if run.info.run_id != live.run_id:
                self._client.delete_tag(run.info.run_id, CHAMPION_TAG)
        if live.run_id and live.run_id not in {run.info.run_id for run in tagged}:
            self._client.set_tag(live.run_id, CHAMPION_TAG, "true")

    def _runs(self, experiment: str, where: str, view: str) -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs([experiment], where, view, max_results=1000, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def _open(self, run: TrackedRun) -> str:
        """The MLflow run of that pipeline and run id, made where there is none with these settings."""
        from mlflow.entities import ViewType

        experiment = self._client.get_experiment_by_name(run.experiment)
        if experiment is None:
            location = str(self._artifacts / run.experiment) if self._artifacts else None
            identifier = self._client.create_experiment(run.experiment, artifact_location=location)
        else:
            identifier = experiment.experiment_id
            if experiment.lifecycle_stage != "active":
                self._client.restore_experiment(identifier)
        for found in self._runs(identifier, f"tags.`{RUN_TAG}` = '{run.name}'", ViewType.ACTIVE_ONLY):
            if all(run.params.get(name, value) == value for name, value in found.data.params.items()):
                return str(found.info.run_id)
            self._client.delete_run(found.info.run_id)
        made = self._client.create_run(identifier, start_time=run.started, run_name=run.name)
        return str(made.info.run_id)

    def _log(self, run: TrackedRun, run_id: str) -> None:
        """Everything but the state, which is said last: what is sent in part is sent again."""
        from mlflow.entities import Metric, Param, RunTag

        known = self._client.get_run(run_id)
        params = [Param(name, value) for name, value in run.params.items() if name not in known.data.params]
        metrics = [Metric(m.key, m.value, m.timestamp, m.step) for m in run.metrics]
        tags = [RunTag(name, value) for name, value in run.tags.items() if name != STATE_TAG]
        for start in range(0, len(metrics), BATCH):
            self._client.log_batch(run_id, metrics=metrics[start : start + BATCH])
        for start in range(0, max(len(params), len(tags)), 100):
            part = slice(start, start + 100)
            self._client.log_batch(run_id, params=params[part], tags=tags[part])
        if run.data is not None and not known.inputs.dataset_inputs:
            self._client.log_inputs(run_id, [_data_set(run.data)])
        with tempfile.TemporaryDirectory() as folder:
            for name, content in run.artifacts.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self._client.log_artifacts(run_id, folder)
        if run.ended is None:
            self._client.update_run(run_id, status=run.status)
        else:
            self._client.set_terminated(run_id, run.status, run.ended)
        self._client.set_tag(run_id, STATE_TAG, run.tags.get(STATE_TAG, ""))

    def _register(self, run: TrackedRun, run_id: str) -> None:
        """Register the version that the run published, once.

        Where it is served from is a tag; the source is a copy among the run's artifacts, as a server takes no path
        outside of them.
        """
        from mlflow.exceptions import MlflowException

        version = run.version
        assert version is not None
        try:
            self._client.get_registered_model(version.model)
        except MlflowException:
            self._client.create_registered_model(version.model)
        if not any(known.tags[PATH_TAG] == version.source for known in self._versions(version.model)):
            source = self._source(Path(version.source), run_id)
            tags = {PATH_TAG: version.source, "kilnworks.version": str(version.number), RUN_TAG: run.name}
            self._client.create_model_version(version.model, source, run_id, tags=tags)

    def _source(self, folder: Path, run_id: str) -> str:
        """Address of a model as ``mlflow.pyfunc.load_model`` opens it.

        One that is not here, or that an earlier release exported, has none: then it is the artifacts of the run.
        """
        artifacts = str(self._client.get_run(run_id).info.artifact_uri)
        if not (folder / MLFLOW_FILE).is_file():
            return artifacts
        if self._artifacts is not None:
            return str(folder)
        self._client.log_artifacts(run_id, str(folder), MODEL)
        return f"{artifacts}/{MODEL}"

    def _versions(self, model: str) -> list[Any]:
        """Every version of a model that we have registered."""
        return [v for v in self._client.search_model_versions(f"name = '{model}'") if PATH_TAG in v.tags]


def _data_set(data: DataSet) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    described = Dataset(data.name, data.digest, data.kind, data.source, data.schema, data.profile)
    return DatasetInput(described, [InputTag(MLFLOW_DATASET_CONTEXT, "training")])


def _reach(uri: str) -> None:
    """Fail at once where nobody listens: MLflow and SQLAlchemy would try for minutes."""
    parts = urlsplit(uri)
    port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
    if parts.hostname and port:
        socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS).close()


@contextmanager
def _limited() -> Iterator[None]:
    """Short timeouts and few retries while we send; what the surroundings set themselves stays."""
    ours = {name: value for name, value in LIMITS.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
