"""A server of a store serves nothing outside of it, whatever a path or a link says."""

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.versions.model_config import ServedModel
from kilnworks.components.serving.versions.store_bounds import StoreBounds, bounds_of
from tests.e2e.security.attacked_server import Attacked, started

pytestmark = pytest.mark.e2e


@pytest.fixture
def store(models: Path, tmp_path: Path) -> Path:
    """A store of four models: a plain one, and some that lead out of it in one way each."""
    serving = tmp_path / "store" / "serving"
    shutil.copytree(models / "m", serving / "m")
    (serving / "linked").symlink_to(models / "m")
    (serving / "version").mkdir()
    (serving / "version" / "1").symlink_to(models / "m" / "1")
    shutil.copytree(models / "m", serving / "file")
    graph = serving / "file" / "1" / "saved_model.pb"
    graph.unlink()
    graph.symlink_to(models / "m" / "1" / "saved_model.pb")
    (serving / "within").symlink_to(serving / "m")
    return tmp_path / "store"


def served(server: Attacked, model: str) -> bool:
    body = json.dumps({"inputs": [1.0, 2.0]}).encode()
    try:
        with urllib.request.urlopen(f"{server.rest}/v1/models/{model}:predict", body, timeout=60) as answer:
            return json.load(answer) == {"outputs": 3.0}
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return False


NAMES = ("m", "within", "linked", "version", "file")


def test_links_that_leave_the_store(store: Path, models: Path, tmp_path: Path) -> None:
    bounds = bounds_of(store)
    for directory in ("version/1", "file/1"):
        with pytest.raises(ServingError, match="allow_paths_outside_store") as found:
            bounds.check_version(store / "serving" / directory)
        assert found.value.code is Code.FAILED_PRECONDITION
    bounds.check_version(store / "serving" / "m" / "1")
    for path, inside in (
        (store / "serving" / "linked", False),
        (models / "m", False),
        (store / "serving" / "within", True),
    ):
        assert bounds.leaves(path) is not inside
    with pytest.raises(ServingError, match="not in the store"):
        bounds.check_base_path(ServedModel("m", f"{store}/serving/../../elsewhere"))
    StoreBounds().check_version(store / "serving" / "file" / "1")


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    bounds_of(tmp_path).leaves(tmp_path / "a")  # whichever it says, it ends
    (tmp_path / "up").symlink_to(tmp_path.parent)
    assert bounds_of(tmp_path).leaves(tmp_path / "up")


def test_a_config_file_beside_a_store(store: Path, models: Path, tmp_path: Path) -> None:
    config = tmp_path / "models.config"

    def write(path: Path) -> str:
        config.write_text(
            f"model_config_list {{ config {{ name: 'm' base_path: '{path}' model_platform: 'tensorflow' }} }}"
        )
        return f"--model_config_file={config}"

    with (
        pytest.raises(AssertionError, match="is not in the store"),
        started(tmp_path, write(models / "m"), f"--store={store}"),
    ):
        raise RuntimeError("it was served")
    with started(tmp_path, write(store / "serving" / "m"), f"--store={store}") as server:
        server.answers_well()
    with started(tmp_path, write(models / "m")) as server:
        server.answers_well()


def test_reloads_that_lead_out_of_the_store(store: Path, models: Path, tmp_path: Path) -> None:
    """By a path, by dots, by a link to a model, to a version and to a file of one, and by a link made meanwhile."""
    config = tmp_path / "models.config"
    place = store / "serving"
    config.write_text(
        f"model_config_list {{ config {{ name: 'm' base_path: '{place}/m' model_platform: 'tensorflow' }} }}"
    )
    flags = [f"--model_config_file={config}", f"--store={store}", "--max_num_load_retries=0", "--reload_config=on"]
    shutil.copytree(models / "m", place / "later")
    with started(tmp_path, *flags) as server, grpc.insecure_channel(server.grpc) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)

        def reload(path: Path | str, name: str = "evil") -> str:
            request = model_management_pb2.ReloadConfigRequest()
            for model, base in (("m", place / "m"), (name, path)):
                request.config.model_config_list.config.add(
                    name=model, base_path=str(base), model_platform="tensorflow"
                )
            try:
                stub.HandleReloadConfigRequest(request, timeout=60)
            except grpc.RpcError as error:
                return f"{error.code().name} {error.details()}"
            return "OK"

        for path in (models / "m", f"{place}/../../../{models.name}/m", f"file://{models}/m", place / "linked"):
            assert "INVALID_ARGUMENT" in (found := reload(path)) and "is not in the store" in found, found
        for name in ("version", "file"):
            assert "did not become available" in (found := reload(place / name, name)), found
            assert not served(server, name)
        assert reload(place / "within") == "OK"
        assert served(server, "evil")
        (place / "within").unlink()
        (place / "within").symlink_to(models / "m")
        (models / "m" / "2").symlink_to(models / "m" / "1")
        try:
            assert "is not in the store" in reload(place / "within"), "what the path leads to is looked at anew"
        finally:
            (models / "m" / "2").unlink()
        server.answers_well()


@pytest.mark.parametrize("allowed", [False, True])
def test_a_store_with_links_out_of_it(store: Path, tmp_path: Path, allowed: bool) -> None:
    flags = [f"--store={store}", "--max_num_load_retries=0"]
    if not allowed:
        for name in ("version", "file"):
            shutil.rmtree(store / "serving" / name)
    with started(tmp_path, *flags, *(["--allow_paths_outside_store"] if allowed else [])) as server:
        found = {name for name in NAMES if served(server, name)}
    assert found == (set(NAMES) if allowed else {"m", "within"})
    assert ("linked is not served" in server.log.read_text()) is not allowed
