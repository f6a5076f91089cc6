"""Who may change what is served, and which graphs are loaded at all."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.loading.graph_policy import refuse_reaching_out
from kilnworks.components.serving.settings.reload_policy import ReloadPolicy, reload_policy
from kilnworks.schemas.errors import ConfigError
from tests.e2e.security.attacked_server import Attacked, started

pytestmark = pytest.mark.e2e


def unload_everything(server: Attacked, **metadata: str) -> str:
    """The code of a reload whose list of models is empty."""
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    with grpc.insecure_channel(server.grpc) as channel:
        try:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            stub.HandleReloadConfigRequest(request, timeout=60, metadata=list(metadata.items()))
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


@pytest.fixture
def guarded(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attacked]:
    monkeypatch.setenv("KILNWORKS_RELOAD_TOKEN", "s3cret")
    with started(tmp_path, "--model_name=m", f"--model_base_path={models}/m", "--reload_config=token") as server:
        yield server


def test_only_who_knows_the_token_reloads(guarded: Attacked) -> None:
    assert unload_everything(guarded) == "UNAUTHENTICATED"
    assert unload_everything(guarded, authorization="Bearer wrong") == "UNAUTHENTICATED"
    assert unload_everything(guarded, authorization="Basic s3cret") == "UNAUTHENTICATED"
    guarded.answers_well()
    assert unload_everything(guarded, authorization="Bearer s3cret") == "OK"


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("ipv4:127.0.0.1:5000", True),
        ("ipv4:127.8.0.1:5000", True),
        ("ipv6:[::1]:5000", True),
        ("ipv6:%5B::1%5D:5000", True),
        ("ipv6:[::ffff:127.0.0.1]:5000", True),
        ("unix:/tmp/s", True),
        ("ipv4:10.0.0.7:5000", False),
        ("ipv6:[2001:db8::1]:5000", False),
        ("ipv4:127.0.0.1.example:1", False),
        ("unknown", False),
    ],
)
def test_loopback(peer: str, local: bool) -> None:
    policy = reload_policy("loopback", of_a_store=True)
    if local:
        policy.check(peer, "")
        return
    with pytest.raises(ServingError) as found:
        policy.check(peer, "")
    assert found.value.code is Code.PERMISSION_DENIED


def test_a_store_takes_no_reloads_unless_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KILNWORKS_RELOAD_TOKEN", raising=False)
    assert reload_policy("", of_a_store=True) == ReloadPolicy("off")
    assert reload_policy("", of_a_store=False) == ReloadPolicy("on"), "as in stock"
    with pytest.raises(ServingError, match="reload_config=off"):
        reload_policy("", of_a_store=True).check("unix:x", "")
    with pytest.raises(ConfigError, match="perhaps"):
        reload_policy("perhaps", of_a_store=True)
    with pytest.raises(ConfigError, match="KILNWORKS_RELOAD_TOKEN"):
        reload_policy("token", of_a_store=True)


def test_a_graph_that_reads_files_is_not_loaded(models: Path, tmp_path: Path) -> None:
    refuse_reaching_out(models / "m" / "1")
    with pytest.raises(ServingError, match="ReadFile") as found:
        refuse_reaching_out(models / "reads" / "1")
    assert found.value.code is Code.FAILED_PRECONDITION
    flags = ["--model_name=reads", f"--model_base_path={models}/reads", "--max_num_load_retries=0"]
    with pytest.raises(AssertionError, match="ReadFile"), started(tmp_path, *flags):
        raise RuntimeError("it was loaded")
    with started(tmp_path, *flags, "--allow_unsafe_ops") as server:
        assert server.ports["models"] == ["reads"]
