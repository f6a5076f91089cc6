"""Send runs to MLflow. The store is the truth: a tracker that cannot be reached is a warning, never an error."""

import logging
import os
from pathlib import Path

from kilnworks.components.tracking.collect import collect
from kilnworks.schemas.masking import masked, remember
from kilnworks.schemas.secret import SecretUrl

VARIABLE = "MLFLOW_TRACKING_URI"
"""Where a tracking server is, as for MLflow itself; every run is sent there when it has ended."""
CREDENTIALS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""Variables from which MLflow takes what it signs in with."""
LOG = logging.getLogger(__name__)


def default_uri(store: Path) -> str:
    """The database of MLflow that a store may hold, which ``kilnworks mlflow`` fills."""
    return f"sqlite:///{(store / 'mlflow' / 'mlflow.db').absolute()}"


def default_artifacts(store: Path) -> Path:
    """Where the files of runs lie of which that database knows."""
    return (store / "mlflow" / "artifacts").absolute()


def configured() -> SecretUrl | None:
    """The tracking server that the surroundings name; None where they name none."""
    for name in CREDENTIALS:
        remember(os.environ.get(name, ""))
    given = os.environ.get(VARIABLE)
    return SecretUrl(given) if given else None


def track_run(run_dir: Path) -> str | None:
    """Send the run in ``run_dir`` to ``$MLFLOW_TRACKING_URI``; nothing, and no MLflow, where that is not set.

    Settings that differ from the defaults, learning curves by epoch, the evaluation, the data set, figures,
    fingerprints as tags, and a copy of the published version with the alias ``champion``, which
    ``mlflow.pyfunc.load_model("models:/NAME@champion")`` opens on any machine. Sending a run again updates it.

    Returns:
        MLflow's id of the run; None where no server is named and, with a warning in the log, where it did not take it.
    """
    uri = configured()
    if uri is None:
        return None
    from kilnworks.components.tracking.client import connected

    try:
        with connected(uri.reveal()) as tracker:
            return tracker.send(collect(run_dir))
    except Exception as error:  # whatever a tracker raises, the run has ended as it has
        LOG.warning("MLflow at %s was not told of this run: %s", uri, in_a_line(error))
        return None


def in_a_line(error: Exception) -> str:
    """What a tracker raised, in one line without secrets."""
    return (masked(str(error)).strip().splitlines() or [type(error).__name__])[0]
