"""The command line of the model server: TensorFlow Serving's own flags, spelled as there, and a few more.

Each flag is given as ``--flag=value`` or ``--flag value``; a boolean also bare.
"""

import difflib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from kilnworks.components.serving.settings.reload_policy import reload_policy
from kilnworks.schemas.errors import ConfigError

_RANGES: dict[str, tuple[int, float]] = {
    "port": (0, 65_535),
    "rest_api_port": (0, 65_535),
    "health_port": (0, 65_535),
    "grpc_max_threads": (1, math.inf),
    "rest_api_num_threads": (1, math.inf),
    "num_load_threads": (0, math.inf),
    "drain_seconds": (0, math.inf),
    "max_request_mb": (1, 2047),
    "max_runs_per_model": (1, math.inf),
    "max_waiting_per_model": (0, math.inf),
    "prediction_log_max_mb": (1, math.inf),
    "prediction_log_max_days": (0, math.inf),
}
MOST_THREADS = max(32, 4 * (os.cpu_count() or 1))
"""Threads of a transport at most, where the flag does not say otherwise; they are started when they are needed."""
_TRUE, _FALSE = ("true", "1"), ("false", "0")


@dataclass(frozen=True)
class Flags:
    """Every flag and its default. The stock ones come first; those from ``prediction_log_dir`` on are extensions.

    ``port`` and ``rest_api_port`` None = not given: gRPC on 8500, REST off (8501 when the store is served). Given as 0
    they pick a free port; 0 beside ``grpc_socket_path`` means no TCP. ``grpc_max_threads`` None = as many as are
    needed. ``store`` is the folder whose models are served when neither
    ``model_base_path`` nor ``model_config_file`` is given. ``allowed_hosts`` are names in REST's ``Host``, with commas
    between them (``*.example.org``: all below, ``*``: any); "" = any, but on a loopback address only ``localhost``.
    ``health_port`` at ``health_host`` answers health and metrics from a process of its own; None = there is none.
    ``max_request_mb`` bounds a request as it is sent, unpacked, and as tensors (MiB; the message of gRPC too).
    ``max_runs_per_model`` requests of a model run at a time (None = half of a transport's threads),
    ``max_waiting_per_model`` more wait, and further ones are refused at once; batches run in as many threads of each
    model as their parameters say.
    ``reload_config`` says whose ``HandleReloadConfigRequest`` counts: ``on``, ``off``, ``loopback`` or ``token`` (in
    ``KILNWORKS_RELOAD_TOKEN``); "" = off for a store, else on. ``callers_file`` says who may ask which models.
    ``allow_unsafe_ops`` loads graphs that reach for files.
    With ``store``, also beside a configuration, models outside of it are refused, also where a symbolic link leads out
    of it; ``allow_paths_outside_store`` serves them.
    """

    port: int | None = None
    grpc_socket_path: str = ""
    rest_api_port: int | None = None
    rest_api_num_threads: int = MOST_THREADS
    rest_api_timeout_in_ms: int = 30_000
    rest_api_enable_cors_support: bool = False
    model_name: str = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: int = 0
    file_system_poll_wait_seconds: int = 1
    allow_version_labels_for_unavailable_models: bool = False
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    num_load_threads: int = 0
    num_unload_threads: int = 0
    flush_filesystem_caches: bool = True
    enable_batching: bool = False
    batching_parameters_file: str = ""
    enable_per_model_batching_parameters: bool = False
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    monitoring_config_file: str = ""
    ssl_config_file: str = ""
    grpc_channel_arguments: str = ""
    grpc_max_threads: int | None = None
    enable_grpc_healthcheck_service: bool = False
    enable_signature_method_name_check: bool = False
    enable_serialization_as_tensor_content: bool = False
    saved_model_tags: str = "serve"
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    tensorflow_session_config_file: str = ""
    per_process_gpu_memory_fraction: float = 0.0
    enable_profiler: bool = True
    version: bool = False
    prediction_log_dir: str = ""
    prediction_log_sampling_rate: float = 0.01
    prediction_log_max_mb: int = 1024
    prediction_log_max_days: float = 30.0
    contract_check: bool = False
    rest_api_ssl_config_file: str = ""
    health_port: int | None = None
    health_host: str = "127.0.0.1"
    host: str = "127.0.0.1"
    allowed_hosts: str = ""
    max_request_mb: int = 512
    max_runs_per_model: int | None = None
    max_waiting_per_model: int = 1000
    reload_config: str = ""
    callers_file: str = ""
    allow_unsafe_ops: bool = False
    allow_paths_outside_store: bool = False
    drain_seconds: float = 10.0
    store: str = ""


