"""A run sent with MLflow's own client: to a tracking server, to PostgreSQL, or to a database of another revision."""

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

from kilnworks.components.tracking.collect import ALIAS, PATH_TAG, RUN_TAG, TrackedRun
from kilnworks.schemas.wire import MLFLOW_FILE

CONNECT_SECONDS = 3.0
LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""In force where the surroundings do not set their own: seconds, how often, and no talking."""

PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
BATCH = 900
MODEL = "model"
"""Folder of a published model among the artifacts of its run."""


def send_run(run: TrackedRun, uri: str, artifacts: Path) -> str:
    """Send ``run`` to the tracker at ``uri``.

    Args:
        run: what to send. Sending it again adds what is new; MLflow keeps a parameter's first value.
        uri: as MLflow writes them: ``http://host:port``, ``postgresql://...``, ``sqlite:///...``.
        artifacts: directory for the files of new experiments, used where ``uri`` names a database.

    Returns:
        MLflow's id of the run.

    Raises:
        OSError: nobody listens there.
        Exception: whatever MLflow raises; the caller turns it into a warning.
    """
    _reach(uri)
    with _limited(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        run_id = _open(client, run, None if uri.startswith("http") else artifacts)
        _log(client, run, run_id)
        _register(client, run, run_id)
        return run_id


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


def _open(client: Any, run: TrackedRun, artifacts: Path | None) -> str:
    """The MLflow run of that pipeline and run id, made where there is none."""
    experiment = client.get_experiment_by_name(run.experiment)
    if experiment is None:
        location = str(artifacts / run.experiment) if artifacts else None
        identifier = client.create_experiment(run.experiment, artifact_location=location)
    else:
        identifier = experiment.experiment_id
        if experiment.lifecycle_stage != "active":
            client.restore_experiment(identifier)
    found = client.search_runs([identifier], f"tags.`{RUN_TAG}` = '{run.name}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    made = client.create_run(identifier, start_time=run.started, run_name=run.name, tags=dict(run.tags))
    return str(made.info.run_id)


def _log(client: Any, run: TrackedRun, run_id: str) -> None:
    from mlflow.entities import Metric, Param, RunTag

    known = client.get_run(run_id).data.params
    params = [Param(name, value) for name, value in run.params.items() if name not in known]
    metrics = [Metric(m.key, m.value, m.timestamp, m.step) for m in run.metrics]
    tags = [RunTag(name, value) for name, value in run.tags.items()]
    for start in range(0, max(len(metrics), 1), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])
    for start in range(0, len(params), 100):
        client.log_batch(run_id, params=params[start : start + 100])
    for start in range(0, len(tags), 100):
        client.log_batch(run_id, tags=tags[start : start + 100])
    with tempfile.TemporaryDirectory() as folder:
        for name, content in run.artifacts.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        client.log_artifacts(run_id, folder)
    client.update_run(run_id, status=run.status)
    if run.ended is not None:
        client.set_terminated(run_id, run.status, run.ended)


def _register(client: Any, run: TrackedRun, run_id: str) -> None:
    """Register the version that the run published, once, and let the alias follow the live model.

    Where it is served from is a tag; the source is a copy among the run's artifacts, as a server takes no path outside
    of them.
    """
    from mlflow.exceptions import MlflowException

    model = run.version.model if run.version else run.experiment
    if run.version is not None:
        try:
            client.get_registered_model(model)
        except MlflowException:
            client.create_registered_model(model)
        if run.version.source not in _versions(client, model):
            source = _uploaded(client, Path(run.version.source), run_id)
            client.create_model_version(model, source, run_id, tags={PATH_TAG: run.version.source})
    live = _versions(client, model).get(run.champion) if run.champion else None
    if live is not None:
        client.set_registered_model_alias(model, ALIAS, live)


def _uploaded(client: Any, folder: Path, run_id: str) -> str:
    """Address of a model among the artifacts of its run, as ``mlflow.pyfunc.load_model`` opens it.

    One that is not here, or that an earlier release exported, has none: then it is the artifacts themselves.
    """
    artifacts = str(client.get_run(run_id).info.artifact_uri)
    if not (folder / MLFLOW_FILE).is_file():
        return artifacts
    client.log_artifacts(run_id, str(folder), MODEL)
    return f"{artifacts}/{MODEL}"


def _versions(client: Any, model: str) -> dict[str, str]:
    """Directory that it is served from -> version, for every version that we have registered."""
    return {
        v.tags[PATH_TAG]: v.version for v in client.search_model_versions(f"name = '{model}'") if PATH_TAG in v.tags
    }
