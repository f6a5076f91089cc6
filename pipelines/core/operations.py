"""How an orchestrator runs a pipeline. Nothing in here changes what the steps make, so none of it is fingerprinted.

A definition says it once, by name of the step::

    supervised("churn", ..., operations=Operations(
        tasks={"model": Task(pool="training", group="learn"), "deployment": Task(approval=Approval())},
        deadline_seconds=7200,
    ))
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.schemas.artifacts import (
    Artifact,
    Deployment,
    Evaluation,
    Examples,
    Explanations,
    Litert,
    Model,
    Servable,
    Transform,
)

STAGES: tuple[tuple[type[Artifact], str], ...] = (
    (Examples, "data"),
    (Transform, "learning"),
    (Model, "learning"),
    (Evaluation, "learning"),
    (Explanations, "learning"),
    (Servable, "release"),
    (Litert, "release"),
    (Deployment, "release"),
)
"""Stage of a step that names none, by what it makes."""


@dataclass(frozen=True)
class ThisProcess:
    """In the orchestrator's own task process, which starts at once; not for steps that import TensorFlow.

    That must start in a process that was not forked from another; a deployment that challenges the champion imports it
    too, and gets a fresh process all the same.
    """


@dataclass(frozen=True)
class Python:
    """In a fresh process of a Python on the same machine.

    Attributes:
        executable: path of the interpreter, e.g. of another virtual environment; None: the one that runs now.
    """

    executable: str | None = None


@dataclass(frozen=True)
class Docker:
    """In a container of a Docker engine that the worker reaches.

    Attributes:
        image: holds this project and its requirements.
        store: folder of the host that is the store; mounted at the same path.
        cpus, memory_gb: limits; None for none.
        gpus: number of GPUs handed in; -1 for all.
        network: Docker network to join, e.g. that of the model server; None for the default.
    """

    image: str
    store: str | None = None
    cpus: float | None = None
    memory_gb: float | None = None
    gpus: int = 0
    network: str | None = None


@dataclass(frozen=True)
class Pod:
    """In a pod of a Kubernetes cluster.

    Attributes:
        image: holds this project and its requirements.
        store_claim: PersistentVolumeClaim that holds the store; mounted where ``$KILNWORKS_STORE`` points.
        namespace, service_account: where and as whom the pod runs.
        cpus, memory_gb: requested and the limit at once; None leaves it to the cluster.
        gpus: number of ``nvidia.com/gpu``.
        node_selector: labels that the node must carry.
        secrets: names of Secrets whose keys become environment variables.
    """

    image: str
    store_claim: str
    namespace: str = "default"
    service_account: str | None = None
    cpus: float | None = None
    memory_gb: float | None = None
    gpus: int = 0
    node_selector: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


Where = ThisProcess | Python | Docker | Pod


@dataclass(frozen=True)
class Approval:
    """A person says yes before the step runs.

    Attributes:
        timeout_seconds: how long the question stands.
        default: what is done when nobody answered in time.
        editable: settings of the step that the person may change while approving, e.g. ``("keep",)``.
        respondents: user names that may answer; empty for everybody who may act on the run.
    """

    timeout_seconds: float = 86_400.0
    default: Literal["approve", "reject"] = "reject"
    editable: tuple[str, ...] = ()
    respondents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """How one step is run by an orchestrator.

    Attributes:
        stage: the box in which it is drawn; None: by what the step makes (data, learning, release).
        group: steps of the same group run one after the other in one process, so that heavy libraries are
            imported once; None: the step has its own.
        pool: the pool whose slots bound how many such tasks run at once.
        timeout_seconds: after this long the task is stopped; None for no limit.
        retries: how often it is tried again at most; None: as the step says, at least once for a killed process.
        retry_seconds: pause before the first retry; each further one is twice as long, up to an hour.
        queue: whose workers take the task, of an executor that has queues (Celery); None: the default one.
        executor: name of one of the executors that are configured; None: the first.
        executor_config: what that executor is told of the task, such as ``{"pod_override": ...}`` of Kubernetes.
        priority: of tasks that wait for slots of a pool, the one with the higher weight starts first.
        where: process, container or pod.
        approval: a person is asked before the step runs.
    """

    stage: str | None = None
    group: str | None = None
    pool: str = "default_pool"
    timeout_seconds: float | None = None
    retries: int | None = None
    retry_seconds: float = 30.0
    queue: str | None = None
    executor: str | None = None
    executor_config: Mapping[str, Any] | None = None
    priority: int = 1
    where: Where = Python()
    approval: Approval | None = None


@dataclass(frozen=True)
class Operations:
    """How a whole pipeline is run by an orchestrator.

    Attributes:
        tasks: step name -> its settings; steps not named have the defaults of ``Task``.
        deadline_seconds: a run that has not ended so long after it was queued raises an alert; None for none.
        window: whether a scheduled run takes only the rows of its data interval, by the contract's time column.
        retrain: rules for retraining on new data; None for schedule and hand only.
    """

    tasks: Mapping[str, Task] = field(default_factory=dict)
    deadline_seconds: float | None = None
    window: bool = False
    retrain: RetrainPolicy | None = None

    def task(self, step: str) -> Task:
        """The settings of a step."""
        return self.tasks.get(step, Task())


def stage(task: Task, makes: type[Artifact]) -> str:
    """The box in which a step is drawn."""
    named = (name for kind, name in STAGES if issubclass(makes, kind))
    return task.stage or next(named, "steps")
