"""Autoencoder: rows through a narrow code and back, trained on usual rows; what comes out badly is strange.

::

    columns -> in spreads from the median, softly clipped -> encoder -> code -> decoder -> columns again
            -> squared difference of each column [N, D]

    pictures among them: convolutions to the encoder, transposed convolutions from the decoder
    variational: the code is drawn around a mean while training, and its divergence is part of the loss

Anomaly detection by replicator networks: Hawkins, He, Williams & Baxter 2002. A linear path beside the layers lets
relations between columns that are sums be learned in a few epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from kilnworks.components.features.encoded import IMAGE, NUMERIC, SEQUENCE, EncodedTensor
from kilnworks.components.modeling.base import Activation, Architecture, scope_name
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.tasks.anomaly import Anomaly
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension

if TYPE_CHECKING:
    import numpy as np

    from kilnworks.components.features.transform import FeatureTransform

LEAST_ERROR = 0.1
"""Smallest usual error of a column, in spreads: a smaller one is not told from rounding."""


class Autoencoder(Architecture):
    """Dense layers, and convolutions for pictures, down to a code and up again. Categories as one-hot columns only.

    Columns [N, D] in, the squared error of each [N, D] out (Hawkins, He, Williams & Baxter 2002; variational: Kingma &
    Welling 2014). Use it to find rows that are unlike the others, without a label; a few per cent of strange rows among
    the training rows do no harm.
    """

    task: ClassVar[type[Task] | None] = Anomaly
    takes: ClassVar[frozenset[str] | None] = frozenset({NUMERIC, SEQUENCE, IMAGE})

    kind: Literal["autoencoder"] = "autoencoder"
    activation: Activation = "tanh"
    units: tuple[Annotated[int, Field(ge=1)], ...] = (32,)
    """Width of each layer down to the code, in order; up again in reverse."""
    code: int | None = Field(default=None, ge=1)
    """Width of the narrow place; by default two fifths of the columns, at most 32."""
    contamination: float = Field(default=0.15, ge=0, lt=0.5)
    """Share of the training rows, those that look strangest at a first look, that are not learned from: more than the
    share of anomalies that may be among them. 0 for data that are known to hold none."""
    quantile: float = Field(default=0.99, gt=0, lt=1)
    """Share of the validation rows whose score is below the threshold."""
    noise: float = Field(default=0.0, ge=0)
    """Standard deviation of noise on what goes in while training, in spreads: what comes out is to be without it
    (Vincent, Larochelle, Bengio & Manzagol 2008)."""
    variational: bool = False
    """Whether the code of a row is a normal distribution, drawn from while training, its divergence from a standard one
    being part of the loss (Kingma & Welling 2014). The score is that of what is made of its mean."""
    beta: float = Field(default=1.0, ge=0)
    """For ``variational``: weight of the divergence (Higgins et al. 2017); 1 is the evidence lower bound."""
    filters: tuple[Annotated[int, Field(ge=1)], ...] = (16, 32)
    """For pictures: channels of each convolution, in order, each of which halves the side; up again in reverse. Empty:
    pixels are columns like others."""
    kernel: int = Field(default=3, ge=1, le=15)
    """For pictures: side of the square kernels, in pixels."""
    clip: float = Field(default=5.0, gt=0)
    """How far from the median a column can be, in spreads, after the soft clip."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "units": Choice(values=((16,), (32,), (64, 32))),
        "noise": Choice(values=(0.0, 0.1, 0.3)),
    }

    _centre: tuple[float, ...] = PrivateAttr(default=())
    _spread: tuple[float, ...] = PrivateAttr(default=())

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """Numbers in their own units, less their mean, which stands for a missing one: spreads follow.

        A few huge values make a standard deviation that the others vanish beside, and in float32 with them.
        """
        from kilnworks.components.features.kinds.scalars import NumberPlan
        from kilnworks.components.features.kinds.tensor import TensorPlan
        from kilnworks.components.features.transform import FeatureTransform

        def unscaled(plan: Any) -> Any:
            """The plan of a column with its spread left in."""
            if isinstance(plan, NumberPlan) and plan.scale == "standard":
                return plan.model_copy(update={"variance": 1.0})
            if isinstance(plan, TensorPlan):
                return plan.model_copy(update={"variance": (1.0,) * len(plan.variance)})
            return plan

        plans = {name: unscaled(plan) for name, plan in fitted.plan.features.items()}
        return FeatureTransform(fitted.plan.model_copy(update={"features": plans}))

    def shown(self, columns: Mapping[str, Any]) -> Self:
        """The same with medians and spreads of the training rows."""
        from kilnworks.components.modeling.usual_rows import centre_and_spread, side_by_side

        rows = side_by_side(columns, list(columns))
        if len(rows) < 2 or not (rows != rows[0]).any():
            raise ConfigError(
                "every training row is the same", "rows that differ", "check the source: there is nothing to learn"
            )
        seeing = self.model_copy()
        centre, spread = centre_and_spread(rows)
        seeing._centre, seeing._spread = tuple(centre.tolist()), tuple(spread.tolist())
        return seeing

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``; the output is the squared error of each column, [N, D]."""
        import keras

        self.refuse_unread(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        rows = self._clipped(encoded, inputs, names)
        if rows.shape[-1] < 2:
            raise ConfigError(
                "one column for an autoencoder",
                "at least two, of which one tells about the other",
                "give more features; `min` and `max` of the contract guard a single number",
            )
        made = self._made(encoded, rows, names)
        apart = keras.layers.Subtract(dtype="float32", name=names("column_apart"))([rows, made])
        square = keras.layers.Multiply(dtype="float32", name=names("column_square"))([apart, apart])
        return keras.Model(inputs, task.head(square, names), name=scope_name(self.kind))

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The code, [N, code]."""
        return self._encoded(encoded, self._clipped(encoded, inputs, names), names)

    def training(self, model: Any, task: Task) -> Any:
        """See ``Architecture.training``; with the divergence of the codes, where they are distributions."""
        if not self.variational:
            return super().training(model, task)
        from kilnworks.components.modeling.reconstruction.variational import trained_with_divergence

        return trained_with_divergence(model, self.beta)

    def learner(self, encoded: Sequence[EncodedTensor], task: Task) -> Learner:
        """One phase over the usual rows."""
        model = self.network(encoded, task)
        chosen = self._usual_rows if self.contamination else None
        return Learner(model, (Phase("fit", self.training(model, task)),), chosen=chosen)

    def calibrated(self, task: Task, transform: FeatureTransform, outputs: Callable[[str], np.ndarray | None]) -> Task:
        """The task with usual errors and threshold."""
        import numpy as np

        from kilnworks.components.modeling.feature_columns import feature_columns

        tell: Callable[..., Task] | None = getattr(task, "calibrated", None)
        learned = outputs("train")
        if tell is None or learned is None:
            return task  # of one's own, that has no threshold
        rows = learned.mean(axis=1)
        kept = rows <= np.quantile(rows, 1 - self.contamination)
        usual = learned[kept].mean(axis=0, dtype=np.float64) + LEAST_ERROR**2
        others = outputs("val")
        features, groups = feature_columns(transform)
        return tell(features, groups, usual, learned if others is None else others, self.quantile)

    def _usual_rows(self, arrays: Mapping[str, Any], seed: int) -> Any:
        """Which training rows are learned from, bool [rows]."""
        from kilnworks.components.modeling.usual_rows import side_by_side, usual_rows

        return usual_rows(side_by_side(arrays, list(arrays)), self.contamination, self.clip, seed)

    def _clipped(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """Every column in spreads from its median, [N, D]."""
        import keras

        from kilnworks.components.modeling.ensemble import SoftClip

        flat = self.flat(encoded, inputs, names)
        if self._centre:
            spread = [value**2 for value in self._spread]
            flat = keras.layers.Normalization(
                mean=list(self._centre), variance=spread, dtype="float32", name=names("spreads")
            )(flat)
        return SoftClip(self.clip, dtype="float32", name=names("clipped"))(flat)

    def _encoded(self, encoded: Sequence[EncodedTensor], rows: Any, names: LayerNames) -> Any:
        """Rows to code."""
        import keras

        if self.noise:
            rows = keras.layers.GaussianNoise(self.noise, name=names("noise"))(rows)
        size = self.code or min(32, max(1, round(0.4 * rows.shape[-1])))
        hidden = self.dense_layers(self._read(encoded, rows, names), self.units, names)
        deep = keras.layers.Dense(size, kernel_initializer=self.initializer, name=names("code_deep"))(hidden)
        straight = keras.layers.Dense(size, use_bias=False, name=names("code_straight"))(rows)
        code = keras.layers.Add(name=names("code"))([deep, straight])
        if not self.variational:
            return code
        from kilnworks.components.modeling.reconstruction.variational import sampled

        return sampled(code, keras.layers.Dense(size, name=names("code_spread"))(hidden), names)

    def _read(self, encoded: Sequence[EncodedTensor], rows: Any, names: LayerNames) -> Any:
        """What the dense layers of the encoder see: columns, and what the convolutions make of pictures."""
        import keras

        from kilnworks.components.modeling.reconstruction.columns import parts, taken
        from kilnworks.components.modeling.reconstruction.pictures import read

        found = []
        for i, part in enumerate(parts(encoded, bool(self.filters)), 1):
            x = taken(rows, part)
            if part.shape:
                x = read(x, part.shape, self.filters, self.kernel, str(i), self.activated, names)
            found.append(x)
        return keras.layers.Concatenate(name=names("columns_read"))(found) if len(found) > 1 else found[0]

    def _made(self, encoded: Sequence[EncodedTensor], rows: Any, names: LayerNames) -> Any:
        """Rows to rows again."""
        import keras

        from kilnworks.components.modeling.reconstruction.columns import parts
        from kilnworks.components.modeling.reconstruction.pictures import drawn

        code, wide = self._encoded(encoded, rows, names), rows.shape[-1]
        x = code
        for i, width in enumerate(reversed(self.units), 1):
            x = self.activated(x, keras.layers.Dense, f"up_{i}", names, units=width)
        found = []
        for i, part in enumerate(parts(encoded, bool(self.filters)), 1):
            if part.shape:
                found.append(drawn(x, part.shape, self.filters, self.kernel, str(i), self.activated, names))
            else:
                size, tag = part.end - part.start, "made_deep" if i == 1 else f"made_deep_{i}"
                found.append(keras.layers.Dense(size, dtype="float32", name=names(tag))(x))
        deep = keras.layers.Concatenate(name=names("columns_made"))(found) if len(found) > 1 else found[0]
        straight = keras.layers.Dense(wide, use_bias=False, dtype="float32", name=names("made_straight"))(code)
        return keras.layers.Add(dtype="float32", name=names("made"))([deep, straight])
