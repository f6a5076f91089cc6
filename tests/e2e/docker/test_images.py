"""The Dockerfile without an engine: every RUN in a fresh Debian, then what each target starts, as its account."""

import json
import os
import re
import shlex
import tempfile
from pathlib import Path

import pytest

from kilnworks.pipelines.cli.doctor import pins
from scripts.images.dockerfile import ROOT
from scripts.images.roots import Builder, Image
from tests import needed
from tests.docker.written import OURS

pytestmark = [pytest.mark.e2e, pytest.mark.nightly, pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")]
INSTALLED = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"


@pytest.fixture(scope="module")
def images():
    """Every target, built; nothing of the gigabytes stays."""
    with tempfile.TemporaryDirectory(prefix="kilnworks-images-") as folder:
        builder = Builder(Path(folder), debootstrap=needed.debootstrap())
        yield {name: builder.build(name) for name in OURS}


@pytest.fixture
def store(tmp_path) -> Path:
    """A folder of the account of the images."""
    folder = tmp_path / "store"
    folder.mkdir()
    os.chown(folder, 10001, 10001)
    return folder


@pytest.fixture
def project(tmp_path) -> Path:
    """A project of one definition, which that account may read."""
    folder = tmp_path / "project"
    for place in ("pipelines", "schemas/contracts"):
        (folder / place).mkdir(parents=True)
    (folder / "pipelines" / "nothing.py").write_text(
        "from kilnworks.pipelines.core.graph import Pipeline\n\nNOTHING = Pipeline('nothing', ())\n"
    )
    return folder


def lives(image: Image, before: str = "", **places: Path) -> None:
    """Its start command runs until its health check is well, without the network of this machine."""
    start, health = (shlex.join(command) for command in (image.start(), image.settings.health))
    script = (
        f"{before}{start} & for i in $(seq 300); do if {health} 2>/dev/null; then echo WELL; exit; fi; sleep 1; done"
    )
    mounts = {f"/{name}": place for name, place in places.items()}
    done = image.run(["/bin/sh", "-c", script], mounts=mounts, alone=True, timeout=900)
    assert "WELL" in done.stdout, (done.stdout + done.stderr)[-3000:]


def said(image: Image, *command: str, **places: Path) -> str:
    mounts = {f"/{name}": place for name, place in places.items()}
    done = image.run(command, mounts=mounts, alone=True, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def plain(name: str) -> str:
    """A package's name in the one spelling by which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_is_that_of_the_lock_and_none_is_for_development(images):
    found = {plain(name): v for name, v in json.loads(said(images["worker"], "python", "-c", INSTALLED)).items()}
    wanted = {plain(name): version for name, version in pins(ROOT / "requirements.txt").items()}
    others = {name: version for name, version in found.items() if wanted.get(name) != version}
    assert set(others) <= {"kilnworks", "pip", "setuptools"}
    assert not {"pytest-xdist", "mypy", "ruff", "playwright", "check-jsonschema"} & found.keys()


def test_a_worker_lists_the_pipelines_of_the_project_and_is_well(images, project, store):
    worker = images["worker"]
    assert "nothing" in said(worker, *worker.start(), project=project, store=store)
    assert said(worker, "id", "-u").strip() == "10001"
    assert "/store can be written" in said(worker, *worker.settings.health, project=project, store=store)
    assert worker.run(worker.settings.health, alone=True, mounts={"/store": Path("/proc")}).returncode == 1


def test_a_server_of_an_empty_store_is_ready(images, store):
    lives(images["serve"], store=store)


def test_the_api_server_of_airflow_is_well(images, store):
    lives(images["airflow"], "airflow db migrate >/dev/null 2>&1; ", store=store)


def test_a_client_says_what_it_can_and_that_its_server_is_not_there(images):
    client = images["client"]
    assert "HOST:PORT" in said(client, *client.start())
    done = client.run(client.settings.health, alone=True)
    assert done.returncode == 1 and "serve:8501" in done.stderr
