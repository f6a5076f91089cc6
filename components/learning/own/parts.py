"""Loss, metrics and callbacks of a user's own, made from ``OwnCode``; compiling a model with them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kilnworks.components.learning.own.made import made, said
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.code import Code, called, handed
from kilnworks.schemas.errors import ConfigError


def compile_model(settings: FitSettings, trained: Any, task: Task, rate: Any, *, jit: bool) -> None:
    """Compile what is trained; what a user's model compiled itself is kept where no setting says otherwise."""
    loss = _loss(settings.loss) if settings.loss else None
    metrics = [_metric(code) for code in settings.metrics]
    if task.loss_weighs and (loss is not None or getattr(trained, "compiled", False)):
        raise ConfigError(
            f"class_weight for a {task.kind}, and a loss of one's own",
            "one of the two: where a row may have many classes, the loss of the task holds their weights",
            "leave class_weight out and weigh in the loss, or leave the loss out",
        )
    if not getattr(trained, "compiled", False):
        trained.compile(
            optimizer=settings.optimizer.build(rate),
            loss=loss if loss is not None else task.loss(),
            metrics=[*task.metrics(), *metrics],
            jit_compile=jit,
        )
        return
    chosen = settings.optimizer.build(rate) if {"optimizer", "schedule"} & settings.model_fields_set else None
    if loss is None and not metrics and chosen is None:
        return
    if type(trained).compile is not keras.Model.compile:
        raise ConfigError(
            f"{type(trained).__name__} has a compile() of its own, and loss, metrics or optimizer are set as well",
            "one of the two",
            "leave them out of the settings, or out of compile()",
        )
    trained.compile(
        optimizer=chosen if chosen is not None else trained.optimizer,
        loss=loss if loss is not None else trained.loss,
        metrics=metrics or _compiled_metrics(trained),
        jit_compile=jit,
    )


def _compiled_metrics(trained: Any) -> Any:
    """The metrics that a model was compiled with; Keras keeps them, without a documented way to ask for them."""
    return getattr(getattr(trained, "_compile_metrics", None), "_user_metrics", None)


def own_callbacks(codes: Sequence[Code]) -> list[keras.callbacks.Callback]:
    """The callbacks, in order. Raises ``ConfigError`` for something else."""
    return [made(code, keras.callbacks.Callback, "callback") for code in codes]


def _loss(code: Code) -> Any:
    return _function_or(code, keras.losses.Loss, "loss")


def _metric(code: Code) -> Any:
    return _function_or(code, keras.metrics.Metric, "metric")


def _function_or(code: Code, kind: type, what: str) -> Any:
    """A Keras object of that kind, or a function of targets and outputs."""
    found = code.load()
    if isinstance(found, kind):
        return found
    if not isinstance(found, type) and callable(found) and _takes_targets(found):
        return _with_options(found, code.options)
    one = called(found, code.path, code.options, {})
    if isinstance(one, kind) or (callable(one) and not isinstance(one, type) and _takes_targets(one)):
        return one
    raise ConfigError(
        f"{code.path} is {said(one)}", f"a keras {what}, or a function f(y_true, y_pred)", "return one of the two"
    )


def _takes_targets(function: Any) -> bool:
    """Whether a function is one of targets and outputs: it has two parameters before those with a default."""
    parameters = inspect.signature(function).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(needed) == 2


def _with_options(function: Any, options: Mapping[str, Any]) -> Any:
    if not options:
        return function
    bound = functools.partial(function, **{name: handed(value) for name, value in options.items()})
    bound.__name__ = function.__name__  # type: ignore[attr-defined]
    return bound
