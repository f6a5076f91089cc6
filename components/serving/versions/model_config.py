"""What to serve: a checked view of ``ModelServerConfig``, from a file, from flags, from the store or from a reload."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from kilnworks.components.serving.errors import invalid_argument
from kilnworks.schemas.errors import ConfigError

PLATFORM = "tensorflow"
_URI = re.compile(r"[a-zA-Z][0-9a-zA-Z.]*://")


@dataclass(frozen=True)
class VersionPolicy:
    """Which versions of a model to serve: the ``latest`` N, ``all``, or a ``specific`` list.

    Attributes:
        kind: ``"latest"``, ``"all"`` or ``"specific"``.
        count: number of versions for ``latest``, at least 1.
        versions: those of ``specific``.
    """

    kind: str = "latest"
    count: int = 1
    versions: frozenset[int] = frozenset()


@dataclass(frozen=True)
class ServedModel:
    """One model of the configuration. ``base_path`` is absolute; ``labels`` map a label to a version."""

    name: str
    base_path: str
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = field(default_factory=dict)
    platform: str = PLATFORM


def served_models(config: Any, current: Iterable[ServedModel] = ()) -> tuple[ServedModel, ...]:
    """Check a ``ModelServerConfig`` that holds a model list.

    Args:
        config: the proto.
        current: models served so far; their platform must not change.

    Raises:
        ServingError: INVALID_ARGUMENT with the contract's texts.
    """
    listed = config.model_config_list.config
    _check_names(listed)
    _check_paths(listed)
    platforms = {model.name: model.platform for model in current}
    for proto in listed:
        platform = _platform(proto)
        before = platforms.get(proto.name, platform)
        if before != platform:
            raise invalid_argument(
                f"Illegal to change a model's platform. For model {proto.name} platform was {before} and new "
                f"platform requested is {platform}"
            )
    return tuple(_served_model(proto) for proto in listed)


def _check_names(listed: Iterable[Any]) -> None:
    seen: set[str] = set()
    for proto in listed:
        if proto.name in seen:
            raise invalid_argument(f"Illegal to list model {proto.name} multiple times in config list")
        seen.add(proto.name)


def _check_paths(listed: Iterable[Any]) -> None:
    for proto in listed:
        if not (posixpath.isabs(proto.base_path) or _URI.match(proto.base_path)):
            raise invalid_argument(
                f"Expected model {proto.name} to have an absolute path or URI; got base_path()={proto.base_path}"
            )


def _platform(proto: Any) -> str:
    """The platform by name, or by the deprecated ``model_type``."""
    if not proto.model_type:
        if not proto.model_platform:
            raise invalid_argument(
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                f"ModelServerConfig::model_platform, model name is {proto.name}"
            )
        return str(proto.model_platform)
    if proto.model_platform:
        raise invalid_argument(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            f"ModelServerConfig::model_platform, model name is {proto.name}"
        )
    if proto.model_type != model_server_config_pb2.TENSORFLOW:
        raise invalid_argument(f"ModelServerConfig::model_type choice {proto.model_type} not supported.")
    return PLATFORM


def _served_model(proto: Any) -> ServedModel:
    platform = _platform(proto)
    if platform != PLATFORM:
        raise invalid_argument(f"Model {proto.name} requests unsupported platform {platform}")
    if proto.HasField("logging_config"):
        raise invalid_argument("No request-logger-creator provided.")
    return ServedModel(
        proto.name, proto.base_path, _policy(proto.model_version_policy), dict(proto.version_labels), platform
    )


def _policy(proto: Any) -> VersionPolicy:
    kind = proto.WhichOneof("policy_choice") or "latest"
    return VersionPolicy(kind, max(1, proto.latest.num_versions), frozenset(proto.specific.versions))


def read_config_file(path: Path) -> Any:
    """The ``ModelServerConfig`` text proto in a file.

    Raises: ConfigError when it cannot be read or is no such proto.
    """
    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), config)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ConfigError(
            f"{path} is not a model config file: {error}",
            "a text proto `model_config_list { config { name: ... base_path: ... model_platform: 'tensorflow' } }`",
            "correct the file given by --model_config_file",
        ) from None
    return config


def config_of(models: Mapping[str, str]) -> Any:
    """A ``ModelServerConfig`` that serves the latest version of each ``{name: base path}``."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.SetInParent()
    for name, base_path in sorted(models.items()):
        config.model_config_list.config.add(name=name, base_path=base_path, model_platform=PLATFORM)
    return config
