"""The REST interface: ``start`` binds a port and serves an engine over HTTP/1.1 until ``stop``."""

import resource
import socket
from dataclasses import replace

from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.json_tensors.apart import Readers
from kilnworks.components.serving.rest.application import Application
from kilnworks.components.serving.rest.large_lane import LargeLane
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.server import HttpServer
from kilnworks.components.serving.settings.hosts import AllowedHosts, default_hosts
from kilnworks.components.serving.settings.options import RestOptions, RunningServer
from kilnworks.components.serving.settings.tls import server_context
from kilnworks.schemas.errors import ConfigError

_OTHER_DESCRIPTORS = 256
"""Open files that are not REST connections: models, gRPC, logs."""
_BODIES_AT_A_TIME = 4
_LARGE_AT_A_TIME = 2
"""Large requests that are answered at a time; each has a process that reads its body."""


def start(engine: Engine, options: RestOptions, limits: Limits | None = None) -> RunningServer:
    """Serve ``engine`` over REST; returns once the port is open.

    Args:
        engine: answers the requests.
        options: port, threads, timeout, CORS, TLS, path of the metrics.
        limits: what one client may cost; None = the defaults.

    Raises:
        ConfigError: the port is taken, or the TLS texts cannot be used.
    """
    most = options.max_request_bytes
    limits = _within_descriptors(limits or Limits(body_bytes=most, waiting_body_bytes=_BODIES_AT_A_TIME * most))
    page = engine.metrics.page if options.monitoring_path else None
    tls = server_context(options.tls) if options.tls is not None else None
    seconds = options.timeout_ms / 1000 if options.timeout_ms > 0 else None
    readers = Readers(limits.body_bytes, seconds)
    hosts = default_hosts(options.host) if options.allowed_hosts is None else AllowedHosts(options.allowed_hosts)
    lane = LargeLane(_LARGE_AT_A_TIME)
    application = Application(engine, options, limits, page, readers, lane, hosts)
    listening, threads = _bind(options.host, options.port), max(1, options.threads)
    readers.prepare()
    return HttpServer(listening, application, threads, limits, tls, engine.batches, readers.close)


def _within_descriptors(limits: Limits) -> Limits:
    """Raise this process's soft limit of open files to the hard one, and keep some for models and gRPC."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > soft:
        wanted = limits.connections + 4 * _OTHER_DESCRIPTORS
        soft = max(soft, wanted if hard == resource.RLIM_INFINITY else min(hard, wanted))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return replace(limits, connections=max(16, min(limits.connections, soft - _OTHER_DESCRIPTORS)))


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"the REST port {host}:{port} cannot be opened: {error.strerror}",
            "a free port",
            "choose another --rest_api_port, or 0 for any free one",
        ) from None
    return listening
