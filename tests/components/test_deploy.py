"""The deploy step without a server: what it publishes, what it refuses, and what it leaves alone."""

import fcntl
import subprocess
import sys

import pytest

from kilnworks.components.deploy import DeployConfig
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.decision import read_decision
from kilnworks.schemas.errors import DeployFailed
from kilnworks.schemas.files import read_json
from tests.components.deploying.deploying_models import names, run_deploy, servable, whole


def test_a_version_is_published_whole_and_becomes_the_champion(tmp_path):
    made = servable(tmp_path / "s")
    store = tmp_path / "store"
    deployment = run_deploy(store, made, tmp_path / "o")
    version = store / "serving" / "churn" / "1"
    assert whole(version, made)
    assert deployment.description == {
        "model": "churn", "version": 1, "path": str(version),
        "champion": str(store / "champions" / "churn.json"), "store": str(store), "previous": None,
    }  # fmt: skip
    champion = read_champion(store, "churn")
    assert (champion.run_id, champion.model, champion.version, champion.path) == ("r1", "churn", 1, str(version))
    assert deployment.problem() is None
    decision = read_decision(tmp_path / "o")
    assert decision.passed and decision.details["run_id"] == "r1" and decision.details["metrics"]["auc"]["value"] == 0.9


def test_the_next_deployment_names_the_one_before_and_makes_it_stale(tmp_path):
    made, store = servable(tmp_path / "s"), tmp_path / "store"
    first = run_deploy(store, made, tmp_path / "1")
    second = run_deploy(store, made, tmp_path / "2", run="r2")
    assert second.description["version"] == 2
    assert second.description["previous"]["version"] == 1 and second.description["previous"]["run_id"] == "r1"
    assert first.problem() == "version 1 is no longer the champion"
    (store / "serving" / "churn" / "2" / "saved_model.pb").unlink()
    assert "is gone" in second.problem()


def test_the_fingerprint_of_the_servable_is_in_the_decision(tmp_path):
    made = servable(tmp_path / "s")
    (made.path / "manifest.json").write_text('{"fingerprint": "abc"}')
    run_deploy(tmp_path / "store", made, tmp_path / "o")
    assert read_decision(tmp_path / "o").inputs == {"servable": "abc"}


def test_model_name_and_base_path_can_be_set(tmp_path):
    deployment = run_deploy(
        tmp_path / "store", servable(tmp_path / "s"), tmp_path / "o", base_path=tmp_path / "b", model="m"
    )
    assert deployment.description["path"] == str(tmp_path / "b" / "1") and deployment.description["model"] == "m"


def test_only_names_that_fit_a_url_are_taken():
    with pytest.raises(ValueError, match="pattern"):
        DeployConfig(model="a/b")


def test_another_deployment_of_the_model_is_waited_for_and_named(tmp_path):
    store = tmp_path / "store"
    base = store / "serving" / "churn"
    base.mkdir(parents=True)
    with (base / ".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DeployFailed, match="another deployment has held"):
            run_deploy(store, servable(tmp_path / "s"), tmp_path / "o", lock_seconds=0.2)
    assert run_deploy(store, servable(tmp_path / "s2"), tmp_path / "o2").description["version"] == 1


def test_a_pointer_that_cannot_be_written_takes_the_version_back(tmp_path):
    made, store = servable(tmp_path / "s"), tmp_path / "store"
    run_deploy(store, made, tmp_path / "1")
    pointer = store / "champions" / "churn.json"
    content = pointer.read_bytes()
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "deployment.json").mkdir()
    with pytest.raises(OSError):
        run_deploy(store, made, tmp_path / "2")
    assert pointer.read_bytes() == content
    assert names(store / "serving" / "churn") == [".lock", ".versions.json", "1"]
    assert run_deploy(store, made, tmp_path / "3").description["version"] == 3


def test_without_a_server_nothing_heavy_is_imported(tmp_path):
    servable(tmp_path / "s")
    heavy = {"tensorflow", "keras", "grpc", "polars", "pyarrow", "numpy", "tensorflow_serving"}
    script = (
        "import sys; from pathlib import Path; from tests.components.deploying.deploying_models import run_deploy;"
        "from kilnworks.schemas.artifacts import Servable;"
        f"folder = Path({str(tmp_path)!r}); run_deploy(folder / 'store', Servable(folder / 's'), folder / 'o');"
        f"assert not {heavy!r} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert read_json(tmp_path / "o" / "deployment.json")["version"] == 1
