"""``docker/compose.yaml``: its schema, and that everything it names is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kilnworks.components.serving.settings.flags import parse_flags
from kilnworks.components.serving.settings.text_protos import DEFAULT_METRICS_PATH, read_monitoring_path
from kilnworks.components.serving.versions.serving_config import BATCHING_FILE, MODELS_FILE, MONITORING_FILE
from scripts.images.dockerfile import settings, stages
from tests.docker.written import DOCKER, OURS, ROOT, compose, script, service

SERVICES = sorted(compose()["services"])
IMAGE = re.compile(r"^[\w./-]+:(v?\d+\.\d+[\w.-]*|\$\{KILNWORKS_TAG:-\d+\.\d+\.\d+\})$")


def ours(found) -> bool:
    return found["image"].startswith("kilnworks/")


def test_the_file_fits_the_schema_of_compose_files():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, DOCKER / "compose.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_would_find_a_wrong_word(tmp_path):
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DOCKER / "compose.yaml").read_text().replace("depends_on:", "depend_on:"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", wrong]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_what_a_team_runs_is_there():
    assert set(SERVICES) == {
        *("postgres", "mlflow", "prometheus", "grafana", "metrics", "client"),
        *("airflow-init", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"),
        *("serve", "tensorflow-serving", "serving-config"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVICES)
def test_every_name_leads_somewhere(name):
    found, whole = service(name), compose()
    assert set(found.get("secrets", ())) <= set(whole["secrets"])
    assert set(found.get("depends_on", ())) <= set(SERVICES)
    for volume in found.get("volumes", ()):
        source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", volume).split(":")[0]
        if source.startswith("."):
            assert (DOCKER / source).is_dir(), source
        else:
            assert source in whole["volumes"]
    for path in re.findall(r"/run/secrets/(\w+)", str(found)):
        assert path in found["secrets"], "a secret that the service is not given"


@pytest.mark.parametrize("name", SERVICES)
def test_a_fixed_version_ports_on_loopback_and_a_health_check(name):
    found = service(name)
    assert IMAGE.match(found["image"]), found["image"]
    assert all(str(port).startswith("127.0.0.1:") for port in found.get("ports", ()))
    health = found.get("healthcheck", {}).get("test")
    if ours(found):
        target = found["build"]["target"]
        assert found["image"].startswith(f"kilnworks/{target}:") and target in OURS
        assert found["cap_drop"] == ["ALL"] and found["security_opt"] == ["no-new-privileges:true"]
        health = health or settings(stages(), target).health
    assert health, "nobody would notice that it is ill"


def test_ports_of_the_host_are_given_once():
    ports = [port.rpartition(":")[0] for name in SERVICES for port in service(name).get("ports", ())]
    assert len(set(ports)) == len(ports)


def test_secrets_are_files_that_the_script_makes_and_git_does_not_see(tmp_path):
    assert script("make_secrets").main(tmp_path) == 0
    wanted = {secret["file"] for secret in compose()["secrets"].values()}
    assert wanted == {f"./secrets/{path.name}" for path in tmp_path.iterdir()}
    assert "/docker/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    for name in SERVICES:
        for key, value in service(name).get("environment", {}).items():
            spelled = re.search(r"password|secret|fernet|_conn(_|$)|token", key, re.IGNORECASE)
            assert not spelled or re.search(r"^(cat )?/(run/secrets|opt/airflow)/", str(value)), key


@pytest.mark.slow
def test_volumes_are_owned_by_the_account_of_our_images():
    """A volume takes the owner of the folder it is first mounted over: one of ours has to be that folder."""
    made = next(one.value for one in stages()["runtime"].instructions if one.word == "RUN")
    folders = re.search(r"chown -R kilnworks:kilnworks ([^&]+)", made)[1].split()
    for name in filter(lambda name: ours(service(name)), SERVICES):
        for volume in service(name).get("volumes", ()):
            source, target = volume.rsplit(":ro", 1)[0].rsplit(":", 1)
            if source in compose()["volumes"]:
                assert any(Path(target).is_relative_to(folder) for folder in folders), target
    stock = service("tensorflow-serving")
    assert "serving-config" in stock["depends_on"] and stock["user"] == settings(stages(), "worker").user


def test_both_model_servers_take_their_flags_and_serve_what_is_published():
    stock, files = service("tensorflow-serving"), service("serving-config")["command"]
    flags = parse_flags(stock["command"])
    assert [flags.model_config_file, flags.batching_parameters_file, flags.monitoring_config_file] == [
        f"/config/{name}" for name in (MODELS_FILE, BATCHING_FILE, MONITORING_FILE)
    ]
    assert files[files.index("--out") + 1] == "/config"
    assert files[files.index("--models-at") + 1] == "/store/serving"
    assert {"store:/store:ro", "serving-config:/config:ro"} == set(stock["volumes"])
    mine = parse_flags(service("serve")["command"])
    assert mine.monitoring_config_file == "/etc/kilnworks/monitoring.config"
    assert read_monitoring_path(DOCKER / "serve" / "monitoring.config") == DEFAULT_METRICS_PATH


def test_steps_in_containers_are_given_their_whole_command():
    """``DockerOperator`` gives a command and leaves the entry point: the worker must have none."""
    assert settings(stages(), "worker").entrypoint == []
