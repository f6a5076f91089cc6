"""Clusters: rows that belong together, found by scikit-learn on the training rows and served as layers of Keras."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from kilnworks.components.features.encoded import IMAGE, NUMERIC, SEQUENCE, EncodedTensor
from kilnworks.components.judging.cluster_settings import How
from kilnworks.components.modeling.base import Architecture, scope_name
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.clusters import Clustering
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError, DataInvalid
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import numpy as np

    from kilnworks.components.features.transform import FeatureTransform

TRIED = "silhouettes"
"""Attribute of a model: the silhouette of each number of clusters that was tried."""


class Clusters(How, Architecture):
    """k-means or a mixture of Gaussians on the encoded rows. Categories are taken as one-hot columns only.

    Columns [N, D] in, densities and squared distances [N, K] to each cluster out (Lloyd 1982; Dempster, Laird & Rubin
    1977). Use it to find rows that belong together, without a label.
    """

    task: ClassVar[type[Task] | None] = Clustering
    takes: ClassVar[frozenset[str] | None] = frozenset({NUMERIC, SEQUENCE, IMAGE})
    by_optimizer: ClassVar[bool] = False

    kind: Literal["clusters"] = "clusters"
    count: int | None = Field(default=None, ge=2)
    """Clusters; by default the number from 2 to ``most`` with the largest silhouette."""
    most: int = Field(default=10, ge=2)
    """Clusters that are tried, at most, where ``count`` is left out."""

    _parts: tuple[Any, ...] = PrivateAttr(default=())
    _tried: Mapping[int, float] = PrivateAttr(default={})

    def shown(self, columns: Mapping[str, Any]) -> Self:
        """The same with what was found among the training rows.

        Raises:
            ConfigError: more clusters than there are different rows.
            DataInvalid: an encoded value is not finite.
        """
        from kilnworks.components.judging.cluster_fits import best_count, by_size, fitted
        from kilnworks.components.modeling.cluster_layers import parts_of
        from kilnworks.components.modeling.usual_rows import side_by_side

        rows = side_by_side(columns, list(columns))
        different = _different(rows, columns)
        if different < (self.count or 3):
            raise ConfigError(
                f"{self.count or 'a number of'} clusters of {len(rows)} training rows, {different} of them different",
                f"at least {self.count or 3} different rows",
                "lower `count` of the model, or give more rows",
            )
        seeing = self.model_copy()
        if self.count is None:
            model, seeing._tried = best_count(rows, min(self.most, different - 1), self.how)
        else:
            model = fitted(rows, self.count, self.how)
        seeing._parts = parts_of(model, by_size(model, rows))
        return seeing

    @property
    def how(self) -> How:
        """The settings of a fit alone."""
        return How(**{name: getattr(self, name) for name in How.model_fields})

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``; the output is that of ``cluster_layers.measures``."""
        import keras

        self.refuse_unread(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        model = keras.Model(inputs, task.head(self.trunk(encoded, inputs, names), names), name=scope_name(self.kind))
        model.__dict__[TRIED] = dict(self._tried)
        return model

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """Densities, squared distances and the rows. Raises ``ConfigError`` before training rows were ``shown``."""
        from kilnworks.components.modeling.cluster_layers import measures

        if not self._parts:
            raise ConfigError(
                "clusters of rows that were not shown yet", "training rows", "call shown() before network()"
            )
        kernel, bias, offsets = self._parts
        return measures(self.flat(encoded, inputs, names), (kernel, bias, offsets), names)

    def learner(self, encoded: Sequence[EncodedTensor], task: Task) -> Learner:
        """One epoch in which nothing changes: everything was found when the training rows were shown."""
        from kilnworks.components.modeling.cluster_layers import Measured

        model = self.network(encoded, task)
        return Learner(model, (Phase("fit", Measured(model.input, model.output, name=model.name), epochs=1),))

    def remarks(self, model: Any, fitted: FeatureTransform, task: Task) -> dict[str, Any]:
        """The silhouette of each number of clusters that was tried, as ``tried`` by the number."""
        tried = model.__dict__.get(TRIED) or {}
        return {"tried": {str(count): round(value, 4) for count, value in tried.items()}} if tried else {}

    def calibrated(self, task: Task, transform: FeatureTransform, outputs: Callable[[str], np.ndarray | None]) -> Task:
        """The task with the names, means and spreads of columns, two principal components, and how steady it is."""
        from kilnworks.components.judging.cluster_fits import steadiness
        from kilnworks.components.judging.clusters import principal
        from kilnworks.components.modeling.feature_columns import column_names

        tell: Callable[..., Task] | None = getattr(task, "calibrated", None)
        learned = outputs("train")
        if tell is None or learned is None:
            return task  # of one's own
        wide = sum(math.prod(tensor.shape) for tensor in transform.encoded)
        count, rows = (learned.shape[1] - 1 - wide) // 2, learned[:, -wide:]
        return tell(self.how, count, column_names(transform), rows, principal(rows), steadiness(rows, count, self.how))


def _different(rows: np.ndarray, columns: Mapping[str, Any]) -> int:
    """How many rows differ from each other. Raises ``DataInvalid`` where a value is not finite."""
    import numpy as np

    if not np.isfinite(rows).all():
        names = [name for name in columns if not np.isfinite(columns[name]).all()]
        raise DataInvalid(
            f"encoded rows with NaN or infinite numbers, in {listed(names)}",
            "finite numbers, between which there is a distance",
            "check the data, and the preprocessing of these features",
        )
    return len(np.unique(rows, axis=0))
