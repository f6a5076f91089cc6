"""Where a step runs: the container and the pod, as Docker and Kubernetes would be asked for them."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from kilnworks.dags.containers import docker_arguments, pod_arguments, pod_manifest
from kilnworks.pipelines.core.operations import Docker, Operations, Pod, Python, Task
from kilnworks.pipelines.core.registry import load
from kilnworks.schemas.errors import ConfigError

ARGUMENTS = ("step", "churn", "model")
ENV = {"KILNWORKS_RUN_ID": "{{ run_id }}", "KILNWORKS_OVERRIDES": "{{ overrides(params, run_id) }}"}


@pytest.fixture(autouse=True)
def store(monkeypatch):
    monkeypatch.setenv("KILNWORKS_STORE", "/srv/store")


def test_a_container_gets_the_command_the_store_and_its_limits():
    where = Docker("kilnworks:1", cpus=2, memory_gb=4, gpus=1, network="models")
    assert docker_arguments(where, ARGUMENTS, ENV) == {
        "image": "kilnworks:1",
        "command": ["python", "-m", "kilnworks", "step", "churn", "model"],
        "environment": {**ENV, "KILNWORKS_STORE": "/srv/store"},
        "mounts": [{"target": "/srv/store", "source": "/srv/store", "type": "bind"}],
        "mount_tmp_dir": False,
        "auto_remove": "force",
        "skip_on_exit_code": 99,
        "do_xcom_push": False,
        "cpus": 2,
        "mem_limit": "4096m",
        "network_mode": "models",
        "device_requests": [{"count": 1, "capabilities": [["gpu"]]}],
    }


def test_a_container_without_limits_asks_for_none():
    found = docker_arguments(Docker("kilnworks:1"), ARGUMENTS, ENV)
    assert found.keys() & {"cpus", "mem_limit", "network_mode", "device_requests"} == set()


def test_a_pod_gets_the_command_the_store_resources_and_a_gpu():
    where = Pod(
        "registry/kilnworks:1",
        store_claim="store",
        namespace="ml",
        service_account="trainer",
        cpus=4,
        memory_gb=16,
        gpus=2,
        node_selector={"pool": "gpu"},
        secrets=("warehouse",),
    )
    amounts = {"cpu": "4", "memory": "16384Mi", "nvidia.com/gpu": "2"}
    assert pod_manifest(where, "churn-model_a", ARGUMENTS, ENV) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "churn-model-a",
            "namespace": "ml",
            "labels": {"app.kubernetes.io/name": "kilnworks", "app.kubernetes.io/component": "step"},
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "trainer",
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "volumes": [{"name": "store", "persistentVolumeClaim": {"claimName": "store"}}],
            "containers": [
                {
                    "name": "base",
                    "image": "registry/kilnworks:1",
                    "command": ["python", "-m", "kilnworks", "step", "churn", "model"],
                    "env": [
                        {"name": "KILNWORKS_RUN_ID", "value": "{{ run_id }}"},
                        {"name": "KILNWORKS_OVERRIDES", "value": "{{ overrides(params, run_id) }}"},
                        {"name": "KILNWORKS_STORE", "value": "/store"},
                        {"name": "PYTHONUNBUFFERED", "value": "1"},
                    ],
                    "envFrom": [{"secretRef": {"name": "warehouse"}}],
                    "resources": {"requests": amounts, "limits": amounts},
                    "volumeMounts": [{"name": "store", "mountPath": "/store"}],
                    "securityContext": {"allowPrivilegeEscalation": False},
                }
            ],
        },
    }


def test_a_pod_without_wishes_asks_for_nothing():
    spec = pod_manifest(Pod("i", store_claim="c"), "churn-model", ARGUMENTS, ENV)["spec"]
    assert spec.keys() == {"restartPolicy", "containers", "volumes"}
    assert spec["containers"][0]["resources"] == {"requests": {}, "limits": {}}


def test_a_skipped_step_is_a_skipped_pod():
    found = pod_arguments(Pod("i", store_claim="c"), "churn-model", ARGUMENTS, ENV)
    assert (found["skip_on_exit_code"], found["namespace"]) == (99, "default")
    assert found["pod_template_dict"]["metadata"]["name"] == "churn-model"


@pytest.mark.slow
def test_another_python_runs_the_command(project):
    from kilnworks.dags.factory import build_dag

    toy = load("toy")
    dag = build_dag(replace(toy, operations=Operations(tasks={"model": Task(where=Python("/opt/gpu/bin/python"))})))
    assert dag.get_task("model").executable == "/opt/gpu/bin/python"
    assert dag.get_task("checked").executable is None


PROVIDED = pytest.mark.parametrize(
    ("where", "module", "kind"),
    [
        (Docker("i"), "airflow.providers.docker.operators.docker", "DockerOperator"),
        (Pod("i", store_claim="c"), "airflow.providers.cncf.kubernetes.operators.pod", "KubernetesPodOperator"),
    ],
)


def operator(where):
    """The task of the toy's training, where that is to run."""
    from kilnworks.dags.factory import build_dag

    toy = replace(load("toy"), operations=Operations(tasks={"model": Task(where=where)}))
    return build_dag(toy).get_task("model")


