"""The page over HTTP: who may ask, what is answered when it cannot be made, and what clients may do."""

import contextlib
import http.client
import select
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from kilnworks.components.monitoring.exporter import CONTENT_TYPE, Exporter
from kilnworks.components.serving.settings.hosts import AllowedHosts
from kilnworks.schemas.errors import ConfigError, StoreError
from tests.waiting import until

LOOK_SECONDS = 0.02
"""How often a server looks whether it is to end."""


@contextmanager
def serving(page, **settings):
    with Exporter(page, **settings) as exporter:
        thread = threading.Thread(target=exporter.serve_forever, args=(LOOK_SECONDS,), daemon=True)
        thread.start()
        yield exporter
        exporter.shutdown()
        thread.join()


def ask(exporter, path="/metrics", method="GET", **headers):
    """Status, type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", exporter.server_address[1], timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def test_every_request_gets_the_page_of_now():
    made = iter(["a 1\n", "a 2\n"])
    with serving(lambda: next(made)) as exporter:
        assert exporter.server_address[0] == "127.0.0.1"
        assert exporter.url == f"http://127.0.0.1:{exporter.server_address[1]}/metrics"
        assert ask(exporter) == (200, CONTENT_TYPE, "a 1\n")
        assert ask(exporter, "/metrics?x=y")[2] == "a 2\n"


def test_other_paths_and_methods():
    with serving(lambda: "a 1\n") as exporter:
        assert ask(exporter, "/health") == (200, CONTENT_TYPE, "well\n")
        assert ask(exporter, "/")[0] == 404
        assert ask(exporter, method="HEAD") == (200, CONTENT_TYPE, "")
        assert ask(exporter, method="POST")[0] == 501


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        (None, "localhost:9464", 200),
        (None, "127.0.0.1", 200),
        (None, "[::1]:9464", 200),
        (None, "evil.example", 421),
        (None, "localhost.evil.example", 421),
        (None, "a b", 400),
        (("metrics",), "metrics:9464", 200),
        (("metrics",), "METRICS", 200),
        (("metrics",), "other", 421),
        (("*",), "anything.example", 200),
    ],
)
def test_who_asks_for_another_host_is_refused_and_no_page_is_made(allowed, host, status):
    made = []
    page = lambda: made.append(1) or "a 1\n"  # noqa: E731
    with serving(page, allowed=AllowedHosts(allowed) if allowed else None) as exporter:
        assert ask(exporter, Host=host)[0] == status
    assert bool(made) == (status == 200)


def test_a_page_that_cannot_be_made_is_an_error_that_says_why_and_the_next_may_be_made():
    outcomes = iter([StoreError("postgresql://u:hunter2hunter2@h/d is away", "it", "look"), None])

    def page():
        error = next(outcomes)
        if error is not None:
            raise error
        return "a 1\n"

    with serving(page) as exporter:
        status, _, text = ask(exporter)
        assert status == 500 and text.startswith("StoreError: ") and "is away" in text
        assert "hunter2" not in text
        assert ask(exporter, "/health")[0] == 200
        assert ask(exporter)[0] == 200


@pytest.mark.parametrize("patience", [600.0, 0.5], ids=["patient", "impatient"])
def test_a_client_that_sends_nothing_holds_up_nobody_and_is_let_go(patience, monkeypatch):
    monkeypatch.setattr("kilnworks.components.monitoring.exporter._Handler.timeout", patience)
    with serving(lambda: "a 1\n") as exporter, contextlib.ExitStack() as clients:
        silent = [clients.enter_context(socket.create_connection(exporter.server_address[:2])) for _ in range(20)]
        assert ask(exporter)[0] == 200
        if patience > 60:
            assert not select.select(silent, [], [], 0)[0], "answered while all of them are still there"
        else:
            assert silent[0].recv(1) == b"", "the server has closed it"


def test_pages_are_made_one_at_a_time():
    inside, most = [], []

    def page():
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return "a 1\n"

    with serving(page) as exporter:
        threads = [threading.Thread(target=ask, args=(exporter,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert until(lambda: len(most) == 8)
        for thread in threads:
            thread.join()
    assert max(most) == 1


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("no.such.host.invalid", 0)])
def test_an_address_that_is_not_ours_is_refused(host, port):
    with pytest.raises(ConfigError, match=f"--host {host} --port {port}"):
        Exporter(str, host, port)


def test_a_port_that_is_taken_is_refused():
    with serving(str) as exporter, pytest.raises(ConfigError, match="--port 0 takes a free one"):
        Exporter(str, "127.0.0.1", exporter.server_address[1])
