"""The small configuration protos of TensorFlow Serving that its Python package does not carry.

``BatchingParameters``, ``MonitoringConfig`` and ``SSLConfig`` are declared here field by field, in a descriptor pool
of their own, and read with protobuf's own text parser.
"""

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from kilnworks.components.serving.settings.options import TlsConfig
from kilnworks.schemas.errors import ConfigError

DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"

_PACKAGE = "tensorflow.serving"
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _FIELD.TYPE_STRING, "bool": _FIELD.TYPE_BOOL, "int64": _FIELD.TYPE_INT64}
_WRAPPED = "google.protobuf."
_REPEATED = "repeated "

_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "BatchingParameters": {
        "max_batch_size": (1, "google.protobuf.Int64Value"),
        "batch_timeout_micros": (2, "google.protobuf.Int64Value"),
        "max_enqueued_batches": (3, "google.protobuf.Int64Value"),
        "num_batch_threads": (4, "google.protobuf.Int64Value"),
        "thread_pool_name": (5, "google.protobuf.StringValue"),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
        "enable_large_batch_splitting": (8, "google.protobuf.BoolValue"),
        "max_execution_batch_size": (9, "google.protobuf.Int64Value"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
}


@cache
def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="kilnworks/serving_config.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind) in fields.items():
            _declare(message.field.add(name=name, number=number), kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool


def _declare(field: Any, kind: str) -> None:
    field.label = _FIELD.LABEL_REPEATED if kind.startswith(_REPEATED) else _FIELD.LABEL_OPTIONAL
    kind = kind.removeprefix(_REPEATED)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = f".{kind}" if kind.startswith(_WRAPPED) else f".{_PACKAGE}.{kind}"


def message_class(name: str) -> Any:
    """The class of ``BatchingParameters``, ``MonitoringConfig`` or ``SSLConfig``."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def read_text_proto(name: str, path: Path) -> Any:
    """The message in a text file.

    Raises: ConfigError with the line and column when the file cannot be read or is no such message.
    """
    message = message_class(name)()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), message)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        fields = ", ".join(_MESSAGES[name])
        raise ConfigError(
            f"{path} is not a {name} file: {error}", f"a text proto with the fields {fields}", "correct the file"
        ) from None
    return message


def read_tls(path: Path) -> TlsConfig:
    """The ``SSLConfig`` in a file. Raises ``ConfigError``."""
    proto = read_text_proto("SSLConfig", path)
    if not proto.server_key or not proto.server_cert:
        raise ConfigError(f"{path} has no server_key or no server_cert", "both, as PEM texts", "add them to the file")
    return TlsConfig(proto.server_key, proto.server_cert, proto.custom_ca, proto.client_verify)


def read_monitoring_path(path: Path) -> str | None:
    """Where Prometheus reads, from a ``MonitoringConfig`` file; None when it is not enabled. Raises ``ConfigError``."""
    proto = read_text_proto("MonitoringConfig", path).prometheus_config
    if not proto.enable:
        return None
    return str(proto.path) or DEFAULT_METRICS_PATH
