"""Nested cross-validation: what the settings that a search chooses are worth on rows that the search never saw.

::

    for each outer fold:   its rows become the test rows
        search, each trial trained on every inner fold     -> the settings with the best mean
        train with these settings on inner fold 1, measure on the outer fold

It estimates the whole procedure, search included, and chooses nothing (Varma and Simon 2006).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.space import Space
from kilnworks.pipelines.craft.crossval import Crossval, cut_by, summary, train_fold
from kilnworks.pipelines.craft.cuts import examples_step
from kilnworks.pipelines.tuning.plan import Plan
from kilnworks.pipelines.tuning.study import SEARCH, Study, finished
from kilnworks.pipelines.tuning.trial import number_of
from kilnworks.schemas.errors import ConfigError, KilnworksError, StoreError
from kilnworks.schemas.files import read_json


def nested(
    crossval: Crossval, pipeline: Pipeline, default: dict[str, Any], heard: Callable[[str, dict[str, Any]], None]
) -> dict[str, Any]:
    """Search and measure in each outer fold.

    Args:
        crossval: with ``outer`` in its fold.
        pipeline: configured, with its search.
        default: the definition's settings, where they lie in the space.
        heard: told ``trial`` and ``outer`` as they end.

    Returns:
        ``outer``: settings, inner mean and outer metrics of each; ``summary`` of the metrics.
    """
    judge, found = judge_of(pipeline), []
    for place in range(crossval.fold.outer or 0):
        best = _searched(crossval, pipeline, place, default, heard)
        metrics, rows = _measured(crossval, pipeline, place, best["overrides"], judge)
        found.append({
            "outer": place + 1, "settings": best["overrides"], "inner": best["value"], "objective": best["objective"],
            "trial": best["trial"], "metrics": metrics, "rows": rows,
        })  # fmt: skip
        heard("outer", found[-1])
    return {"outer": found, "summary": summary([one["metrics"] for one in found])}


def judge_of(pipeline: Pipeline) -> Step:
    """The step that measures. Raises ``ConfigError`` where there is not one, or it takes rows that are not cut."""
    found = [step for step in pipeline.steps if isinstance(step.config, EvaluateConfig)]
    if len(found) != 1:
        raise ConfigError(
            f"{pipeline.name} has {len(found)} steps that evaluate",
            "one, which measures on the outer folds",
            "leave --outer out",
        )
    source = examples_step(pipeline).name
    if source not in found[0].inputs.values():
        raise ConfigError(
            f"step {found[0].name!r} of {pipeline.name} measures on other rows than those of {source!r}, which are cut",
            "an evaluation of the rows that the training takes",
            f"feed it with {source!r}, or leave --outer out",
        )
    return found[0]


def _searched(
    crossval: Crossval,
    pipeline: Pipeline,
    place: int,
    default: dict[str, Any],
    heard: Callable[[str, dict[str, Any]], None],
) -> dict[str, Any]:
    """``best.json`` of the search inside an outer fold."""
    space, settings = Space.of(pipeline), crossval.record["settings"]
    plan = Plan.of(space, settings)
    study = Study(
        crossval.store, crossval.pipeline, f"{crossval.name}-outer{place + 1}", crossval.folder / f"outer{place + 1}"
    )
    if (study.folder / SEARCH).is_file():
        study.opened(plan)
    else:
        study.begin(plan, default)
    while (taken := study.take(plan.search.trials)) is not None:
        with taken.lock:
            overrides: dict[str, Any] = {}
            try:
                overrides = {} if taken.is_default else space.overrides(taken.value)
                value = _mean(
                    crossval,
                    pipeline.configured(overrides),
                    place,
                    taken.number,
                    {**settings, **overrides},
                    plan.objective,
                )
            except KilnworksError as error:
                if taken.is_default or isinstance(error, StoreError):
                    raise
                study.tell(taken, None, overrides, error.got)
                continue
            study.tell(taken, value, overrides)
            heard("trial", {"outer": place + 1, "number": taken.number, "value": value, "settings": overrides})
    return finished(study)


def _mean(
    crossval: Crossval, pipeline: Pipeline, place: int, trial: int, settings: dict[str, Any], objective: str
) -> float:
    """The objective's mean over the inner folds."""
    values = []
    for fold in range(crossval.fold.folds):
        run_id = crossval.run_id(f"o{place + 1}-t{trial:04d}-f{fold + 1}")
        cut = cut_by(pipeline, crossval.fold, fold=fold, outer_fold=place)
        values.append(number_of(train_fold(crossval, cut, run_id, settings)["numbers"], objective))
    return sum(values) / len(values)


def _measured(
    crossval: Crossval, pipeline: Pipeline, place: int, overrides: dict[str, Any], judge: Step
) -> tuple[dict[str, float], int]:
    """Metrics of the chosen settings on the rows of the outer fold, and how many rows these are; no gate is asked."""
    config = judge.config.model_copy(
        update={"min": {}, "max": {}, "better_than": (), "gap": {}, "split": "test", "slices": ()}
    )
    steps = tuple(replace(step, config=config) if step.name == judge.name else step for step in pipeline.steps)
    cut = cut_by(replace(pipeline, steps=steps).configured(overrides), crossval.fold, fold=0, outer_fold=place)
    run_id = crossval.run_id(f"o{place + 1}")
    train_fold(crossval, cut, run_id, {**crossval.record["settings"], **overrides})
    run = crossval.store.run(crossval.pipeline, run_id)
    run_all(cut, run, selected={judge.name})
    told = read_json(run.step_path(judge.name) / "evaluation.json")
    defined = {name: one["value"] for name, one in told["metrics"].items() if one["value"] is not None}
    return {name: float(value) for name, value in defined.items()}, int(told["rows"])
