"""Airflow in a folder of its own: nothing of it is read from, or left in, the home of whoever runs the tests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.dags import airflow_home
from tests.dags.airflow_home import HOME, PROJECT, ROOT


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """An empty SQLite database of Airflow, made once."""
    code = "from airflow.utils.db import initdb; initdb()"
    subprocess.run([*airflow_home.python(), "-c", code], check=True, capture_output=True, cwd=HOME.name)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """The toy project as the project's root, with an empty store; returns the store."""
    store = tmp_path / "store"
    monkeypatch.setenv("KILNWORKS_ROOT", str(PROJECT))
    monkeypatch.setenv("KILNWORKS_STORE", str(store))
    monkeypatch.syspath_prepend(str(PROJECT))
    return store


@pytest.fixture
def python(project):
    """Run Python code in a process of its own, at the root of the repository; returns what it prints as JSON.

    It finds Airflow loaded and nothing of this project.
    """
    return lambda code, **environment: said(airflow_home.python(), code, environment)


@pytest.fixture
def interpreter(project):
    """The same in an interpreter that has loaded nothing: slower, for what is about the start of a process."""
    return lambda code, **environment: said([sys.executable], code, environment)


def said(command: list[str], code: str, environment: dict[str, str]) -> Any:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, **environment}
    done = subprocess.run([*command, "-c", code], capture_output=True, text=True, env=env, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])
