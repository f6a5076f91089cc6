"""Codes of rows, and what becomes of a row that goes into its code and back.

Nothing is learned from a label; where the contract has one with classes, the codes are judged by how well a linear
model tells the classes from them, beside the columns themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers
from kilnworks.components.tasks.beside_classes import BesideClasses
from kilnworks.components.tasks.totals import Totals

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval

UNLABELLED = "the contract has no label to tell"
TOLD = 2


def _mean(name: str) -> Any:
    return lambda truth, answers: float(answers[name].mean(dtype="float64"))


METRICS = (
    Metric("reconstruction_error", "min", "Reconstruction error", "mean squared difference of a row and its "
           "reconstruction, in the units of the model; less is better", of=_mean("error")),
    Metric("energy_gap", "min", "Free energy above training rows", "mean free energy less that of training rows, in "
           "nats; far above 0 the machine knows its training rows by heart", of=_mean("gap")),
    Metric("linear_accuracy", "max", "Classes by a linear model", "share of rows whose class a linear model tells from "
           "the codes, cross-validated on these rows", share=True),
)  # fmt: skip


class Codes(BesideClasses):
    """``told`` [N, 2 + H + 2 D]: squared difference, free energy, codes, reconstruction and the row itself."""

    kind: ClassVar[str] = "codes"
    title: ClassVar[str] = "Codes"
    headline: ClassVar[tuple[str, ...]] = ("reconstruction_error",)
    judged: ClassVar[tuple[str, ...]] = ("codes", "reconstruction", "error", "gap", "columns")
    output: ClassVar[str] = "told"
    compares: ClassVar[str] = "codes"

    visible: Literal["bernoulli", "gaussian"] = "bernoulli"
    """What the model takes the columns for."""
    count: int = Field(default=1, ge=1)
    """H, hidden units of the last machine."""
    columns: tuple[str, ...] = ()
    """Names of the columns that the model takes, [D]."""
    shape: tuple[int, ...] = ()
    """Of a row as the model takes it, where it is one tensor; empty where tensors stand side by side."""
    mean: tuple[float, ...] = ()
    """Of each column over the training rows, [D]."""
    spread: tuple[float, ...] = ()
    """What the squared differences of each column are measured in, [D]; 1 for Bernoulli units."""
    energy: float = 0.0
    """Mean free energy of the training rows, in nats."""

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def headlines(cls, results: Mapping[str, Any]) -> tuple[str, ...]:
        """With a label, how well the codes tell it."""
        return (*cls.headline, "linear_accuracy") if results.get("label") else cls.headline

    # ---- training

    @property
    def outputs(self) -> int:
        """Width of what the model gives."""
        return TOLD + self.count + 2 * len(self.columns)

    def loss(self) -> Any:
        """The squared difference of rows and reconstruction."""
        from kilnworks.components.tasks.losses import first_column

        return first_column

    def totals(self) -> Totals:
        """The loss."""
        return Totals(lambda target, output: output[:, 0].mean(dtype="float64"))

    def calibrated(
        self, count: int, columns: Sequence[str], shape: Sequence[int], learned: np.ndarray,
        visible: Literal["bernoulli", "gaussian"],
    ) -> Self:  # fmt: skip
        """The task once the model is trained.

        Args:
            count: H.
            columns: names, [D].
            shape: of a row, where it is one tensor.
            learned: what the model gives for the training rows, [N, 2 + H + 2 D].
            visible: what the first units are.
        """
        import numpy as np

        rows = learned[:, -len(columns) :].astype(np.float64)
        spread = np.where(rows.std(axis=0) > 1e-6, rows.std(axis=0), 1.0)
        told = {
            "visible": visible,
            "count": count,
            "columns": tuple(columns),
            "shape": tuple(shape),
            "mean": tuple(rows.mean(axis=0).tolist()),
            "spread": tuple(spread.tolist()) if visible == "gaussian" else (1.0,) * len(columns),
            "energy": float(learned[:, 1].mean(dtype=np.float64)),
        }
        return self.model_copy(update=told)

    # ---- serving

    @property
    def answered(self) -> tuple[Answer, ...]:
        """Codes, reconstruction, and how usual the row is."""
        shape = self.shape or (len(self.columns),)
        return (
            Answer("codes", "float32", (self.count,), "the probability of each hidden unit, 0 to 1"),
            Answer("reconstruction", "float32", shape, "the row from its code, as the model takes it"),
            Answer("error", "float32", (), "mean squared difference of the two"),
            Answer("free_energy", "float32", (), "in nats; the lower, the more usual the row"),
        )

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        from keras import ops

        wide = ops.cast(output, "float32")
        codes, made = TOLD + self.count, TOLD + self.count + len(self.columns)
        return {
            "codes": wide[:, TOLD:codes],
            "reconstruction": ops.reshape(wide[:, codes:made], (-1, *(self.shape or (len(self.columns),)))),
            "error": wide[:, 0],
            "free_energy": wide[:, 1],
        }

    def looked_at(self, output: Any) -> dict[str, Any]:
        """The answers, ``gap``, the free energy above that of training rows [N], and ``columns`` [N, D], the rows."""
        answers = self.answers(output)
        gap = answers["free_energy"] - self.energy
        return {**answers, "gap": gap, "columns": output[:, TOLD + self.count + len(self.columns) :]}

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``error``, ``free_energy`` and ``code_0`` and so on."""
        import numpy as np
        import polars as pl

        codes = np.asarray(answers["codes"]).astype(np.float64)
        told = {name: np.asarray(answers[name]).astype(np.float64) for name in ("error", "free_energy")}
        return pl.DataFrame({**told, **{f"code_{place}": codes[:, place] for place in range(codes.shape[1])}})

    # ---- judging

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """How well the codes tell the label; undefined without one."""
        from kilnworks.components.judging.codes.measures import linear_accuracy
        from kilnworks.components.judging.intervals import undefined

        if self.label is None:
            return {"linear_accuracy": undefined(UNLABELLED)}
        return {"linear_accuracy": linear_accuracy(answers["codes"], truth, settings.resamples, settings.seed)}

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """The mean of the training rows and the columns themselves as the baseline; some rows drawn."""
        from kilnworks.components.judging.codes.measures import described

        label = truth if self.label is not None else None
        return described(answers, label, self.mean, self.spread, self.shape)

    @classmethod
    def pictures(cls, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """See ``Task.pictures``."""
        from kilnworks.components.judging.codes.pictures import pictures

        return pictures(results)
