"""``kilnworks serving config``: configuration files with which the real ``tensorflow/serving`` image serves a store.

The same files start the embedded server, so both can be compared on the same models.
"""

from pathlib import Path
from typing import Any

from google.protobuf import text_format

from kilnworks.components.serving.settings.text_protos import DEFAULT_METRICS_PATH, message_class
from kilnworks.components.serving.versions.model_config import config_of
from kilnworks.components.serving.versions.store_models import base_paths
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import write_text

MODELS_FILE = "models.config"
BATCHING_FILE = "batching.config"
MONITORING_FILE = "monitoring.config"
IMAGE_MODELS = "/models"
"""Where the compose file mounts ``STORE/serving`` in the image."""

_MAX_BATCH_SIZE = 64
_BATCH_TIMEOUT_MICROS = 1000
_MAX_ENQUEUED_BATCHES = 256
_BATCH_THREADS = 4


def write_serving_config(store: Path, out: Path, models_at: str = IMAGE_MODELS) -> tuple[Path, ...]:
    """Write ``models.config``, ``batching.config`` and ``monitoring.config``.

    Args:
        store: the store's folder; its ``serving`` folder holds the models.
        out: folder for the files; made if it is not there.
        models_at: absolute path at which the server sees ``STORE/serving``.

    Returns:
        The files written.

    Raises:
        ConfigError: no model has been deployed to this store.
    """
    texts = serving_texts(store, models_at)
    for name, text in texts.items():
        write_text(out / name, text)
    return tuple(out / name for name in texts)


def update_serving_config(store: Path, out: Path, models_at: str = IMAGE_MODELS) -> tuple[Path, ...]:
    """The same for files that a server reads meanwhile: only those are written, and returned, that have to change.

    ``models.config`` comes last: a server that waits for it finds the others.
    """
    texts = {out / name: text for name, text in serving_texts(store, models_at).items()}
    changed = {path: text for path, text in texts.items() if not path.is_file() or path.read_text() != text}
    for path, text in reversed(changed.items()):
        write_text(path, text)
    return tuple(changed)


def serving_texts(store: Path, models_at: str = IMAGE_MODELS) -> dict[str, str]:
    """Name -> content of each file. Raises ``ConfigError`` where no model has been deployed to the store."""
    models = base_paths(store / "serving")
    if not models:
        raise ConfigError(
            f"{store / 'serving'} holds no published model",
            "at least one STORE/serving/<model>/<version>",
            "deploy one first: `kilnworks run NAME`",
        )
    return {
        MODELS_FILE: _text(config_of({name: f"{models_at.rstrip('/')}/{name}" for name in models})),
        BATCHING_FILE: _text(_batching()),
        MONITORING_FILE: _text(_monitoring()),
    }


def _batching() -> Any:
    proto = message_class("BatchingParameters")()
    proto.max_batch_size.value = _MAX_BATCH_SIZE
    proto.batch_timeout_micros.value = _BATCH_TIMEOUT_MICROS
    proto.max_enqueued_batches.value = _MAX_ENQUEUED_BATCHES
    proto.num_batch_threads.value = _BATCH_THREADS
    return proto


def _monitoring() -> Any:
    proto = message_class("MonitoringConfig")()
    proto.prometheus_config.enable = True
    proto.prometheus_config.path = DEFAULT_METRICS_PATH
    return proto


def _text(proto: Any) -> str:
    return str(text_format.MessageToString(proto))