@pytest.mark.slow
@PROVIDED
def test_the_operator_of_the_provider(project, where, module, kind):
    task = operator(where)
    assert (type(task).__name__, task.retries, task.outlets[0].name) == (kind, 2, "toy.model")


@pytest.mark.slow
@PROVIDED
def test_the_words_that_it_is_missing(project, monkeypatch, where, module, kind):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=f"(?s){kind}.*pip install apache-airflow-providers"):
        operator(where)


def engine(code):
    """A Docker engine, as far as one container needs it, that ends with this exit code."""
    from docker import APIClient

    class Engine(APIClient):
        removed = ()

        def images(self, name=None, **kwargs):
            return [name]

        def create_container_from_config(self, config, *args, **kwargs):
            self.asked = config
            return {"Id": "c1"}

        def attach(self, container, **kwargs):
            return [b"epoch 1"]

        def start(self, container):
            self.started = container

        def wait(self, container):
            return {"StatusCode": code}

        def remove_container(self, container, force=False):
            self.removed = (container, force)

    return Engine(version="1.44")


@pytest.mark.slow
def test_the_provider_asks_the_engine_for_that_container(project):
    task = operator(Docker("kilnworks:1", memory_gb=4, gpus=1))
    task.hook = SimpleNamespace(api_client=engine(0))
    assert {"command", "environment"} <= set(task.template_fields)
    assert task.execute({}) is None
    asked, client = task.cli.asked, task.cli
    assert (asked["Image"], asked["Cmd"]) == ("kilnworks:1", ["python", "-m", "kilnworks", "step", "toy", "model"])
    assert f"KILNWORKS_STORE={project}" in asked["Env"]
    host = asked["HostConfig"]
    assert [(m["Source"], m["Target"], m["Type"]) for m in host["Mounts"]] == [(str(project), str(project), "bind")]
    assert (host["Memory"], host["DeviceRequests"][0]["Count"]) == (4 * 2**30, 1)
    assert (client.started, client.removed) == ("c1", ("c1", True))


@pytest.mark.slow
def test_a_container_that_skips_skips_its_task(project):
    from airflow.sdk.exceptions import AirflowSkipException

    task = operator(Docker("kilnworks:1"))
    task.hook = SimpleNamespace(api_client=engine(99))
    with pytest.raises(AirflowSkipException):
        task.execute({})
    task.hook = SimpleNamespace(api_client=engine(1))
    with pytest.raises(Exception, match="Docker container failed"):
        task.execute({})


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {}}]
"""


@pytest.mark.slow
def test_the_provider_makes_that_pod_of_it(project, tmp_path):
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    task = operator(Pod("registry/kilnworks:1", store_claim="store", gpus=1, cpus=2, memory_gb=4))
    task.config_file = str(tmp_path / "kubeconfig")
    assert "pod_template_dict" in task.template_fields
    pod = task.build_pod_request_obj()
    container = pod.spec.containers[0]
    assert container.command == ["python", "-m", "kilnworks", "step", "toy", "model"]
    assert container.resources.limits == {"cpu": "2", "memory": "4096Mi", "nvidia.com/gpu": "1"}
    assert pod.spec.volumes[0].persistent_volume_claim.claim_name == "store"
    assert pod.metadata.name.startswith("toy-model-")
