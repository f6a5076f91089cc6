"""A search for a learning rate in a store: a range test for each batch size, on what steps before the training made.

::

    STORE/rates/<pipeline>/<name>/rates.json, results.json, report.html
    STORE/runs/<pipeline>/rates-<name>-rows/          the run up to the preprocessing; it has no model

A test is short: one that is killed is done again.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.inputs import inputs_of
from kilnworks.pipelines.core.promotion import NEVER, wish
from kilnworks.pipelines.core.space import trained_step
from kilnworks.pipelines.core.store import Run
from kilnworks.pipelines.craft.cuts import plays
from kilnworks.pipelines.craft.work import Work
from kilnworks.schemas.artifacts import CheckedExamples, Model, Transform
from kilnworks.schemas.errors import ConfigError


@dataclass(frozen=True)
class Rates(Work):
    """A search for a learning rate: ``settings``, ``from``, ``to``, ``steps`` and ``batches`` are asked for."""

    FOLDER = "rates"
    RECORD = "rates.json"
    COMMAND = "lr-find"
    TITLE = "search for a learning rate"


def checked(pipeline: Pipeline, low: float, high: float, batches: Sequence[int]) -> list[int]:
    """The batch sizes; the definition's where none is given. Raises ``ConfigError`` where there can be no test."""
    step = trained_step(pipeline)
    if not isinstance(step.config, TrainConfig):
        raise ConfigError(
            f"step {step.name!r} of {pipeline.name} trains in a way of its own",
            "the step train or finetune",
            "use one of these, or try rates by kilnworks tune",
        )
    if plays(pipeline):
        raise ConfigError(
            f"a range test of {pipeline.name}, which learns by play: its loss is held against values that its own "
            "weights make, and falls or rises with these",
            "a training against labels",
            f"search for a rate by what is earned: kilnworks tune {pipeline.name}",
        )
    model = step.config.model
    if not model.by_optimizer:
        raise ConfigError(
            f"a range test of the architecture {model.kind!r}, whose rates are not that of the optimizer",
            "a model that one optimizer trains",
            f"search for its rates: kilnworks tune {pipeline.name}" if model.space else "leave it: it has no such rate",
        )
    if not 0 < low < high < math.inf:
        raise ConfigError(f"--from {low:g} --to {high:g}", "rates above 0, the first below the second", "correct them")
    bad = [batch for batch in batches if batch < 1]
    if bad:
        raise ConfigError(f"--batch-sizes with {bad[0]}", "whole numbers of rows, from 1 on", "correct it")
    for batch in batches:
        pipeline.configured({f"{step.name}.batch": batch})
    return list(dict.fromkeys(batches)) or [step.config.batch]


def find_rates(this: Rates, pipeline: Pipeline, heard: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Test every batch size.

    Args:
        this: what was asked for.
        pipeline: configured.
        heard: told each test as it ends.

    Returns:
        ``tests``, with ``settings`` of each as ``--set`` takes them; ``rate``, the definition's; ``setting``, its name.

    Raises:
        KilnworksError: a step before the training fails, or the settings do not work with these data.
    """
    step = trained_step(pipeline)
    config = step.config
    assert isinstance(config, TrainConfig)
    run = this.store.run(this.pipeline, this.run_id("rows"))
    examples, transform, base = _made(this, pipeline, step, run)
    from kilnworks.components.diagnosing.rate_range import range_test

    architecture = config.model if base is None else config.model.handed(base)  # type: ignore[union-attr]
    setting, tests = f"{step.name}.optimizer.learning_rate", []
    for batch in this.record["batches"]:
        asked = config.updated({"batch": batch}) if batch != config.batch else config
        rates = (this.record["from"], this.record["to"])
        told = range_test(asked, architecture, examples, transform, rates, this.record["steps"])
        given = {} if batch == config.batch else {f"{step.name}.batch": batch}
        if told["suggestion"] is not None:
            given[setting] = told["suggestion"]
        tests.append({**told, "settings": given})
        heard(tests[-1])
    return {"tests": tests, "rate": getattr(config.optimizer, "learning_rate", None), "setting": setting}


def _made(this: Rates, pipeline: Pipeline, step: Step, run: Run) -> tuple[CheckedExamples, Transform, Model | None]:
    """What the training is given, made or taken from the store."""
    why = f"{this.TITLE} {this.name}"
    command = f"kilnworks lr-find {this.pipeline}"
    before = pipeline.between(None, step.name) - {step.name}
    run.begin(command, this.record["settings"], trigger=why, steps=pipeline.outline(before), live=wish(NEVER, "", why))
    run_all(pipeline, run, selected=before)
    given = list(inputs_of(step, run)[0].values())
    examples = next(one for one in given if isinstance(one, CheckedExamples))
    transform = next(one for one in given if isinstance(one, Transform))
    return examples, transform, next((one for one in given if isinstance(one, Model)), None)