_KINDS: dict[str, str] = {field.name: str(field.type).removesuffix(" | None") for field in fields(Flags)}
_KINDS = {name: kind.removeprefix("<class '").removesuffix("'>") for name, kind in _KINDS.items()}


def parse_flags(argv: Sequence[str]) -> Flags:
    """The flags of a command line; of a flag given twice the last one counts.

    Raises: ConfigError for an unknown flag (it names the nearest), a missing or wrong value, or a contradiction.
    """
    given: dict[str, Any] = {}
    rest = list(argv)
    while rest:
        name, value = _take(rest)
        given[name] = _convert(name, value)
    flags = replace(Flags(), **given)
    _check(flags)
    return flags


def _check(flags: Flags) -> None:
    """Refuse flags that contradict each other, and values that nothing can be done with."""
    if flags.callers_file and flags.reload_config == "token":
        raise ConfigError(
            "--reload_config=token beside --callers_file",
            "one of them: both read the Authorization of a call",
            "use --reload_config=on and write `reload: true` for callers in the file",
        )
    reload_policy(flags.reload_config, of_a_store=True)
    if flags.batching_parameters_file and not flags.enable_batching:
        raise ConfigError(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true.",
            "--enable_batching beside --batching_parameters_file",
            "add it, or leave the file out",
        )
    for name, (lowest, highest) in _RANGES.items():
        value = getattr(flags, name)
        if value is not None and not lowest <= value <= highest:
            wanted = f"at least {lowest}" if highest == math.inf else f"{lowest} to {highest}"
            raise ConfigError(f"--{name}={value}", wanted, "correct the value")


def _take(rest: list[str]) -> tuple[str, str]:
    """Remove one flag and its value from the front."""
    argument = rest.pop(0)
    name, equals, value = argument.removeprefix("--").partition("=")
    if not argument.startswith("--") or name not in _KINDS:
        raise _unknown(argument)
    if equals:
        return name, value
    if _KINDS[name] == "bool":
        return name, rest.pop(0) if rest and rest[0].lower() in _TRUE + _FALSE else "true"
    if not rest:
        raise ConfigError(f"--{name} has no value", f"--{name}={_KINDS[name]}", "add the value")
    return name, rest.pop(0)


def _unknown(argument: str) -> ConfigError:
    near = difflib.get_close_matches(argument.removeprefix("--").partition("=")[0], _KINDS, n=1)
    known = ", ".join(f"--{name}" for name in _KINDS)
    return ConfigError(
        f"unknown flag {argument!r}", f"one of {known}", f"did you mean --{near[0]}?" if near else "remove it"
    )


def _convert(name: str, value: str) -> Any:
    kind = _KINDS[name]
    try:
        if kind == "bool":
            if value.lower() not in _TRUE + _FALSE:
                raise ValueError(value)
            return value.lower() in _TRUE
        return {"int": int, "float": float, "str": str}[kind](value)
    except ValueError:
        raise ConfigError(f"--{name}={value}", f"a value of type {kind}", "correct the value") from None


def channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """``k=v,k=v`` of ``--grpc_channel_arguments``; a value that spells an integer is one."""
    pairs: list[tuple[str, int | str]] = []
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"--grpc_channel_arguments: {part!r}", "key=value,key=value", "add the value")
        try:
            pairs.append((key, int(value)))
        except ValueError:
            pairs.append((key, value))
    return pairs
