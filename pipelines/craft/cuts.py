"""A pipeline on other cuts of its rows: a step between the checks and all that learns or judges."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kilnworks.components.cutting.settings import By, Fold, Share
from kilnworks.components.recut import RecutConfig, recut
from kilnworks.components.sources.environment import EnvironmentSource
from kilnworks.components.sources.splitting.splits import AsGiven, ByHash, ByTime, Copies
from kilnworks.pipelines.core.execute import run_all, run_together
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.space import trained_step
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.artifacts import CheckedExamples, Examples
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import read_json

CUT = "cut"
"""Name of the step."""


def examples_step(pipeline: Pipeline) -> Step:
    """The step whose rows the training takes. Raises ``ConfigError`` where it does not make checked examples."""
    trained = trained_step(pipeline)
    for parameter, kind in trained.signature.inputs.items():
        source = trained.inputs[parameter]
        if issubclass(kind, Examples) and isinstance(source, str):
            step = pipeline[source]
            if issubclass(step.signature.result, CheckedExamples):
                return step
    raise ConfigError(
        f"step {trained.name!r} of {pipeline.name} takes no checked examples of this pipeline",
        "a training behind the step validate",
        "feed it checked examples",
    )


def with_cut(pipeline: Pipeline, cut: Fold | Share) -> Pipeline:
    """A copy in which all that took the checked examples takes those that are cut anew.

    Raises:
        ConfigError: the pipeline does not train, plays instead of reading rows, learns from rows that are not cut, or
            has a step of that name.
    """
    source = examples_step(pipeline)
    if plays(pipeline):
        raise ConfigError(
            f"{pipeline.name} learns by play", "a training that learns from rows", "use a pipeline with rows"
        )
    if CUT in (step.name for step in pipeline.steps):
        raise ConfigError(f"{pipeline.name} has a step {CUT!r}", "no step of that name", "rename it")
    _refuse_uncut(pipeline, source.name)
    last = [trained_step(pipeline).name, *(step.name for step in pipeline.steps if _judges(step))]
    needed = frozenset[str]().union(*(pipeline.between(None, name) for name in last))
    steps = [_fed(step, source.name) for step in pipeline.steps if step.name in needed]
    return replace(
        pipeline,
        steps=(*steps, Step(CUT, recut, RecutConfig(cut=cut), {"examples": source.name})),
        operations=type(pipeline.operations)(),
    )


def plays(pipeline: Pipeline) -> bool:
    """Whether it learns by play instead of from rows."""
    return any(isinstance(getattr(step.config, "source", None), EnvironmentSource) for step in pipeline.steps)


def with_cut_refused(pipeline: Pipeline) -> ConfigError | None:
    """Why ``with_cut`` refuses the pipeline; None where it does not."""
    try:
        with_cut(pipeline, Share(share=1.0))
    except ConfigError as error:
        return error
    return None


def default_by(pipeline: Pipeline) -> tuple[By, str | None]:
    """What folds follow where nobody says it, and the column of it.

    By time where the definition splits by time or the rows are a series; groups whole where it splits by a column that
    is not the contract's key; else within each class, where there are classes.
    """
    contract, split = contract_of(pipeline), _split(pipeline)
    if isinstance(split, ByTime) or (contract is not None and contract.series is not None):
        column = (split.column if isinstance(split, ByTime) else None) or (contract.time if contract else None)
        return "time", column
    key = split.key if isinstance(split, ByHash | AsGiven) else None
    label = contract.label if contract is not None else None
    if contract is not None and key is not None and key not in contract.columns and label is not None and label.boxes:
        return ("grouped" if contract.key else "plain"), contract.key  # the key of a tile says its photograph
    if key is not None and (contract is None or key != contract.key):
        return "grouped", key
    return ("stratified" if label is not None and label.classes and not label.several else "plain"), None


def default_copies(pipeline: Pipeline) -> Copies:
    """Whether rows that are alike stay together, as the definition splits them."""
    split = _split(pipeline)
    return split.copies if isinstance(split, ByHash | AsGiven) else "together"


def contract_of(pipeline: Pipeline) -> Contract | None:
    """The contract of a definition, where a step names one."""
    found = (getattr(step.config, "contract", None) for step in pipeline.steps)
    return next((one for one in found if isinstance(one, Contract)), None)


def trained(
    pipeline: Pipeline,
    run: Run,
    command: str,
    settings: Mapping[str, Any],
    why: str,
    check: Callable[[CheckedExamples], None] | None = None,
) -> dict[str, Any]:
    """Run a pipeline up to its training; what is finished already is taken. Returns ``training.json``.

    ``check`` is given the rows before anything is trained on them.
    """
    from kilnworks.pipelines.core.promotion import NEVER, wish

    step = trained_step(pipeline).name
    selected = pipeline.between(None, step)
    run.begin(command, settings, trigger=why, steps=pipeline.outline(selected), live=wish(NEVER, "", why))
    if check is None:
        run_all(pipeline, run, selected=selected)
    else:
        rows = examples_step(pipeline).name
        run_all(pipeline, run, selected=pipeline.between(None, rows))
        check(CheckedExamples(run.step_path(rows)))
        run_together(pipeline, selected - pipeline.between(None, rows), run)  # the others are not taken again
    return dict(read_json(run.step_path(step) / "training.json"))


def _split(pipeline: Pipeline) -> Any:
    found = (getattr(step.config, "split", None) for step in pipeline.steps)
    return next((split for split in found if isinstance(split, ByHash | ByTime | AsGiven)), None)


def _refuse_uncut(pipeline: Pipeline, source: str) -> None:
    """Raise ``ConfigError`` where a step that the training needs takes rows from in front of the cut."""
    before = pipeline.between(None, source)
    for step in pipeline.steps:
        if step.name in pipeline.between(None, trained_step(pipeline).name) - before:
            for name in step.inputs.values():
                if name in before - {source} and issubclass(pipeline[str(name)].signature.result, Examples):
                    raise ConfigError(
                        f"step {step.name!r} of {pipeline.name} learns from the rows of {name!r}, and folds are cut "
                        f"behind {source!r}",
                        "one step whose rows all that learns takes",
                        f"feed it with {source!r}",
                    )


def _judges(step: Step) -> bool:
    from kilnworks.components.evaluate import EvaluateConfig

    return isinstance(step.config, EvaluateConfig)


def _fed(step: Step, source: str) -> Step:
    """A step with the cut in place of the checked examples."""
    inputs = {p: CUT if name == source else name for p, name in step.inputs.items()}
    return replace(step, inputs=inputs) if inputs != dict(step.inputs) else step
