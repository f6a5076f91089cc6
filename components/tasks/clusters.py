"""Which rows belong together: the cluster of a row, and how far it is from the centre of it.

Nothing is learned from a label; where the contract has one with classes, the clusters are compared with it. The model
says how well a row fits each cluster, and hands on the row as it takes it, of which silhouettes are made; what its
columns are, and how steady the clusters are, is told once it is trained (``calibrated``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from kilnworks.components.judging.cluster_settings import How
from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers
from kilnworks.components.tasks.beside_classes import BesideClasses
from kilnworks.components.tasks.totals import Totals

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval

UNLABELLED = "the contract has no label to compare with"
TIE = 1e-4
"""Two clusters that fit a row equally well up to this, relative above 1, may be told either way."""


def adjusted_rand(truth: Any, answers: Mapping[str, Any]) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985)."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(truth, answers["cluster"]))


def adjusted_mutual_information(truth: Any, answers: Mapping[str, Any]) -> float:
    """Adjusted mutual information (Vinh, Epps & Bailey 2010)."""
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(truth, answers["cluster"]))


METRICS = (
    Metric("silhouette", "max", "Silhouette", "how much nearer rows are to their own cluster than to the next one"),
    Metric("stability", "max", "Stability", "agreement of clusters of two halves of the training rows; 0 is chance"),
    Metric("adjusted_rand", "max", "Adjusted Rand index", "agreement with the label about pairs; 0 is chance"),
    Metric("adjusted_mutual_information", "max", "Adjusted mutual information", "shared with the label; 0 is chance"),
)
COMPARED = {"adjusted_rand": adjusted_rand, "adjusted_mutual_information": adjusted_mutual_information}


def row_loss(y_true: Any, y_pred: Any) -> Any:
    """How badly each row fits its cluster, [N]: half the squared distance, or minus the logarithm of the density."""
    return -y_pred[:, 0]


class Clustering(BesideClasses):
    """``measures`` [N, 1 + 2 K + D]: the best density, K densities, K squared distances and the row itself."""

    kind: ClassVar[str] = "clusters"
    title: ClassVar[str] = "Clusters"
    headline: ClassVar[tuple[str, ...]] = ("silhouette", "stability")
    judged: ClassVar[tuple[str, ...]] = ("cluster", "distance", "columns")
    output: ClassVar[str] = "fits"
    compares: ClassVar[str] = "clusters"

    how: How = How()
    """How the clusters were found."""
    count: int = 1
    """Clusters; 1 before the model is trained."""
    columns: tuple[str, ...] = ()
    """Names of the columns that the model takes, [D]."""
    mean: tuple[float, ...] = ()
    """Of each column over the training rows, [D]."""
    spread: tuple[float, ...] = ()
    """Standard deviation of each column over the training rows, [D]; 1 where it never varies."""
    axes: tuple[tuple[float, ...], ...] = ()
    """The first two principal components, [2, D]."""
    shares: tuple[float, ...] = ()
    """Share of the variance of each of the first principal components."""
    stability: tuple[float, float, float] | None = None
    """Mean adjusted Rand index of fits on two halves of the training rows, and its 2.5 % and 97.5 %; None where they
    are too few."""

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def headlines(cls, results: Mapping[str, Any]) -> tuple[str, ...]:
        """With a label, what it says too."""
        return (*cls.headline, "adjusted_rand") if results.get("label") else cls.headline

    # ---- training

    @property
    def outputs(self) -> int:
        """Width of what the model gives."""
        return 1 + 2 * self.count + len(self.columns)

    def loss(self) -> Any:
        """What the model says of itself."""
        return row_loss

    def totals(self) -> Totals:
        """The mean loss."""
        return Totals(lambda target, output: row_loss(target, output).mean())

    def calibrated(
        self,
        how: How,
        count: int,
        columns: Sequence[str],
        rows: np.ndarray,
        principal: tuple[np.ndarray, Sequence[float]],
        stability: tuple[float, float, float],
    ) -> Self:
        """The task of a trained model.

        Args:
            how: the clusters were found.
            count: of clusters.
            columns: names, [D].
            rows: of the training split as the model takes them, [N, D].
            principal: two components [2, D], and shares of the variance.
            stability: with its interval; NaN where it is not defined.
        """
        import numpy as np

        spread = rows.std(axis=0, dtype=np.float64)
        known = bool(np.isfinite(stability[0]))
        told = {
            "how": how,
            "count": count,
            "columns": tuple(columns),
            "mean": tuple(rows.mean(axis=0, dtype=np.float64).tolist()),
            "spread": tuple(np.where(spread > 0, spread, 1.0).tolist()),
            "axes": tuple(tuple(axis.tolist()) for axis in principal[0]),
            "shares": tuple(principal[1]),
            "stability": stability if known else None,
        }
        return self.model_copy(update=told)

    # ---- serving

    @property
    def answered(self) -> tuple[Answer, ...]:
        """Cluster, distance, and how well each cluster fits."""
        each = (
            Answer("probabilities", "float32", (self.count,), "of each cluster; they add up to 1")
            if self._mixes
            else Answer("distances", "float32", (self.count,), "from the centre of each cluster")
        )
        far = "in standard deviations of the cluster" if self._mixes else "as the model takes the columns"
        return (
            Answer("cluster", "int32", (), f"0 to {self.count - 1}; 0 is the one with the most training rows"),
            Answer("distance", "float32", (), f"from the centre of that cluster, {far}"),
            each,
        )

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        from keras import ops

        wide = ops.cast(output, "float32")
        scores, squared = wide[:, 1 : 1 + self.count], wide[:, 1 + self.count : 1 + 2 * self.count]
        distances = ops.sqrt(squared)
        cluster = ops.argmax(scores, axis=-1)
        own = ops.sum(distances * ops.one_hot(cluster, self.count, dtype="float32"), axis=-1)
        each = {"probabilities": ops.softmax(scores, axis=-1)} if self._mixes else {"distances": distances}
        return {"cluster": ops.cast(cluster, "int32"), "distance": own, **each}

    def looked_at(self, output: Any) -> dict[str, Any]:
        """The answers, and ``columns`` [N, D], the rows as the model takes them."""
        return {**self.answers(output), "columns": output[:, 1 + 2 * self.count :]}

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """See ``Task.difference``; of two clusters that fit equally well up to rounding, either may be told."""
        import numpy as np

        apart = super().difference(name, got, wanted)
        if name not in ("cluster", "distance") or self.count < 2:
            return apart
        fits = wanted["probabilities"] if self._mixes else -wanted["distances"]
        first, second = np.sort(fits, axis=1)[:, :-3:-1].T
        return np.where(first - second <= TIE * np.maximum(1.0, np.abs(first)), 0.0, apart)

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``cluster`` and ``distance``."""
        import numpy as np
        import polars as pl

        return pl.DataFrame(
            {
                "cluster": np.asarray(answers["cluster"]).astype(np.int64),
                "distance": np.asarray(answers["distance"]).astype(np.float64),
            }
        )

    # ---- judging

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """See ``Task.scores``; without a label, what needs one is undefined."""
        from kilnworks.components.judging.clusters import silhouette
        from kilnworks.components.judging.intervals import Interval, undefined
        from kilnworks.components.judging.resampled import resampled

        few = undefined("too few training rows to halve")
        found = {
            "silhouette": silhouette(answers["columns"], answers["cluster"], settings.resamples, settings.seed),
            "stability": Interval(*self.stability) if self.stability else few,
        }
        for metric in METRICS[2:]:
            found[metric.name] = (
                resampled(replace(metric, of=COMPARED[metric.name]), truth, answers, settings.resamples, settings.seed)
                if self.label is not None
                else undefined(UNLABELLED)
            )
        return found

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """What is typical of each cluster, and two views of some rows."""
        import numpy as np

        from kilnworks.components.judging.clusters import table, views

        rows, cluster = answers["columns"], answers["cluster"]
        about = {"columns": self.columns, "mean": self.mean, "spread": self.spread}
        return {
            "table": table(rows, cluster, answers["distance"], self.count, about),
            "views": views(rows, cluster, np.array(self.axes), np.array(self.mean), self.shares, self.how.seed),
        }

    def beside(
        self, rows: Callable[[str], Iterator[Mapping[str, np.ndarray]]], truth: np.ndarray, split: str
    ) -> dict[str, Any]:
        """What the same method makes of columns that are shuffled each by itself."""
        import numpy as np

        from kilnworks.components.judging.anomaly_baselines import flat
        from kilnworks.components.judging.cluster_fits import baseline

        return dict(baseline(np.concatenate([flat(part) for part in rows(split)]), self.count, self.how))

    @classmethod
    def pictures(cls, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """See ``Task.pictures``."""
        from kilnworks.components.judging.cluster_pictures import pictures

        return pictures(results)

    @property
    def _mixes(self) -> bool:
        return self.how.method == "gaussian_mixture"
