"""``kilnworks mlflow`` where MLflow cannot be: an empty store, a taken port, a file that is no database."""

import socket

import pytest

from kilnworks.components.tracking.ui import served
from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.errors import ConfigError
from tests.components.reporting.invented_run import InventedRun
from tests.ports import held_port


@pytest.fixture(autouse=True)
def _no_tracker_of_the_surroundings(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_store_without_runs_makes_no_database(tmp_path, capsys):
    assert main(["mlflow", "--store", str(tmp_path)]) == 0
    assert "holds no runs yet" in capsys.readouterr().out
    assert not (tmp_path / "mlflow").exists()


def test_a_taken_port_is_said_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port}: Address already in use(.|\n)*--port"), served("x", port):
            pass


def test_a_server_that_is_down_is_an_error_without_its_password(tmp_path, capsys, monkeypatch):
    InventedRun(tmp_path).done()
    with held_port() as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:open-sesame@127.0.0.1:{port}")
        assert main(["mlflow", "--store", str(tmp_path)]) == 1
    said = "".join(capsys.readouterr())
    assert "refused" in said and "to do:" in said and "open-sesame" not in said


@pytest.mark.slow
def test_a_file_that_is_no_database_is_an_error(tmp_path, capsys):
    InventedRun(tmp_path).done()
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow/mlflow.db").write_bytes(b"this is no database" * 100)
    assert main(["mlflow", "--once", "--store", str(tmp_path)]) == 1
    said = "".join(capsys.readouterr())
    assert "not a database" in said and "mlflow db upgrade" in said
