"""Deploying in front of a model server: a real gRPC server that answers as it is told."""

from concurrent import futures

import pytest

from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.decision import read_decision
from kilnworks.schemas.errors import DeployFailed
from tests.components.deploying.deploying_models import names, run_deploy, servable

pytestmark = pytest.mark.e2e


class Server:
    """Answers GetModelStatus with ``states[version]`` (the last one stays) and GetModelMetadata by label."""

    def __init__(self):
        import grpc

        from kilnworks.components.serving.client import messages

        self.messages, self.grpc = messages, grpc
        self.states, self.labels, self.asked = {}, {}, []
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        methods = {
            "ModelService": {"GetModelStatus": (self.status, messages.GetModelStatusRequest)},
            "PredictionService": {"GetModelMetadata": (self.metadata, messages.GetModelMetadataRequest)},
        }
        for service, calls in methods.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(
                    call, request_deserializer=request.FromString, response_serializer=lambda m: m.SerializeToString()
                )
                for name, (call, request) in calls.items()
            }
            handler = grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers)
            self.server.add_generic_rpc_handlers((handler,))
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def status(self, request, context):
        version = request.model_spec.version.value
        self.asked.append((request.model_spec.name, version))
        states = self.states.get(version, [])
        if not states:
            context.abort(self.grpc.StatusCode.NOT_FOUND, f"Could not find version {version} of model churn")
        state, code, text = states.pop(0) if len(states) > 1 else states[0]
        answer = self.messages.GetModelStatusResponse()
        found = answer.model_version_status.add(version=version, state=state)
        found.status.error_code, found.status.error_message = code, text
        return answer

    def metadata(self, request, context):
        label = request.model_spec.version_label
        if label not in self.labels:
            context.abort(self.grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
        answer = self.messages.GetModelMetadataResponse()
        answer.model_spec.name, answer.model_spec.version.value = "churn", self.labels[label]
        return answer


START, LOADING, AVAILABLE, END = (10, 0, ""), (20, 0, ""), (30, 0, ""), (50, 3, "broken graph")


@pytest.fixture
def server():
    made = Server()
    yield made
    made.server.stop(None).wait()


def test_the_champion_moves_once_the_version_is_available(tmp_path, server):
    store = tmp_path / "store"
    server.states[1] = [START, LOADING, AVAILABLE]
    run_deploy(store, servable(tmp_path / "s"), tmp_path / "o", server=server.address, poll_seconds=0.02)
    assert server.asked == [("churn", 1)] * 3
    assert read_champion(store, "churn").version == 1
    (check,) = read_decision(tmp_path / "o").checks
    assert check.passed and check.measured == "AVAILABLE" and server.address in check.name


@pytest.mark.parametrize(
    ("states", "text"),
    [([LOADING, END], "broken graph"), ([LOADING], "1 LOADING"), ([], "NOT_FOUND"), ([START, LOADING], "after 2 s")],
)
def test_a_version_that_does_not_come_up_is_withdrawn_and_the_champion_stays(tmp_path, server, states, text):
    store, made = tmp_path / "store", servable(tmp_path / "s")
    run_deploy(store, made, tmp_path / "0", run="good")
    server.states[2] = [(s, c, t) for s, c, t in states]
    text = text.replace("1 LOADING", "2 LOADING")
    with pytest.raises(DeployFailed, match=f"version 2 of 'churn' did not become AVAILABLE.*{text}") as caught:
        run_deploy(store, made, tmp_path / "o", server=server.address, server_seconds=2, poll_seconds=0.05)
    assert caught.value.details["version"] == 2
    assert read_champion(store, "churn").run_id == "good"
    assert names(store / "serving" / "churn") == [".lock", ".versions.json", "1"]
    assert not read_decision(tmp_path / "o").passed and not (tmp_path / "o" / "deployment.json").exists()
    assert run_deploy(store, made, tmp_path / "3").description["version"] == 3


def test_no_server_at_the_address(tmp_path, server):
    server.server.stop(None).wait()
    with pytest.raises(DeployFailed, match="UNAVAILABLE"):
        run_deploy(
            tmp_path / "store", servable(tmp_path / "s"), tmp_path / "o", server=server.address, server_seconds=0.5
        )
    assert names(tmp_path / "store" / "serving" / "churn") == [".lock", ".versions.json"]


def test_versions_with_a_label_are_kept(tmp_path, server):
    store, made = tmp_path / "store", servable(tmp_path / "s")
    server.labels = {"stable": 1, "mine": 2}
    for version in range(1, 6):
        server.states[version] = [AVAILABLE]
        run_deploy(
            store, made, tmp_path / str(version), server=server.address, keep=1, labels=("stable", "canary", "mine")
        )
    assert names(store / "serving" / "churn") == [".lock", ".versions.json", "1", "2", "4", "5"]


def test_a_server_that_falls_silent_about_labels_stops_retention_only(tmp_path, server):
    store, made = tmp_path / "store", servable(tmp_path / "s")
    for name in "123":
        run_deploy(store, made, tmp_path / name)
    server.states[4] = [AVAILABLE]

    class Silent(dict):
        def __contains__(self, label):
            raise RuntimeError("out of order")

    server.labels = Silent()
    run_deploy(store, made, tmp_path / "4", server=server.address, keep=1)
    assert names(store / "serving" / "churn") == [".lock", ".versions.json", "1", "2", "3", "4"]
    retention = read_decision(tmp_path / "4").details["retention"]
    assert retention["removed"] == [] and "UNKNOWN" in retention["problem"]
    assert read_champion(store, "churn").version == 4
