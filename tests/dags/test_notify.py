"""Alerts reach people: a chat, a web address, a mailbox, each by a connection of Airflow."""

import json
import socketserver
import threading
from contextlib import contextmanager
from email import message_from_string
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.files import read_json

pytestmark = pytest.mark.slow


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web():
    """A web server that keeps what is posted to it; its port and the posts: path, headers, content."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.path, dict(self.headers), content))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, got


@pytest.fixture
def mailbox():
    """A mail server that keeps what it is handed; its port and the messages."""
    got = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.say("220 here")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.say("354 go on")
                    got.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                self.say("221 bye" if word == b"QUIT" else "250 ok")
                if word == b"QUIT":
                    return

        def say(self, text):
            self.wfile.write(f"{text}\r\n".encode())

    with serving(socketserver.TCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, got


@pytest.fixture
def tell(project, monkeypatch):
    """Tell one alert by connections of these contents; the others of the environment stay."""

    def told(**connections):
        from kilnworks.dags import alerts

        for name, content in connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(content))
        monkeypatch.setenv("KILNWORKS_ALERT_CONNECTIONS", ", ".join(connections))
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example")
        alerts.tell("gate closed", "toy", "r1", "evaluation", "auc 0.71 is below 0.8 & <more>")

    return told


LINK = "http://airflow.example/dags/toy/runs/r1"
SENTENCE = f"gate closed: toy evaluation: auc 0.71 is below 0.8 & <more>\n{LINK}"


def test_a_chat_gets_a_sentence_with_the_link(tell, web):
    port, got = web
    tell(team={"conn_type": "slackwebhook", "host": f"http://127.0.0.1:{port}/services", "password": "T1/B2/x"})
    assert [(path, content) for path, _, content in got] == [("/services/T1/B2/x", {"text": SENTENCE})]


def test_a_web_address_gets_the_alert_with_login_and_headers(tell, web):
    port, got = web
    extra = {"X-Team": "churn"}
    who = {"login": "anna", "password": "secret"}
    tell(hook={"conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": port, "extra": extra, **who})
    [(_, headers, content)] = got
    assert (headers["X-Team"], headers["Authorization"]) == ("churn", "Basic YW5uYTpzZWNyZXQ=")
    assert (content["kind"], content["text"]) == ("gate closed", "auc 0.71 is below 0.8 & <more>")
    assert content["link"] == LINK


def test_a_mailbox_gets_a_mail(tell, mailbox):
    port, got = mailbox
    extra = {"to": "team@example.com", "from_email": "airflow@example.com", "disable_ssl": True, "disable_tls": True}
    tell(post={"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra})
    [mail] = map(message_from_string, got)
    head = {name: mail[name] for name in ("Subject", "To", "From")}
    assert head == {"Subject": "gate closed: toy evaluation", "To": "team@example.com", "From": "airflow@example.com"}
    [part] = mail.get_payload()
    body = part.get_payload(decode=True).decode()
    assert "auc 0.71 is below 0.8 &amp; &lt;more&gt;" in body
    assert LINK in body


def test_the_address_of_the_environment_gets_it_as_well(tell, web, monkeypatch):
    port, got = web
    monkeypatch.setenv("KILNWORKS_ALERT_URL", f"http://127.0.0.1:{port}/plain")
    tell(team={"conn_type": "slackwebhook", "host": f"http://127.0.0.1:{port}/chat"})
    assert sorted(path for path, _, _ in got) == ["/chat", "/plain"]


def test_one_receiver_that_fails_keeps_it_from_no_other(tell, web, project, caplog, monkeypatch):
    port, got = web
    monkeypatch.setenv("KILNWORKS_ALERT_URL", "http://127.0.0.1:9/hook")
    tell(
        down={"conn_type": "http", "host": "http://127.0.0.1:9"},
        odd={"conn_type": "sqlite"},
        nowhere={"conn_type": "http"},
        mail={"conn_type": "smtp", "host": "127.0.0.1", "port": 9, "extra": {"retry_limit": 1}},
        team={"conn_type": "slackwebhook", "host": f"http://127.0.0.1:{port}/chat"},
    )
    assert [path for path, _, _ in got] == ["/chat"]
    assert len(list((Store(project).root / "alerts").glob("*.json"))) == 1
    for name in ("http://127.0.0.1:9/hook", *(f"connection {n}" for n in ("down", "odd", "nowhere", "mail"))):
        assert f"not taken by {name}: " in caplog.text
    assert "slackwebhook, http and smtp, not sqlite" in caplog.text


def test_a_connection_that_does_not_exist_is_a_warning(project, monkeypatch, caplog):
    from kilnworks.dags import alerts

    monkeypatch.setenv("KILNWORKS_ALERT_CONNECTIONS", "nobody_made_this")
    alerts.tell("failed", "toy", "r1", "model", "text")
    assert "not taken by connection nobody_made_this" in caplog.text
    assert [read_json(p)["text"] for p in (project / "alerts").glob("*.json")] == ["text"]
