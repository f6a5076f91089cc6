"""Send a run to MLflow. The store is the truth: a tracker that cannot be reached is a warning, never an error."""

import importlib.metadata
import logging
import os
from pathlib import Path

from kilnworks.components.tracking.collect import TrackedRun, collect
from kilnworks.components.tracking.schema import read_schema
from kilnworks.components.tracking.sqlite import WrongRevision, write_run
from kilnworks.schemas.masking import masked, remember
from kilnworks.schemas.secret import SecretUrl

CREDENTIALS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""Variables from which MLflow takes what it signs in with."""
LOG = logging.getLogger(__name__)


def default_uri(store: Path) -> str:
    """The database that a store brings along."""
    return f"sqlite:///{(store / 'mlflow' / 'mlflow.db').absolute()}"


def track_run(run_dir: Path, store_root: Path) -> str | None:
    """Send the run in ``run_dir`` to ``$MLFLOW_TRACKING_URI``, or to the store's own database.

    Parameters, learning curves by epoch, the evaluation, figures, fingerprints as tags, and the published version with
    the alias ``champion``, which ``mlflow.pyfunc.load_model("models:/NAME@champion")`` opens: where it is served from,
    or in the copy that a tracking server has. Sending a run again updates it.

    Returns:
        MLflow's id of the run; None, and a warning in the log, where the tracker could not be written.
    """
    uri = SecretUrl(os.environ.get("MLFLOW_TRACKING_URI") or default_uri(store_root))
    for name in CREDENTIALS:
        remember(os.environ.get(name, ""))
    try:
        return _send(collect(run_dir), uri.reveal(), (store_root / "mlflow" / "artifacts").absolute())
    except Exception as error:  # whatever a tracker raises, the run has ended as it has
        reason = masked(str(error)).strip().splitlines() or [type(error).__name__]
        LOG.warning("MLflow at %s was not told of this run: %s", uri, reason[0])
        return None


def _send(run: TrackedRun, uri: str, artifacts: Path) -> str:
    """The short way where it leads there, else by MLflow's client."""
    database = _sqlite_file(uri)
    if database is not None and (database.is_file() or _installed() in ("", read_schema().mlflow)):
        try:
            return write_run(run, database, artifacts)
        except WrongRevision as other:
            LOG.info("%s; MLflow's own client writes it", other)
    from kilnworks.components.tracking.client import send_run

    return send_run(run, uri, artifacts)


def _sqlite_file(uri: str) -> Path | None:
    """The file behind ``sqlite:///relative`` or ``sqlite:////absolute``; None for every other address."""
    scheme, _, path = uri.partition(":///")
    return Path(path) if scheme == "sqlite" and path and "?" not in path else None


def _installed() -> str:
    """Version of MLflow here; empty where it is not installed."""
    try:
        return importlib.metadata.version("mlflow")
    except importlib.metadata.PackageNotFoundError:
        return ""
