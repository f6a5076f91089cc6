"""One server for all attacks."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import preloaded
from tests.e2e.security.attacked_server import ROOT, Attacked, started


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: ``m``, and ``reads``, which reads a file."""
    folder = tmp_path_factory.mktemp("models")
    command = [*preloaded.python(), "-m", "tests.e2e.security.attacked_models", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def attacked(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The server; every test that uses it also sees that it still answers well."""
    folder = tmp_path_factory.mktemp("attacked")
    with started(folder, "--model_name=m", f"--model_base_path={models}/m", "--max_request_mb=64") as server:
        yield server
        assert "Traceback" not in server.log.read_text()


@pytest.fixture
def server(attacked: Attacked) -> Iterator[Attacked]:
    """The server, which answers well after the test too."""
    yield attacked
    attacked.answers_well()
