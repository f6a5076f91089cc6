"""Where a step runs: the container and the pod, as Docker and Kubernetes would be asked for them."""

import importlib.util
from dataclasses import replace

import pytest

from dags.containers import docker_arguments, pod_arguments, pod_manifest
from pipelines.core.operations import Docker, Operations, Pod, Python, Task
from pipelines.core.registry import load
from schemas.errors import ConfigError

ARGUMENTS = ("step", "churn", "model")
ENV = {"KILNWORKS_RUN_ID": "{{ run_id }}", "KILNWORKS_OVERRIDES": "{{ overrides(params, run_id) }}"}


@pytest.fixture(autouse=True)
def store(monkeypatch):
    monkeypatch.setenv("KILNWORKS_STORE", "/srv/store")


def test_a_container_gets_the_command_the_store_and_its_limits():
    where = Docker("kilnworks:1", cpus=2, memory_gb=4, gpus=1, network="models")
    assert docker_arguments(where, ARGUMENTS, ENV) == {
        "image": "kilnworks:1",
        "command": ["python", "-m", "pipelines", "step", "churn", "model"],
        "environment": {**ENV, "KILNWORKS_STORE": "/srv/store"},
        "mounts": [{"target": "/srv/store", "source": "/srv/store", "type": "bind"}],
        "mount_tmp_dir": False,
        "auto_remove": "force",
        "skip_on_exit_code": 99,
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
                    "command": ["python", "-m", "pipelines", "step", "churn", "model"],
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
    from dags.factory import build_dag

    toy = load("toy")
    dag = build_dag(replace(toy, operations=Operations(tasks={"model": Task(where=Python("/opt/gpu/bin/python"))})))
    assert dag.get_task("model").executable == "/opt/gpu/bin/python"
    assert dag.get_task("checked").executable is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "module", "kind"),
    [
        (Docker("i"), "airflow.providers.docker", "DockerOperator"),
        (Pod("i", store_claim="c"), "airflow.providers.cncf.kubernetes", "KubernetesPodOperator"),
    ],
)
def test_the_operator_of_the_provider_or_the_words_that_it_is_missing(project, where, module, kind):
    from dags.factory import build_dag

    toy = replace(load("toy"), operations=Operations(tasks={"model": Task(where=where)}))
    if installed(module):
        task = build_dag(toy, register=False).get_task("model")
        assert (type(task).__name__, task.retries, task.outlets[0].name) == (kind, 2, "toy.model")
    else:
        with pytest.raises(ConfigError, match=f"(?s){kind}.*pip install apache-airflow-providers"):
            build_dag(toy, register=False)


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
    if not installed("airflow.providers.cncf.kubernetes"):
        pytest.skip("needs apache-airflow-providers-cncf-kubernetes, which is not in the lock")
    from dags.factory import build_dag

    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    where = Pod("registry/kilnworks:1", store_claim="store", gpus=1, cpus=2, memory_gb=4)
    toy = replace(load("toy"), operations=Operations(tasks={"model": Task(where=where)}))
    task = build_dag(toy, register=False).get_task("model")
    task.config_file = str(tmp_path / "kubeconfig")
    assert "pod_template_dict" in task.template_fields
    pod = task.build_pod_request_obj()
    container = pod.spec.containers[0]
    assert container.command == ["python", "-m", "pipelines", "step", "toy", "model"]
    assert container.resources.limits == {"cpu": "2", "memory": "4096Mi", "nvidia.com/gpu": "1"}
    assert pod.spec.volumes[0].persistent_volume_claim.claim_name == "store"
    assert pod.metadata.name.startswith("toy-model-")


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
