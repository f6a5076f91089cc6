"""Which task it is: by the label of a contract, by its name, or as it was kept beside a model."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kilnworks.components.judging.metric import Metric
from kilnworks.components.tasks.anomaly import Anomaly
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.binary import Binary
from kilnworks.components.tasks.clusters import Clustering
from kilnworks.components.tasks.codes import Codes
from kilnworks.components.tasks.control import Control
from kilnworks.components.tasks.detection.task import Detection
from kilnworks.components.tasks.forecast import Forecasting
from kilnworks.components.tasks.generation.generation import Generation
from kilnworks.components.tasks.multiclass import Multiclass
from kilnworks.components.tasks.multilabel import Multilabel
from kilnworks.components.tasks.regression import Regression
from kilnworks.components.tasks.word_embedding import WordEmbedding
from kilnworks.schemas.artifacts import Model
from kilnworks.schemas.code import Code, path_of
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.files import read_json, write_json

TASKS: tuple[type[Task], ...] = (
    Forecasting,
    Detection,
    Multilabel,
    Binary,
    Multiclass,
    Regression,
    Anomaly,
    WordEmbedding,
    Clustering,
    Codes,
    Control,
    Generation,
)
"""The tasks of this package; the first that suits a contract is its task."""
FILE = "task.json"
"""Where a task lies beside its model."""


def choose(contract: Contract, own: Code | None = None, of_model: type[Task] | None = None) -> type[Task]:
    """A user's own task, else that of the architecture, else the one that the label of the contract asks for.

    Raises:
        ConfigError: the contract has no label, or one that no task suits; ``own`` is no task.
    """
    if own is not None:
        return _loaded(own)
    if of_model is not None:
        return of_model
    if contract.label is not None and not contract.label.learned:
        raise ConfigError(
            f"label {contract.label.name!r} has learned: false, and the model learns from it",
            "a model that only is judged by it, such as an autoencoder; or learned: true",
            "correct the contract, or the model of the training",
        )
    for task in TASKS:
        if task.suits(contract):
            return task
    raise ConfigError(f"contract {contract.name!r} has no label", "label: {name: ..., dtype: ...}", "add one to train")


def task_named(kind: str) -> type[Task] | None:
    """The task of that kind; None where this package has none."""
    return next((task for task in TASKS if task.kind == kind), None)


def task_of(model: Model) -> Task:
    """The task of a trained model; of one that was trained before tasks were kept, by its contract."""
    path = model.path / FILE
    if not path.is_file():
        return choose(model.contract).of(model.contract)
    return read_task(path)


def read_task(path: Path) -> Task:
    """A task as ``write_task`` kept it.

    Raises:
        UnknownName: a task that this package does not have, or code that is no longer there.
    """
    content: dict[str, Any] = dict(read_json(path))
    kind, own = str(content.pop("kind")), content.pop("code", None)
    found = _loaded(Code(path=own)) if own else task_named(kind)
    if found is None:
        raise UnknownName("task", kind, [task.kind for task in TASKS])
    return found.model_validate(content)


def write_task(task: Task, directory: Path) -> None:
    """Keep a task in a directory; one of a user's own by the name of its class."""
    own = {} if type(task) in TASKS else {"code": path_of(type(task))}
    write_json(directory / FILE, {"kind": task.kind, **own, **task.model_dump(mode="json")})


def _loaded(code: Code) -> type[Task]:
    found = code.load()
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise ConfigError(
            f"{code.path} is no task", "a subclass of kilnworks.components.tasks.base.Task", "name the class"
        )
    return found


def metric_named(name: str, own: bool = True) -> Metric | None:
    """The metric of that name, of whichever task, with ``own`` also of a user's own that was imported; None if none."""
    tasks = (*TASKS, *_imported(Task.__subclasses__())) if own else TASKS
    return next((metric for task in tasks if (metric := task.metric(name))), None)


def _imported(classes: list[type[Task]]) -> Iterator[type[Task]]:
    """Those of the classes, and of their subclasses, that can say their metrics."""
    for task in classes:
        if not inspect.isabstract(task):
            yield task
        yield from _imported(task.__subclasses__())


def metric_names() -> list[str]:
    """The names of the metrics of all tasks, each once."""
    names = [metric.name for task in TASKS for metric in task.metrics_of(1)]
    return [*dict.fromkeys(name for name in names if not name.startswith("top_")), "top_<k>_accuracy"]
