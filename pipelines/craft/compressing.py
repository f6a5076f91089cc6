"""A definition with a compression that it does not name itself: behind its training, before all that judges and serves.

A run that was begun so says it in its ``run.json`` (``compress``), and is opened so again by whoever goes on with it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kilnworks.components.compress import CompressConfig, LitertConfig, compress, to_litert
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.space import trained_step
from kilnworks.pipelines.core.store import Run
from kilnworks.pipelines.craft.cuts import examples_step
from kilnworks.schemas.artifacts import Artifact, Model
from kilnworks.schemas.errors import ConfigError, StoreError

SMALLER, LITERT = "compressed", "litert"
"""Names of the steps."""
KEY = "compress"
"""What ``run.json`` holds the settings under."""


def with_compression(pipeline: Pipeline, config: CompressConfig | LitertConfig) -> Pipeline:
    """A copy with a step that makes the trained model smaller, and takes the model's place in what comes after.

    A file for LiteRT takes nobody's place: the copy ends with it.

    Raises:
        ConfigError: the definition does not train one model on checked examples, or has a step of that name.
    """
    name = LITERT if isinstance(config, LitertConfig) else SMALLER
    if any(step.name == name for step in pipeline.steps):
        raise ConfigError(
            f"{pipeline.name} has a step {name!r} itself",
            "a definition without one",
            f"set it where the definition is run: kilnworks run {pipeline.name} --set {name}.FIELD=VALUE",
        )
    source = _newest_model(pipeline)
    inputs = {"model": source, "examples": examples_step(pipeline).name}
    if isinstance(config, LitertConfig):
        needed = frozenset[str]().union(*(pipeline.between(None, step) for step in inputs.values()))
        steps = tuple(step for step in pipeline.steps if step.name in needed)
        made = (*steps, Step(name, to_litert, config, inputs))
        return replace(pipeline, steps=made, operations=type(pipeline.operations)())
    steps = tuple(_fed(step, source, name) for step in pipeline.steps)
    operations = pipeline.operations
    if operations.task(source).group is not None:
        task = replace(operations.task(source), approval=None)
        operations = replace(operations, tasks={**operations.tasks, name: task})
    return replace(pipeline, steps=(*steps, Step(name, compress, config, inputs)), operations=operations)


def as_begun(defined: Pipeline, record: Mapping[str, Any]) -> Pipeline:
    """The definition as a run was begun with it, by its ``run.json``."""
    settings = record.get(KEY)
    return defined if not settings else with_compression(defined, CompressConfig.model_validate(settings))


def finished_before(pipeline: Pipeline, source: Run, last: str) -> dict[str, Artifact]:
    """What a step needs, by step, as it stands in an earlier run.

    Raises:
        ConfigError: the earlier run did not come as far, or its files are damaged.
    """
    needed = [step for step in pipeline.steps if step.name in pipeline.between(None, last) - {last}]
    try:
        return {step.name: source.load(step.name, step.signature.result) for step in needed}
    except StoreError as error:
        raise ConfigError(
            f"run {source.run_id} of {pipeline.name}: {error.got}",
            "a run with a trained model",
            f"kilnworks run {pipeline.name}, or name another run with --run",
        ) from error


def _newest_model(pipeline: Pipeline) -> str:
    """The step whose model is judged: the training, or a compression of the definition's own behind it."""
    name = trained_step(pipeline).name
    for step in pipeline.steps:
        if step.run is compress and name in step.inputs.values() and issubclass(step.signature.result, Model):
            name = step.name
    return name


def _fed(step: Step, source: str, name: str) -> Step:
    """A step with the smaller model in place of the trained one."""
    inputs = {p: name if given == source else given for p, given in step.inputs.items()}
    return replace(step, inputs=inputs) if inputs != dict(step.inputs) else step
