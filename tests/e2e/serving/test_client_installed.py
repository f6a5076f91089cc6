"""``kilnworks-client`` as others install it: the wheel, what it asks for and nothing else, against a real server."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.serving.rest_process import ROOT, Served, serving
from tests.installed import alone, client_wheel, distributions, python_with_only

pytestmark = pytest.mark.e2e

ASKED = """
import json, sys
import numpy as np
from kilnworks_client import Client, Options, Policy, RequestInvalid, ServerUnavailable

with Client(sys.argv[1]) as client:
    client.wait_until_available("half", 2)
    found = client.predict("half", {"x": np.array([1, 2, 5], np.float32)}, label="stable").outputs["y"]
    try:
        client.predict("no", {"x": [1.0]})
    except RequestInvalid as error:
        refused = [error.details["code"], str(error)]
try:
    scheme = "http://" if sys.argv[1].startswith("http") else ""
    Client(scheme + "127.0.0.1:9", options=Options(retry=Policy(attempts=2, first_seconds=0.01))).status("half")
except ServerUnavailable as error:
    nobody = [error.details["attempts"], str(error)]
print(json.dumps([str(found.dtype), found.tolist(), refused, nobody, sorted(m.split(".")[0] for m in sys.modules)]))
"""
IMPORTED = """
import time
began = time.process_time()
import {names}
print(time.process_time() - began)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the client's wheel."""
    folder = tmp_path_factory.mktemp("client")
    return python_with_only(folder / "environment", str(client_wheel(folder)))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("asked")) as found:
        yield found


def ran(python: Path, folder: Path, code: str, *arguments: str) -> str:
    command = [str(python), "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, env=alone(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_brings_numpy_grpc_and_protobuf_and_nothing_else(python):
    assert distributions(python) == {"kilnworks-client", "numpy", "grpcio", "protobuf", "typing_extensions"}


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_it_asks_a_server(python, served, tmp_path, transport):
    address = served.grpc if transport == "grpc" else f"http://{served.rest}"
    dtype, values, refused, nobody, modules = json.loads(ran(python, tmp_path, ASKED, address))
    assert (dtype, values) == ("float32", [2.5, 3.0, 4.5])
    assert refused[0] == "NOT_FOUND" and "Servable not found" in refused[1] and "to do:" in refused[1]
    assert nobody[0] == 2 and "check that it runs at this address" in nobody[1]
    assert {"kilnworks", "tensorflow", "pydantic"}.isdisjoint(modules)


def test_its_command_asks(python, served, tmp_path):
    def said(*words: str, given: str = "", ok: int = 0) -> str:
        command = [str(python.with_name("kilnworks-client")), *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=alone(), input=given, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == ok, done.stderr
        return done.stdout + done.stderr

    assert [one["version"] for one in json.loads(said("status", served.grpc, "half"))] == [2, 1]
    told = json.loads(said("metadata", f"http://{served.rest}", "half", "--version", "1"))
    assert told["signatures"]["serving_default"]["inputs"] == {"x": {"dtype": "float32", "shape": [-1]}}
    answer = said("predict", served.grpc, "half", "--label", "stable", given='{"x": [1, 2.0]}')
    assert json.loads(answer) == {"version": 1, "outputs": {"y": [2.5, 3.0]}}
    assert "RequestInvalid" in said("status", served.grpc, "no", ok=1)
    assert "no JSON on standard input" in said("predict", served.grpc, "half", given="{", ok=2)
    assert "name the inputs" in said("predict", served.grpc, "half", given="[1]", ok=2)


def test_importing_it_takes_little_more_than_what_it_stands_on(python, tmp_path):
    """Twice that of the processor at most, the best of three each; it is about 1.2 times."""
    needed = "numpy, grpc.aio, google.protobuf.message_factory"
    own, theirs = (
        min(float(ran(python, tmp_path, IMPORTED.format(names=names))) for _ in range(3))
        for names in ("kilnworks_client.client", needed)
    )
    assert own < 2 * theirs


def test_the_example_of_its_page_runs(python, served, tmp_path):
    """With the model of this server in place of the page's."""
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "kilnworks_client" / "README.md").read_text(), re.DOTALL)
    for there, here in (
        ("localhost:8500", served.grpc),
        ('"digits"', '"half"'),
        ('"image": np.zeros((1, 8, 8, 1), np.uint8)', '"x": np.array([1], np.float32)'),
        ('answer.outputs["class"], answer.outputs["probabilities"]', 'answer.outputs["y"]'),
    ):
        assert there in code
        code = code.replace(there, here)
    assert ran(python, tmp_path, code) == "[2.5]\n"
