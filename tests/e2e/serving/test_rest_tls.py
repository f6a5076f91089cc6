"""The HTTP server over TLS, with and without certificates of clients."""

import http.client
import json
import ssl

import pytest

from kilnworks.components.serving.rest.server import HttpServer
from kilnworks.components.serving.settings.options import TlsConfig
from kilnworks.components.serving.settings.tls import server_context
from kilnworks.schemas.errors import ConfigError
from tests.e2e.serving.certificates import self_signed
from tests.e2e.serving.echo_server import HASTY, LIMITS, connect, echo, listening, read_all
from tests.waiting import LONG_SECONDS, until

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("mutual", [False, True])
def test_https(mutual: bool, tmp_path: object) -> None:
    cert, key = self_signed()
    config = TlsConfig(key, cert, custom_ca=cert if mutual else "", client_verify=mutual)
    server = HttpServer(listening(), echo, 2, LIMITS, server_context(config))
    try:
        context = ssl.create_default_context(cadata=cert)
        if mutual:
            (tmp_path / "c.pem").write_text(cert)
            (tmp_path / "k.pem").write_text(key)
            with pytest.raises(OSError):
                _ask(server, ssl.create_default_context(cadata=cert), 1)
            context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
        for size in (0, 5, 3_000_000):
            assert _ask(server, context, size) == size
        with connect(server) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"200" not in read_all(plain)
    finally:
        server.stop(1.0)


def test_a_handshake_that_never_comes_is_hung_up() -> None:
    cert, key = self_signed()
    server = HttpServer(listening(), echo, 2, HASTY, server_context(TlsConfig(key, cert)))
    try:
        with connect(server) as silent:
            assert until(lambda: server._connections)
            assert until(lambda: not server._connections)
            assert read_all(silent) == b""
    finally:
        server.stop(1.0)


def _ask(server: HttpServer, context: ssl.SSLContext, size: int) -> int:
    client = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=LONG_SECONDS, context=context)
    try:
        for _ in range(2):
            client.request("POST", "/x", b"a" * size)
            found = json.loads(client.getresponse().read())["size"]
        return found
    finally:
        client.close()


def test_tls_files_that_do_not_fit() -> None:
    cert, _ = self_signed()
    _, other = self_signed()
    for config in (TlsConfig(other, cert), TlsConfig("", ""), TlsConfig("not PEM", cert)):
        with pytest.raises(ConfigError, match="TLS files"):
            server_context(config)
