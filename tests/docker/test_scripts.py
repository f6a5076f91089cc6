"""The scripts of ``docker/``: the health check, and the maker of secrets."""

import json
import stat
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.fernet import Fernet

from tests.docker.written import script

LOOK_SECONDS = 0.02
"""How often a server looks whether it is to end."""


@contextmanager
def answering(status: int, body: str):
    """A server that answers everything so; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(LOOK_SECONDS,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/health"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "parts", "said"),
    [
        (200, "ready", (), ""),
        (503, "not ready", (), "503"),
        (200, '{"scheduler": {"status": "healthy"}}', ("scheduler",), ""),
        (200, '{"scheduler": {"status": "unhealthy"}}', ("scheduler",), "scheduler is unhealthy"),
        (200, '{"triggerer": null}', ("triggerer",), "triggerer is missing"),
        (200, "<html>", ("scheduler",), "Expecting value"),
    ],
    ids=["answers", "ill", "part well", "part ill", "part missing", "no json"],
)
def test_health_is_an_exit_code_and_a_reason(status, body, parts, said, capsys):
    with answering(status, body) as url:
        assert script("healthy").main([url, *parts]) == (1 if said else 0)
    assert said in capsys.readouterr().err


def test_a_server_that_is_not_there_is_ill_and_the_environment_names_it(monkeypatch, capsys):
    monkeypatch.setenv("KILNWORKS_SERVER", "http://127.0.0.1:9")
    assert script("healthy").main(["$KILNWORKS_SERVER/health"]) == 1
    assert "http://127.0.0.1:9/health: " in capsys.readouterr().err
    assert script("healthy").main([]) == 2


def test_secrets_are_strong_private_and_stay(tmp_path, capsys):
    folder = tmp_path / "secrets"
    main = script("make_secrets").main
    assert main(folder) == 0
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    assert len(set(first.values())) == len(first) and min(map(len, first.values())) >= 24
    Fernet(first["airflow_fernet_key"].encode())
    assert set(json.loads(first["airflow_passwords"])) == {"admin", "viewer"}
    for name in ("airflow_database", "mlflow_database"):
        assert f":{first['postgres_password']}@postgres:5432/" in first[name]
    (folder / "grafana_password").unlink()
    assert main(folder) == 0
    again = {path.name: path.read_text() for path in folder.iterdir()}
    assert {name for name in again if again[name] != first[name]} == {"grafana_password"}
    assert not any(value in capsys.readouterr().out for value in first.values())
