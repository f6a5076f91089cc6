"""One batch before the first epoch: what does not fit together is said at once, with both sides."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from kilnworks.components.learning.state import State, optimizers_of
from kilnworks.components.modeling.feeds.feed import Feed
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.errors import ConfigError, KilnworksError


def try_one_batch(trained: Any, feed: Feed, task: Task) -> None:
    """Run a training step on the first batch, and put everything back that it changed.

    Raises:
        ConfigError: the step fails; the message holds the batch, the answer and what the task wants.
    """
    batch = _first(feed)
    state, before = None, []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # training says it again
            step = tf.function(trained.train_step, autograph=False)
            touched = step.get_concrete_function(batch)
            state = State(None, (trained,), tuple(optimizers_of(trained).values()), touched)
            before = state.values()
            step(batch)
    except KilnworksError:
        raise
    except Exception as error:
        raise ConfigError(
            f"a training step on one batch fails: {type(error).__name__}: {_first_line(error)}",
            f"a model, loss and metrics that take this batch: {_told(batch)}; the model gives "
            f"{_output(trained, batch)}; targets of the {task.kind} task are {_targets(task)}",
            "make shapes and dtypes of the two sides agree; --traceback in front of the command shows where it failed",
        ) from error
    finally:
        if state is not None:
            state.restore(before)
        trained.reset_metrics()


def _first(feed: Feed) -> Any:
    feed.hold(("",))
    blocks = feed.blocks(range(1), 1)
    return feed.read(next(blocks), 0)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _told(batch: Any) -> str:
    names = ("x", "targets", "weights")
    return "; ".join(f"{name} {_shape(part)}" for name, part in zip(names, batch, strict=False))


def _shape(part: Any) -> str:
    if isinstance(part, Mapping):
        return ", ".join(f"{name} {_shape(inside)}" for name, inside in part.items())
    if isinstance(part, list | tuple):
        return ", ".join(map(_shape, part))
    return f"{part.dtype.name if hasattr(part.dtype, 'name') else part.dtype} {list(part.shape)}"


def _output(trained: Any, batch: Any) -> str:
    try:
        output = trained(batch[0], training=False)
    except Exception as error:
        return f"an error already when it is called ({type(error).__name__})"
    return _shape(output) if not isinstance(output, Mapping) else _shape(dict(output))


def _targets(task: Task) -> str:
    if task.class_texts and task.outputs > 1:
        return f"int32 class numbers from 0 to {task.outputs - 1}, one a row: a sparse categorical loss fits them"
    return "float32, one a row, shape [rows, 1]"
