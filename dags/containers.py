"""Arguments of the Docker and Kubernetes operators of Airflow for a step of a DAG that runs in a container.

Built as plain values, so that they can be looked at without a Docker engine, a cluster or these providers of Airflow.
Exit code 99 means skipped there too.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from kilnworks.pipelines.core.operations import Docker, Pod
from kilnworks.schemas.errors import EXIT_SKIPPED, ConfigError
from kilnworks.schemas.places import store_url

STORE_MOUNT = "/store"
"""Where the store appears inside of a pod."""


def docker_arguments(where: Docker, arguments: Sequence[str], env: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of ``DockerOperator``, for a container that sees the store at the path that it has here.

    The folder is bound as ``{"target", "source", "type"}``; ``docker_operator`` turns it into the SDK's own type.
    """
    store = where.store or store_url()
    found: dict[str, Any] = {
        "image": where.image,
        "command": ["python", "-m", "kilnworks", *arguments],
        "environment": {**env, "KILNWORKS_STORE": store},
        "mounts": [{"target": store, "source": store, "type": "bind"}],
        "mount_tmp_dir": False,
        "auto_remove": "force",
        "skip_on_exit_code": EXIT_SKIPPED,
        "do_xcom_push": False,
    }
    if where.cpus is not None:
        found["cpus"] = where.cpus
    if where.memory_gb is not None:
        found["mem_limit"] = f"{round(where.memory_gb * 1024)}m"
    if where.network is not None:
        found["network_mode"] = where.network
    if where.gpus:
        found["device_requests"] = [{"count": where.gpus, "capabilities": [["gpu"]]}]
    return found


def pod_arguments(where: Pod, name: str, arguments: Sequence[str], env: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of ``KubernetesPodOperator``: the whole pod as a manifest, and how its end is read.

    Args:
        where: image, resources and place.
        name: of the pipeline and the step; the pod's name begins with it.
        arguments: what follows ``kilnworks``.
        env: environment variables; templated.
    """
    return {
        "pod_template_dict": pod_manifest(where, name, arguments, env),
        "namespace": where.namespace,
        "skip_on_exit_code": EXIT_SKIPPED,
        "on_finish_action": "delete_succeeded_pod",
        "get_logs": True,
    }


def pod_manifest(where: Pod, name: str, arguments: Sequence[str], env: Mapping[str, str]) -> dict[str, Any]:
    """The pod, as ``kubectl`` would read it."""
    variables = {**env, "KILNWORKS_STORE": STORE_MOUNT, "PYTHONUNBUFFERED": "1"}
    container: dict[str, Any] = {
        "name": "base",
        "image": where.image,
        "command": ["python", "-m", "kilnworks", *arguments],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "envFrom": [{"secretRef": {"name": secret}} for secret in where.secrets],
        "resources": _resources(where),
        "volumeMounts": [{"name": "store", "mountPath": STORE_MOUNT}],
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "store", "persistentVolumeClaim": {"claimName": where.store_claim}}],
    }
    if where.node_selector:
        spec["nodeSelector"] = dict(where.node_selector)
    if where.gpus:
        spec["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    if where.service_account is not None:
        spec["serviceAccountName"] = where.service_account
    labels = {"app.kubernetes.io/name": "kilnworks", "app.kubernetes.io/component": "step"}
    metadata = {"name": name.replace("_", "-").lower(), "namespace": where.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _resources(where: Pod) -> dict[str, dict[str, str]]:
    amounts: dict[str, str] = {}
    if where.cpus is not None:
        amounts["cpu"] = f"{where.cpus:g}"
    if where.memory_gb is not None:
        amounts["memory"] = f"{round(where.memory_gb * 1024)}Mi"
    if where.gpus:
        amounts["nvidia.com/gpu"] = str(where.gpus)
    return {"requests": amounts, "limits": amounts}


def docker_operator(where: Docker, arguments: Sequence[str], env: Mapping[str, str], **common: Any) -> Any:
    """A task in a Docker container. Raises ``ConfigError`` where the provider is not installed."""
    operator = _provided("airflow.providers.docker.operators.docker", "DockerOperator", "docker")
    types = importlib.import_module("docker.types")
    given = docker_arguments(where, arguments, env)
    given["mounts"] = [types.Mount(**mount) for mount in given["mounts"]]
    if "device_requests" in given:
        given["device_requests"] = [types.DeviceRequest(**request) for request in given["device_requests"]]
    return operator(**given, **common)


def pod_operator(where: Pod, name: str, arguments: Sequence[str], env: Mapping[str, str], **common: Any) -> Any:
    """A task in a Kubernetes pod. Raises ``ConfigError`` where the provider is not installed."""
    module = "airflow.providers.cncf.kubernetes.operators.pod"
    operator = _provided(module, "KubernetesPodOperator", "cncf-kubernetes")
    return operator(**pod_arguments(where, name, arguments, env), **common)


def _provided(module: str, name: str, package: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ConfigError(
            f"a step is to run by {name}, and {error.name or module} is not installed",
            f"the package apache-airflow-providers-{package}",
            f"pip install apache-airflow-providers-{package}, or let the step run in a process",
        ) from error
