"""The model server as a process: flags in, one line of JSON out once every model is available, SIGTERM drains.

TensorFlow is imported only after the flags have been read.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.process.health_listener import HealthListener
from kilnworks.components.serving.process.log_filter import RepeatFilter
from kilnworks.components.serving.process.stopping import Stop, stopped_by_signals
from kilnworks.components.serving.settings.flags import Flags, parse_flags
from kilnworks.components.serving.settings.options import RestOptions, RunningServer
from kilnworks.components.serving.versions.store_bounds import ALLOWED, StoreBounds, bounds_of
from kilnworks.components.serving.versions.store_models import base_paths
from kilnworks.schemas.crashes import show_crashes
from kilnworks.schemas.errors import EXIT_FAILED, KilnworksError
from kilnworks.schemas.logs import make_safe

if TYPE_CHECKING:
    from kilnworks.components.serving.grpc.options import GrpcOptions

_LOG = logging.getLogger(__name__)
_HELP = ("--help", "-h", "--helpfull")


class StoreLike(Protocol):
    """What the server needs of a store."""

    @property
    def root(self) -> Path:
        """The local folder."""

    def refresh(self) -> None:
        """Let the folder hold what is published, where that happens elsewhere."""


def serve(argv: Sequence[str], find_store: Callable[[str | None], StoreLike]) -> int:
    """Run the server until SIGTERM or SIGINT; the exit code.

    Args:
        argv: TensorFlow Serving's flags. Without a base path or config file the store's models are served.
        find_store: the store at a URL, or the default one for None.

    Raises:
        ConfigError: a flag or a file is wrong; nothing has been started.
    """
    if any(argument in _HELP for argument in argv):
        sys.stdout.write(usage())
        return 0
    flags = parse_flags(argv)
    _prepare_process()
    if flags.version:
        sys.stdout.write(_version())
        return 0
    with stopped_by_signals() as stop:
        try:
            return _Process(flags, find_store, stop).run()
        except (ServingError, OSError) as error:
            sys.stderr.write(f"Failed to start server. Error: {error}\n")
            return EXIT_FAILED


def usage() -> str:
    """All flags with their defaults."""
    lines = [f"  --{field.name}={getattr(Flags(), field.name)!s}" for field in fields(Flags)]
    return "usage: serve [flags]\n\n" + "\n".join(lines) + "\n"


def _version() -> str:
    import tensorflow as tf

    return f"TensorFlow ModelServer: kilnworks\nTensorFlow Library: {tf.__version__}\n"


def _prepare_process() -> None:
    """Settings that TensorFlow and gRPC read when they are imported; what the environment says goes first.

    oneDNN's kernels end the process when a request brings a tensor of a rank that they do not expect.
    """
    show_crashes()
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatFilter())
    make_safe(logging.getLogger())
    for noisy in ("tensorflow", "absl", "h5py"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


class _Process:
    """Everything that runs, from start to drain."""

    def __init__(self, flags: Flags, find_store: Callable[[str | None], StoreLike], stop: Stop) -> None:
        self._flags, self._until, self._stop = flags, stop, stop.event
        self._store: Path | None = None
        self._refresh: Callable[[], None] = lambda: None
        found: StoreLike | None = None
        if not flags.model_base_path and not flags.model_config_file:
            found = find_store(flags.store or None)
            self._store, self._refresh = found.root / "serving", found.refresh
        elif flags.store:
            found = find_store(flags.store)
        self._bounds = StoreBounds()
        if found is not None and not flags.allow_paths_outside_store:
            self._bounds = bounds_of(found.root)
        self._engine: Any = None
        self._health: HealthListener | None = None
        self._servers: list[RunningServer] = []

    def run(self) -> int:
        """Start, announce, wait, drain."""
        from kilnworks.components.serving.versions.model_config import served_models

        config = self._config()
        served_models(config)  # a bad configuration is refused before TensorFlow is imported
        from kilnworks.components.serving.process.assembly import (
            DEFAULT_REST_PORT,
            callers_of,
            grpc_options,
            health_options,
            make_engine,
            rest_options,
        )

        callers = callers_of(self._flags)
        grpc = grpc_options(self._flags, callers)
        rest = rest_options(self._flags, None if self._store is None else DEFAULT_REST_PORT, callers)
        health = health_options(self._flags)
        self._engine = make_engine(self._flags, self._bounds)
        try:
            if health is not None:
                self._health = HealthListener(health, self._engine.core.ready, self._engine.metrics.page)
            self._engine.core.reload(config, given_up=self._stop.is_set)
            self._start_servers(grpc, rest)
            threading.Thread(target=self._watch, name="config-poll", daemon=True).start()
            self._until.wait()
        except ServingError:
            if not self._stop.is_set():
                raise
        finally:
            self._drain()
        return 0

    def _config(self) -> Any:
        from kilnworks.components.serving.versions.model_config import config_of, read_config_file

        if self._flags.model_config_file:
            return read_config_file(Path(self._flags.model_config_file))
        if self._store is not None:
            return config_of(self._in_store(self._store))
        return config_of({self._flags.model_name: self._flags.model_base_path})

    def _in_store(self, store: Path) -> Mapping[str, str]:
        """The base paths of a store's models; those outside of it are left out."""
        found = base_paths(store)
        outside = {name: path for name, path in found.items() if self._bounds.leaves(Path(path))}
        for name, path in outside.items():
            _LOG.error("model %s is not served: %s is outside of the store (%s)", name, path, ALLOWED)
        return {name: path for name, path in found.items() if name not in outside}

    def _start_servers(self, grpc: "GrpcOptions", rest: RestOptions | None) -> None:
        from kilnworks.components.serving.grpc.methods import methods
        from kilnworks.components.serving.grpc.server import start_grpc
        from kilnworks.components.serving.process.assembly import service_settings

        answers = methods(self._engine, service_settings(self._flags, self._engine, grpc.callers))
        grpc_server = start_grpc(answers, replace(grpc, refused=self._engine.metrics.refused), self._engine.batches)
        self._servers.append(grpc_server)
        rest_port = 0
        if rest is not None:
            from kilnworks.components.serving.rest import start

            rest_server = start(self._engine, rest)
            self._servers.append(rest_server)
            rest_port = rest_server.port
        models = sorted(model.name for model in self._engine.core.models())
        if not models:
            _LOG.warning("there is no model to serve yet; published ones are taken up from %s", self._store)
        announcement = {"grpc_port": grpc_server.port, "rest_api_port": rest_port, "models": models}
        if self._health is not None:
            announcement["health_port"] = self._health.port
        sys.stdout.write(json.dumps(announcement) + "\n")
        sys.stdout.flush()

    def _watch(self) -> None:
        """Look for a changed config file, or for models that come to the store or leave it."""
        seconds = self._flags.model_config_file_poll_wait_seconds
        if self._store is not None:
            seconds = self._flags.file_system_poll_wait_seconds
        while seconds > 0 and not self._stop.wait(seconds):
            try:
                self._reload_if_changed()
            except (KilnworksError, ServingError, OSError) as error:
                _LOG.error("the configuration was not reloaded: %s", error)

    def _reload_if_changed(self) -> None:
        core = self._engine.core
        self._refresh()
        if self._store is not None:
            models = self._in_store(self._store)
            if models == {model.name: model.base_path for model in core.models()}:
                return
        core.reload(self._config(), given_up=self._stop.is_set, wait=self._store is None)

    def _drain(self) -> None:
        """Let running requests finish, then unload everything."""
        if self._health is not None:
            self._health.drain()
        waiting = [threading.Thread(target=server.stop, args=(self._flags.drain_seconds,)) for server in self._servers]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join()
        self._engine.core.close(self._flags.drain_seconds)
        if self._engine.prediction_log is not None:
            self._engine.prediction_log.close()
        if self._health is not None:
            self._health.stop()
        if any(getattr(server, "stuck", False) for server in self._servers):
            _LOG.warning("a request still runs after %g s: the process ends without it", self._flags.drain_seconds)
            sys.stderr.flush()
            os._exit(0)  # the interpreter would wait for a thread that computes without end
