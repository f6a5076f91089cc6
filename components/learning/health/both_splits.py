"""The loss of the best epoch on training and on validation rows, both in inference mode, for ``diagnosis.json``.

The loss of training that stands in ``history.csv`` is a mean over an epoch in which weights move, with dropout and what
changes images at work; it cannot be held against that of the validation. Here both splits go through the same network.

Rows lie in groups, so that any task's loss has an interval: that of the mean of the groups' losses. Two more losses of
the same rows say what the loss is worth: where every row gets the mean output of the training rows (``constant``), and
where each gets the output of another row (``shuffled``), which is as good wherever outputs say nothing of their row
(Ojala and Garriga 2010).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kilnworks.components.learning.arrays import Arrays, finite
from kilnworks.components.learning.predict import forward, outputs
from kilnworks.components.modeling.feeds.feed import Feed
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.files import write_json

if TYPE_CHECKING:
    from kilnworks.components.learning.splits import Validation

ROWS = 4096
"""Of a split, at most."""
FEWEST = 256
"""Training rows that are always looked at."""
BYTES = 2**26
"""Encoded rows of a split that are held, at most."""
SHARE = 0.03
"""Of the rows that the training went through: training rows that are looked at, at most."""
GROUPS = 50


def compare_splits(
    path: Path, task: Task, model: Any, feed: Feed, validation: Validation | None, epoch: int, seen: int
) -> None:
    """Write ``diagnosis.json``; nothing where an output is not finite.

    Args:
        path: of the file.
        task: whose loss is measured, without penalties.
        model: with the weights of the best epoch.
        feed: training rows as the model takes them.
        validation: None without validation rows.
        epoch: the best one, from 1.
        seen: rows that the training went through, epochs times rows.
    """
    run = forward(model)
    most = int(np.clip(SHARE * seen, FEWEST, ROWS))
    sides = {"train": _taken(_batches(feed), run, most)}
    if validation is not None:
        sides["val"] = _taken(_validated(validation), run, ROWS)
    if not all(len(target) and finite(output) for target, output in sides.values()):
        return
    usual = sides["train"][1].mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    told = {name: _told(task, target, output, usual) for name, (target, output) in sides.items()}
    write_json(path, {"epoch": epoch, **told})


def _batches(feed: Feed) -> Iterator[tuple[Arrays, np.ndarray]]:
    """The batches of the first epoch, as the model takes them."""
    feed.hold(("",))
    for block in feed.blocks(range(1), 1):
        inputs, target, *_ = feed.read(block, 0)
        yield {name: np.asarray(values) for name, values in inputs.items()}, np.asarray(target)


def _validated(validation: Validation) -> Iterator[tuple[Arrays, np.ndarray]]:
    """At most about ``ROWS`` of the rows, evenly, the same ones whatever the training was."""
    stride, count = max(1, -(-validation.rows // ROWS)), 0
    for arrays, target in validation.parts():
        some = slice((-count) % stride, None, stride)
        count += len(target)
        unpacked = validation.transform.unpack({name: tf.constant(values[some]) for name, values in arrays.items()})
        yield {name: np.asarray(values) for name, values in unpacked.items()}, np.asarray(target[some])


def _taken(
    parts: Iterator[tuple[Arrays, np.ndarray]], run: Callable[[Arrays], np.ndarray], most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Targets and outputs of the first rows, [rows, ...] each, until there are enough of them."""
    targets: list[np.ndarray] = []
    found: list[np.ndarray] = []
    rows = held = 0
    for arrays, target in parts:
        kept = min(len(target), most - rows)
        if kept:
            targets.append(target[:kept])
            found.append(outputs(run, {name: values[:kept] for name, values in arrays.items()}))
        rows, held = rows + kept, held + sum(values.nbytes for values in arrays.values())
        if rows >= most or (held > BYTES and rows >= FEWEST):
            break
    if not targets:
        return np.empty(0), np.empty(0)
    return np.concatenate(targets), np.concatenate(found)


def _told(task: Task, target: np.ndarray, output: np.ndarray, usual: np.ndarray) -> dict[str, Any]:
    """Losses of the groups of some rows: of the outputs, of the usual output, of those of other rows."""
    rows = len(target)
    order = np.arange(rows) if task.takes_windows else np.random.default_rng(0).permutation(rows)
    groups = np.array_split(order, min(GROUPS, rows))
    mixed, others = np.random.default_rng(1).permutation(rows), np.empty_like(output)
    others[mixed] = output[np.roll(mixed, 1)]
    kinds = {"loss": output, "constant": np.repeat(usual, rows, axis=0), "shuffled": others}
    return {"rows": rows, **{name: _losses(task, target, values, groups) for name, values in kinds.items()}}


def _losses(task: Task, target: np.ndarray, output: np.ndarray, groups: list[np.ndarray]) -> list[float]:
    """The mean loss of each group of rows; a loss of Keras is asked once for all of them."""
    each = task.totals().each(target, output)
    if each is None:
        return [task.measure(target[group], output[group])["loss"] for group in groups]
    return [float(each[group].mean()) for group in groups]
