"""Two hosts on one S3 bucket: processes with mirrors of their own, and an S3 stand-in on this machine."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import tensorflow as tf

from tests import preloaded
from tests.served import COMMAND as SERVE
from tests.served import served

s3fs = pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
URL = "s3://bucket/kilnworks"
DEFINITION = """
    import shutil
    from pathlib import Path
    from kilnworks.components.deploy import DeployConfig, deploy
    from kilnworks.pipelines.core.graph import Pipeline, Step
    from kilnworks.schemas.artifacts import Evaluation, Servable
    from kilnworks.schemas.config import Config
    from kilnworks.schemas.files import write_json

    class Given(Config):
        model: str = {model!r}
        mark: int = 0

    def judge(config: Given, out: Path) -> Evaluation:
        write_json(out / "evaluation.json", {{"metrics": {{"auc": {{"value": 0.75}}}}}})
        return Evaluation(out)

    def export(config: Given, evaluation: Evaluation, out: Path) -> Servable:
        shutil.copytree(config.model, out / "model")
        write_json(out / "servable.json", {{"metrics": {{}}, "signatures": {{}}}})
        return Servable(out)

    P = Pipeline("half", (
        Step("evaluation", judge, Given()),
        Step("servable", export, Given(), {{"evaluation": "evaluation"}}),
        Step("deployment", deploy, DeployConfig(), {{"servable": "servable"}}),
    ))
"""


@dataclass
class Host:
    """A machine of its own as far as the store goes."""

    environment: dict[str, str]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [*preloaded.python(), "-m", "kilnworks", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return process.returncode, out + err


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    files.mkdir("bucket")
    yield files
    server.stop()


@pytest.fixture
def hosts(bucket: Any, tmp_path: Path) -> tuple[Host, Host]:
    class Half(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x / 2}

    module = Half()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": module.serve})
    (tmp_path / "project/pipelines").mkdir(parents=True)
    definition = dedent(DEFINITION).format(model=str(tmp_path / "saved"))
    (tmp_path / "project/pipelines/half.py").write_text(definition)
    common = {**os.environ, "KILNWORKS_ROOT": str(tmp_path / "project"), "KILNWORKS_STORE": URL, "COLUMNS": "160"}
    return Host({**common, "KILNWORKS_MIRROR": str(tmp_path / "a")}), Host(
        {**common, "KILNWORKS_MIRROR": str(tmp_path / "b")}
    )


def versions(bucket: Any) -> list[str]:
    found = bucket.ls("bucket/kilnworks/serving/half", detail=False)
    return sorted(name.rpartition("/")[2] for name in found if name.rpartition("/")[2].isdecimal())


def test_one_host_publishes_and_another_sees_serves_and_is_refused(bucket, hosts, tmp_path):
    here, there = hosts
    code, said = here.run("run", "half", "--run-id", "r1")
    assert code == 0, said
    code, said = there.run("runs", "half")
    assert code == 0 and "done" in said and "auc 0.7500" in said and "champion" in said, said
    code, said = there.run("report", "half")
    assert code == 0 and "0.75" in Path(said.strip().splitlines()[-1]).read_text(), said
    for arguments in (["run", "half", "--fresh"], ["prune", "--days", "1"]):
        code, said = there.run(*arguments)
        assert code == 1 and "belongs to" in said and "owner.json" in said and "Traceback" not in said, said
    code, said = there.run("run", "half", "--to", "servable", "--run-id", "r2")
    assert code == 0 and "2 cached" in said, said
    assert versions(bucket) == ["1"]
    flag = "--file_system_poll_wait_seconds=1"
    with served(flag, words=SERVE, env=there.environment) as told:
        assert told["models"] == ["half"]
        assert predicted(told["rest_api_port"]) == [2.0]


def predicted(port: int) -> list[float]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/models/half:predict",
        json.dumps({"instances": [4.0]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return list(json.load(answer)["predictions"])


def test_two_hosts_that_deploy_at_once_publish_one_model_under_one_number(bucket, hosts):
    processes = [
        host.start("run", "half", "--promote", "--set", f"servable.mark={i}", "--set", f"evaluation.mark={i}")
        for i, host in enumerate(hosts)
    ]
    said = [process.communicate(timeout=300) for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, 1], said
    assert versions(bucket) == ["1"]
    ledger = json.loads(bucket.cat_file("bucket/kilnworks/serving/half/.versions.json"))
    assert (ledger["highest"], len(ledger["published"])) == (1, 1)
