"""One server for all attacks."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.security.attacked_server import Attacked, started


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: ``m``, and ``reads``, which reads a file."""
    folder = tmp_path_factory.mktemp("models")
    script = Path(__file__).with_name("attacked_models.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
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
