"""Compress: a trained model in, a smaller one out, which is judged, exported and deployed like any other.

``to_litert`` makes a file for LiteRT (TensorFlow Lite) of it, for phones and small devices; that one is no servable.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.schemas.artifacts import CheckedExamples, Litert, Model
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.errors import StepSkipped
from kilnworks.schemas.files import write_json

if TYPE_CHECKING:
    from kilnworks.components.challenging.settings import Challenge


class CompressConfig(JudgeSettings):
    """How a model is made smaller, and how much of its quality that may cost."""

    to: Literal["int8", "pruned"] = "int8"
    """``int8``: kernels and tables as whole numbers of one byte with a scale by channel, without training. ``pruned``:
    the smallest weights become 0 while the model is trained further on its training rows."""
    sparsity: float = Field(default=0.75, gt=0, lt=1)
    """``pruned``: share of the weights of every kernel that are 0 in the end."""
    prune_epochs: int = Field(default=10, ge=1, le=1000)
    """``pruned``: epochs in which that share is reached, fast at first (Zhu & Gupta 2017)."""
    settle_epochs: int = Field(default=10, ge=1, le=1000)
    """``pruned``: epochs after that, in which the weights that are left settle; the best of them is kept."""
    rate: float = Field(default=1.0, gt=0, le=10)
    """``pruned``: what the learning rate of the training is multiplied by."""
    split: str = "test"
    """Split whose rows decide; those of ``val`` are shown beside them."""
    metric: str | None = None
    """What may be lost; also a metric of your own. None: the first headline metric of the task, such as ``auc``."""
    max_loss: float | None = Field(default=None, ge=0)
    """How much worse the smaller model may be, in the unit of the metric. None: 0.005 for a metric between 0 and 1, and
    a hundredth of the model's value for others."""
    rule: Literal["not_worse", "non_inferior"] = "not_worse"
    """``not_worse``: the smaller model goes on unless it is shown to be worse by more than ``max_loss``;
    ``non_inferior``: once it is shown that it is not, which takes many rows."""
    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Confidence of each bound of the loss."""

    @property
    def challenge(self) -> Challenge:
        """The rule, as models are compared by it."""
        from kilnworks.components.challenging.settings import Challenge

        return Challenge(
            metric=self.metric,
            rule=self.rule,
            margin=self.max_loss,
            level=self.level,
            resamples=max(200, self.resamples),
            seed=self.seed,
        )


class LitertConfig(JudgeSettings):
    """How a model is converted for LiteRT, and how closely it is held to it."""

    split: str = "test"
    """Split whose rows are compared; metrics are measured on it and on ``val``."""
    skew_rows: int = Field(default=1000, ge=1, le=100_000)
    """Rows of the split whose answers are compared, at most."""
    tolerance: float = Field(default=1e-4, gt=0)
    """Largest difference between the interpreter's answers and those of the trained model: absolute up to 1, relative
    above."""


def compress(config: CompressConfig, model: Model, examples: CheckedExamples, out: Path, context: RunContext) -> Model:
    """Write the smaller model, ``compression.json`` (both side by side) and ``decision.json`` (what the loss means).

    Raises:
        StepSkipped: it is shown to be worse than the rule allows; all is written first.
        ConfigError: a model that cannot be made smaller, or whose loss cannot be measured.
        UnknownName: no such metric.
    """
    from kilnworks.components.compressing.report import FILE, answered, requests, served_sides
    from kilnworks.components.compressing.sides import check_measured, gate, lost, splits_of
    from kilnworks.components.compressing.smaller import to_int8, to_pruned
    from kilnworks.components.tasks.choose import task_of

    check_measured(task_of(model), config, config.metric)
    splits = splits_of(examples, config.split)
    if config.to == "int8":
        told = to_int8(model, out)
    else:
        told = to_pruned(
            model, examples, out, context,
            sparsity=config.sparsity, epochs=config.prune_epochs, settle=config.settle_epochs, rate=config.rate,
        )  # fmt: skip
    smaller = Model(out)
    sides = {split: [answered(one, examples, split) for one in (model, smaller)] for split in splits}
    before, now = sides[config.split]
    verdict = lost(before, now, config, config.challenge, config.split)
    served = served_sides(model, smaller, requests(model, examples, config.split), context.work / "sizes")
    record = gate(verdict, config.to)
    models = [
        {"name": name, **side, "metrics": {s: both[place].metrics(config) for s, both in sides.items()}}
        for place, (name, side) in enumerate(zip(("trained", config.to), served, strict=True))
    ]
    write_json(out / FILE, {"to": config.to, "split": config.split, "models": models, "lost": verdict.record(), **told})
    record.write(out)
    if not record.passed:
        raise StepSkipped(record.headline, record.rule, record.next_action, record.record())
    return smaller


def to_litert(config: LitertConfig, model: Model, examples: CheckedExamples, out: Path) -> Litert:
    """Write ``model.tflite``, ``litert.py`` and ``compression.json``; LiteRT's interpreter answers as the model.

    Raises:
        ConfigError: LiteRT has no operations for this model.
        SkewDetected: its interpreter answers otherwise.
    """
    from kilnworks.components.compressing.litert.made import converted

    told: dict[str, Any] = converted(model, examples, out, config, config.split, config.skew_rows, config.tolerance)
    write_json(out / "compression.json", told)
    return Litert(out)
