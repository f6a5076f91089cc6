"""Flags -> the parts of a model server: loader, core, engine, and how the transports listen.

Importing this module imports TensorFlow.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow.core.protobuf import config_pb2

from kilnworks.components.serving.batching.parameters import BatchSettings, common_settings, model_settings
from kilnworks.components.serving.batching.places import RunLimit
from kilnworks.components.serving.batching.runner import BatchingRunner
from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.grpc.methods import ServiceSettings
from kilnworks.components.serving.grpc.options import GrpcOptions
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.inference.metrics import Counter, PrometheusMetrics
from kilnworks.components.serving.inference.request_check import ContractCheck
from kilnworks.components.serving.inference.warmup import warm_up
from kilnworks.components.serving.loading.execution import GraphRunner
from kilnworks.components.serving.loading.loader import SavedModelLoader
from kilnworks.components.serving.prediction_log.files import LogSettings
from kilnworks.components.serving.prediction_log.writer import PredictionLogWriter
from kilnworks.components.serving.process.health_listener import HealthOptions
from kilnworks.components.serving.settings.callers import CallersFile
from kilnworks.components.serving.settings.flags import MOST_THREADS, Flags, channel_arguments
from kilnworks.components.serving.settings.options import RestOptions, TlsConfig
from kilnworks.components.serving.settings.reload_policy import reload_policy
from kilnworks.components.serving.settings.text_protos import DEFAULT_METRICS_PATH, read_monitoring_path, read_tls
from kilnworks.components.serving.settings.tls import server_context
from kilnworks.components.serving.versions.core import CoreSettings, ServerCore
from kilnworks.components.serving.versions.manager import LoadSettings
from kilnworks.components.serving.versions.servable import LoadedServable
from kilnworks.components.serving.versions.store_bounds import StoreBounds
from kilnworks.components.serving.wire.feeds import Runner
from kilnworks.components.serving.wire.tensor_budget import MEBIBYTE, TensorBudget
from kilnworks.schemas.errors import ConfigError

_LOG = logging.getLogger(__name__)

DEFAULT_GRPC_PORT = 8500
DEFAULT_REST_PORT = 8501


def make_engine(flags: Flags, bounds: StoreBounds = StoreBounds()) -> Engine:
    """An engine that serves nothing yet, and later nothing outside of the bounds.

    Raises: ConfigError for files or values that do not fit.
    """
    metrics = PrometheusMetrics()
    batching = _common_batching(flags)
    batches, runs = BatchScheduler(batching.threads), _run_limit(flags, metrics)
    loader = SavedModelLoader(
        tags=[tag for tag in flags.saved_model_tags.split(",") if tag],
        session_config=_session_config(flags),
        wrap=_wrap(flags, batching, batches, runs),
        limit=runs.runner,
        warm_up=_warm_up(flags, metrics),
        unsafe_ops=flags.allow_unsafe_ops,
        check=bounds.check_version,
    )
    settings = CoreSettings(
        poll_seconds=flags.file_system_poll_wait_seconds,
        labels_for_unavailable=flags.allow_version_labels_for_unavailable_models,
        load=LoadSettings(
            threads=flags.num_load_threads or LoadSettings.threads,
            retries=flags.max_num_load_retries,
            retry_seconds=flags.load_retry_interval_micros / 1e6,
        ),
        check=bounds.check_base_path,
    )
    log = _prediction_log(flags, metrics)
    check = ContractCheck() if flags.contract_check else None
    budget = TensorBudget(flags.max_request_mb * MEBIBYTE, metrics.refused)
    metrics.request_limit_bytes.set(budget.request_bytes)
    names = flags.enable_signature_method_name_check
    return Engine(ServerCore(loader, settings), metrics, log, check, names, batches, budget)


def _prediction_log(flags: Flags, metrics: PrometheusMetrics) -> PredictionLogWriter | None:
    if not flags.prediction_log_dir:
        return None
    settings = LogSettings(
        Path(flags.prediction_log_dir),
        flags.prediction_log_sampling_rate,
        max_total_bytes=flags.prediction_log_max_mb * MEBIBYTE,
        max_age_seconds=flags.prediction_log_max_days * 86_400,
    )
    return PredictionLogWriter(settings, count=metrics.prediction_log)


def _warm_up(flags: Flags, metrics: PrometheusMetrics) -> Callable[[LoadedServable], None]:
    if not flags.enable_model_warmup:
        return lambda servable: None
    iterations = max(1, flags.num_request_iterations_for_warmup)
    return lambda servable: warm_up(servable, iterations, metrics)


def _common_batching(flags: Flags) -> BatchSettings:
    """Settings of all models. Raises ``ConfigError``."""
    try:
        return common_settings(flags.batching_parameters_file if flags.enable_batching else "")
    except ServingError as error:
        raise ConfigError(
            f"{flags.batching_parameters_file}: {error.text}",
            "a BatchingParameters text message as TensorFlow Serving takes it",
            "correct the file",
        ) from None


def _wrap(
    flags: Flags, common: BatchSettings, batches: BatchScheduler, runs: RunLimit
) -> Callable[[GraphRunner, str, str], Runner]:
    """What stands in front of a graph: nothing, or a batching queue."""
    if not flags.enable_batching:
        return lambda runner, path, model: runner

    def wrap(runner: GraphRunner, path: str, model: str) -> Runner:
        settings = model_settings(path) if flags.enable_per_model_batching_parameters else common
        return runner if settings is None else BatchingRunner(runner, settings, batches, runs.of(model))

    return wrap


def _run_limit(flags: Flags, metrics: PrometheusMetrics) -> RunLimit:
    """One model takes half of the threads of either transport at most."""
    fewest = min(flags.grpc_max_threads or MOST_THREADS, flags.rest_api_num_threads)
    runs = flags.max_runs_per_model or max(1, fewest // 2)
    limit = RunLimit(runs, flags.max_waiting_per_model, metrics.refused)
    metrics.runs_limit.set(runs)
    metrics.running.read, metrics.waiting.read = limit.running, limit.waiting
    return limit


def _session_config(flags: Flags) -> Any:
    """Threads of a graph: one operation gets half of the processors, because requests run beside each other."""
    config = config_pb2.ConfigProto()
    if flags.tensorflow_session_config_file:
        path = Path(flags.tensorflow_session_config_file)
        try:
            text_format.Parse(path.read_text(encoding="utf-8"), config)
        except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
            raise ConfigError(f"{path} is not a ConfigProto file: {error}", "a text proto", "correct it") from None
    config.gpu_options.per_process_gpu_memory_fraction = flags.per_process_gpu_memory_fraction
    both = flags.tensorflow_session_parallelism
    intra, inter = flags.tensorflow_intra_op_parallelism, flags.tensorflow_inter_op_parallelism
    if both and (intra or inter):
        raise ConfigError(
            "--tensorflow_session_parallelism together with intra- or inter-op parallelism",
            "one or the other",
            "leave one out",
        )
    if intra or both or not config.intra_op_parallelism_threads:
        config.intra_op_parallelism_threads = intra or both or max(1, (os.cpu_count() or 1) // 2)
    if inter or both:
        config.inter_op_parallelism_threads = inter or both
    config.experimental.disable_thread_spinning = True
    config.use_per_session_threads = True  # else a graph without end takes the threads of all models
    return config


def callers_of(flags: Flags) -> CallersFile | None:
    """Who may ask; None = anybody. Raises ``ConfigError``."""
    if not flags.callers_file:
        return None
    if not (flags.ssl_config_file and flags.rest_api_ssl_config_file) and flags.host not in ("127.0.0.1", "::1"):
        _LOG.warning("tokens travel in plain text: give --ssl_config_file and --rest_api_ssl_config_file, or a proxy")
    return CallersFile(Path(flags.callers_file))


def service_settings(flags: Flags, engine: Engine, callers: CallersFile | None = None) -> ServiceSettings:
    """How gRPC answers are written, and whose requests count. Raises ``ConfigError``."""
    return ServiceSettings(
        tensor_content=flags.enable_serialization_as_tensor_content,
        metric_value=lambda name: _metric_value(engine.metrics, name),
        reload=reload_policy(flags.reload_config, not (flags.model_base_path or flags.model_config_file)),
        callers=callers,
    )


def _metric_value(metrics: Any, name: str) -> int:
    """First value of a counter by its name in TensorFlow's notation (``/tensorflow/serving/...``); 0 if unknown."""
    wanted = name.replace("/", ":")
    for metric in vars(metrics).values():
        if isinstance(metric, Counter) and metric.name == wanted:
            samples = [line for line in metric.lines() if not line.startswith("#")]
            return int(samples[0].rpartition(" ")[2]) if samples else 0
    return 0


