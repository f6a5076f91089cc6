"""Prometheus asks both servers and ``kilnworks metrics``, all as composed; every query of the dashboard answers."""

import json
import re
import shlex
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from kilnworks.schemas.champion import read_champion
from tests import needed, preloaded
from tests.docker.written import PROMETHEUS, ROOT, queries
from tests.e2e.docker.composed import STOCK, Composed
from tests.waiting import LONG_SECONDS, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
FLOAT = 1
ASKED = ("serve", STOCK, "metrics", "prometheus")


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    """The services that Prometheus asks, on a store with a live model and a look at drift."""
    prometheus = str(needed.prometheus())
    folder = tmp_path_factory.mktemp("team")
    shutil.copytree(PROMETHEUS, folder / "prometheus")
    composed = Composed(
        folder, ROOT, {"/etc/prometheus": str(folder / "prometheus"), "/prometheus": str(folder / "tsdb")}
    )
    config = composed.here((PROMETHEUS / "prometheus.yaml").read_text())
    (folder / "prometheus" / "prometheus.yaml").write_text(re.sub(r"_interval: \d+s", "_interval: 1s", config))
    # what the image of TensorFlow Serving has on its path: our server, which takes the same flags, in a process that
    # finds TensorFlow loaded
    stock = folder / "bin" / "tensorflow_model_server"
    stock.parent.mkdir()
    stock.write_text(f'#!/bin/sh\nexec {shlex.join(preloaded.python())} -m pipelines serve "$@"\n')
    stock.chmod(0o755)
    try:
        composed.start("serving-config")
        composed.start(STOCK, PATH=f"{stock.parent}:{composed.environment('client')['PATH']}", PYTHONPATH=str(ROOT))
        kilnworks(composed, "run", "churn", "--set", "model.epochs=1", "--promote", "--reason", "a test")
        kilnworks(composed, "drift", "churn", "--data", str(ROOT / "data/churn.csv"))
        ports = (f"--port={composed.ports['8500']}", f"--rest_api_port={composed.ports['8501']}")
        composed.start("serve", *ports, "--max_request_mb=1")
        composed.start("metrics", "--port", composed.ports["9464"])
        composed.start("prometheus", f"--web.listen-address=127.0.0.1:{composed.ports['9090']}", program=(prometheus,))
        for name in ASKED:
            assert until(lambda name=name: composed.well(name), every=0.5), composed.log(name)[-3000:]
        yield composed
    finally:
        composed.stop()


def kilnworks(team, *arguments):
    """What a container of the worker's image does with such a command, in a process that finds TensorFlow loaded."""
    done = team.run("metrics", [*preloaded.python(), "-m", "kilnworks", *arguments])
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def prometheus(team, path, **values):
    url = f"http://127.0.0.1:{team.ports['9090']}/api/v1/{path}?{urllib.parse.urlencode(values)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)["data"]


def ask(team, expression):
    """Labels and value of each sample."""
    return [(one["metric"], float(one["value"][1])) for one in prometheus(team, "query", query=expression)["result"]]


def rest(team, body: bytes) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{team.ports['8501']}/v1/models/churn:predict", body)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def traffic(team):
    """Good requests over both protocols to both servers, a wrong one, and one that is too large."""
    for ports in (team.ports, team.stock):
        grpc, http = (f"127.0.0.1:{ports[port]}" for port in ("8500", "8501"))
        assert "errors      none" in kilnworks(team, "load", grpc, "churn", "--seconds", "1.5")
        assert "errors      none" in kilnworks(team, "load", grpc, "churn", "--rest", http, "--seconds", "1.5")
    assert rest(team, b'{"instances": [{"nothing": 1}]}') == 400


def too_large(team):
    """A message of a few bytes that stands for a tensor above ``--max_request_mb``."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "churn"
    tensor = request.inputs["tenure"]
    tensor.dtype = FLOAT
    tensor.float_val.append(1.0)
    tensor.tensor_shape.dim.add().size = 10**6
    with grpc.insecure_channel(f"127.0.0.1:{team.ports['8500']}") as channel, pytest.raises(grpc.RpcError) as error:
        prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=60)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def in_prometheus(expression: str) -> str:
    """A query with the variables of Grafana filled in."""
    expression = re.sub(r"\$(server|model|pipeline|metric)\b", ".*", expression)
    return expression.replace("$__rate_interval", "1m")


def test_every_query_of_the_dashboard_has_an_answer(team):
    assert until(lambda: len([s for s in ask(team, "up") if s[1] == 1]) == 4, every=0.5), prometheus(team, "targets")
    traffic(team)
    metrics = team.processes.pop("metrics")  # so that an alert is on its way
    metrics.terminate()
    assert metrics.wait(LONG_SECONDS) == 0
    assert until(lambda: "StoreUnread" in {labels["alertname"] for labels, _ in ask(team, "ALERTS")}, every=0.5)
    team.start("metrics", "--port", team.ports["9464"])

    def empty():
        too_large(team)  # a counter has a rate once it has been seen twice
        return [name for name, query in queries().items() if not ask(team, in_prometheus(query))]

    assert until(lambda: not set(empty()) - {"Alerts, A"}, every=1), empty()


def test_prometheus_tells_what_the_store_and_the_servers_say(team):
    champion = read_champion(team.folder / "store", "churn")
    [(labels, one)] = ask(team, 'kilnworks_champion_info{pipeline="churn"}')
    assert (labels["version"], labels["run_id"], one) == (str(champion.version), champion.run_id, 1)
    moved = {
        labels["new"]: value for labels, value in ask(team, 'kilnworks_drift_features_moved{pipeline="churn_drift"}')
    }
    assert moved == {"churn.csv": 0}, "they are the rows that it was trained on"
    counted = {labels["job"]: value for labels, value in ask(team, "sum by (job) (:tensorflow:serving:request_count)")}
    assert counted["serve"] > 10 and counted[STOCK] > 10


def test_the_models_of_tensorflow_serving_are_those_of_the_store(team):
    """It was started before the first deployment: it has waited for its files."""
    text = (team.folder / "config" / "models.config").read_text()
    assert f'base_path: "{team.folder}/store/serving/churn"' in text


def test_a_store_that_cannot_be_read_is_a_target_that_is_down(team):
    [run] = (team.folder / "store/runs/churn").glob("*/run.json")
    text = run.read_text()
    run.write_text("{")
    try:
        assert until(lambda: ask(team, 'up{job="kilnworks"}')[0][1] == 0, every=0.5)
        errors = [target["lastError"] for target in prometheus(team, "targets")["activeTargets"]]
        assert any("500" in error for error in errors), errors
    finally:
        run.write_text(text)
    assert until(lambda: ask(team, 'up{job="kilnworks"}')[0][1] == 1, every=0.5)


def test_promtool_finds_nothing_wrong_with_the_page_of_the_exporter(team):
    with urllib.request.urlopen(f"http://127.0.0.1:{team.ports['9464']}/metrics", timeout=30) as answer:
        page = answer.read()
    done = subprocess.run([needed.promtool(), "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
