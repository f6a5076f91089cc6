"""Settings that the process hands to the servers it starts (made by ``flags.py``)."""

from dataclasses import dataclass
from typing import Protocol

from kilnworks.components.serving.settings.callers import CallersFile


@dataclass(frozen=True)
class TlsConfig:
    """Content of an ``SSLConfig`` file: PEM texts; ``client_verify`` asks for a client certificate (mutual TLS)."""

    server_key: str
    server_cert: str
    custom_ca: str = ""
    client_verify: bool = False


@dataclass(frozen=True)
class RestOptions:
    """How the REST server listens and answers.

    Attributes:
        port: 0 = a free one.
        threads: worker threads for requests.
        timeout_ms: time limit of an inference; above it the answer is 504.
        cors: send ``Access-Control-Allow-*`` headers.
        monitoring_path: where Prometheus reads; None = off.
        tls: serve HTTPS (not in stock); None = plain HTTP.
        allowed_hosts: names in ``Host``, ``*.example.org`` for all below one; addresses and ``localhost`` always
            are. None = only those on a loopback address, any on another.
        max_request_bytes: of a body, as it comes and unpacked.
        callers: who may ask; None = anybody.
    """

    port: int
    threads: int
    host: str = "0.0.0.0"
    timeout_ms: int = 30_000
    cors: bool = False
    monitoring_path: str | None = None
    tls: TlsConfig | None = None
    allowed_hosts: tuple[str, ...] | None = None
    max_request_bytes: int = 512 * 1024 * 1024
    callers: CallersFile | None = None


class RunningServer(Protocol):
    """A started server, such as ``kilnworks.components.serving.rest.start(engine, options)`` returns."""

    port: int

    def stop(self, grace_seconds: float) -> None:
        """Accept nothing new, let running requests finish within ``grace_seconds``, then close."""