def grpc_options(flags: Flags, callers: CallersFile | None = None) -> GrpcOptions:
    """How the gRPC server listens. Raises ``ConfigError``."""
    port = DEFAULT_GRPC_PORT if flags.port is None else flags.port
    return GrpcOptions(
        port=None if flags.grpc_socket_path and not port else port,
        socket_path=flags.grpc_socket_path,
        host=flags.host,
        max_threads=flags.grpc_max_threads,
        tls=_tls(flags.ssl_config_file),
        channel_arguments=channel_arguments(flags.grpc_channel_arguments),
        health=flags.enable_grpc_healthcheck_service,
        largest_message=flags.max_request_mb * MEBIBYTE,
        callers=callers,
    )


def rest_options(flags: Flags, default_port: int | None, callers: CallersFile | None = None) -> RestOptions | None:
    """How the REST server listens; None when it is off or has the port of gRPC. Raises ``ConfigError``."""
    port = default_port if flags.rest_api_port is None else flags.rest_api_port
    if port is None:
        return None
    if port and port == (DEFAULT_GRPC_PORT if flags.port is None else flags.port):
        _LOG.error("--rest_api_port is the port of gRPC: REST is not served")
        return None
    monitoring = flags.monitoring_config_file
    return RestOptions(
        port=port,
        threads=flags.rest_api_num_threads,
        host=flags.host,
        timeout_ms=flags.rest_api_timeout_in_ms,
        cors=flags.rest_api_enable_cors_support,
        monitoring_path=read_monitoring_path(Path(monitoring)) if monitoring else None,
        tls=_tls(flags.rest_api_ssl_config_file),
        allowed_hosts=_names(flags.allowed_hosts),
        max_request_bytes=flags.max_request_mb * MEBIBYTE,
        callers=callers,
    )


def health_options(flags: Flags) -> HealthOptions | None:
    """How the process that answers health listens; None without one. Raises ``ConfigError``."""
    if flags.health_port is None:
        return None
    monitoring = flags.monitoring_config_file
    path = read_monitoring_path(Path(monitoring)) if monitoring else None
    return HealthOptions(
        flags.health_port, flags.health_host, path or DEFAULT_METRICS_PATH, _names(flags.allowed_hosts)
    )


def _names(text: str) -> tuple[str, ...] | None:
    """Names between commas, in small letters; None for none."""
    return tuple(name.strip().lower() for name in text.split(",") if name.strip()) or None


def _tls(path: str) -> TlsConfig | None:
    """The certificates in a file, tried out before anything is loaded; None without a file. Raises ``ConfigError``."""
    if not path:
        return None
    config = read_tls(Path(path))
    server_context(config)
    return config
