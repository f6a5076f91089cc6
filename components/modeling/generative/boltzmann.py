"""Restricted Boltzmann machines: codes of rows (``Rbm``), and a deep belief network that classifies them (``Dbn``).

::

    Rbm   rows -> machine -> ... -> codes -> back -> reconstruction         each machine learned by divergence
    Dbn   rows -> machine -> ... -> codes -> head of the task               then all of it by the label

Hinton, Osindero & Teh 2006; Hinton 2012 for the usual settings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from kilnworks.components.features.encoded import IMAGE, NUMERIC, SEQUENCE, SHARES, EncodedTensor
from kilnworks.components.modeling.base import DROPOUTS, Architecture, scope_name
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.codes import Codes
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension, Float
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import numpy as np

    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.modeling.generative.divergence import Divergence
    from kilnworks.components.modeling.generative.machines import Machines

ROUNDING = 1e-4
"""How far beyond 0 and 1 a scaled number may lie."""
RATES = Float(low=0.01, high=0.5, log=True)
"""Of ``divergence_rate``, in the spaces of both."""
LIKELY = 1e-3
"""Means of columns are taken for at least so far from 0 and 1, where biases follow from them."""


class Boltzmann(Architecture, ABC):
    """What both share: the machines, and how they learn from rows alone. Categories are taken as one-hot columns."""

    takes: ClassVar[frozenset[str] | None] = frozenset({NUMERIC, SHARES, SEQUENCE, IMAGE})

    units: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(100,), min_length=1)
    """Hidden units of each machine, in order."""
    visible: Literal["bernoulli", "gaussian"] = "bernoulli"
    """What the first machine takes the columns for: numbers between 0 and 1 (pixels; ``scale: minmax`` for others), or
    any numbers, which are standardised."""
    k: int = Field(default=1, ge=1, le=100)
    """Gibbs steps between two looks at the model's own rows."""
    chains: int = Field(default=0, ge=0, le=10_000)
    """Persistent chains (PCD), which go on from step to step; 0: they start at the rows of each batch (CD)."""
    divergence_epochs: int = Field(default=10, ge=1)
    """Epochs in which each machine learns."""
    divergence_rate: float = Field(default=0.05, gt=0)
    """Learning rate of each machine; about a tenth of it for Gaussian units."""
    momentum: float = Field(default=0.5, ge=0, lt=1)
    """Of the machines' gradient descent."""
    decay: float = Field(default=1e-4, ge=0)
    """Weight of a machine's squared kernel, half of it, against its likelihood."""

    _centre: tuple[float, ...] = PrivateAttr(default=())
    _spread: tuple[float, ...] = PrivateAttr(default=())

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """Numbers with ``scale: minmax`` between 0 and 1 instead of -1 and 1, where the units are Bernoulli.

        Raises:
            ConfigError: a number has another scale.
        """
        from kilnworks.components.features.kinds.scalars import NumberPlan
        from kilnworks.components.features.transform import FeatureTransform
        from kilnworks.components.modeling.generative.ranges import between_0_and_1

        if self.visible == "gaussian":
            return fitted
        wrong = [n for n, p in fitted.plan.features.items() if isinstance(p, NumberPlan) and p.scale != "minmax"]
        if wrong:
            raise ConfigError(
                f"{listed(wrong)}, scaled otherwise than between 0 and 1, for Bernoulli units",
                "numbers between 0 and 1",
                'set FeatureSettings(scale="minmax") of each, in PreprocessConfig(features={...}); or '
                'visible="gaussian" of the model',
            )
        plans = {name: between_0_and_1(plan) for name, plan in fitted.plan.features.items()}
        return FeatureTransform(fitted.plan.model_copy(update={"features": plans}))

    def shown(self, columns: Mapping[str, Any]) -> Self:
        """The same with means, and for Gaussian units deviations, of the training rows.

        Raises:
            ConfigError: a column goes beyond 0 to 1, and the units are Bernoulli.
        """
        import numpy as np

        from kilnworks.components.modeling.usual_rows import side_by_side

        for name in columns:
            low, high = float(np.min(columns[name])), float(np.max(columns[name]))
            if self.visible == "bernoulli" and not (low >= -ROUNDING and high <= 1 + ROUNDING):
                raise ConfigError(
                    f"{name!r} from {low:.4g} to {high:.4g} for Bernoulli units",
                    "numbers between 0 and 1",
                    'scale it ("unit" for images, "minmax" for numbers); or set visible="gaussian" of the model',
                )
        rows = side_by_side(columns, list(columns)).astype(np.float64)
        seeing = self.model_copy()
        spread = rows.std(axis=0)
        seeing._centre, seeing._spread = tuple(rows.mean(axis=0)), tuple(np.where(spread > 1e-6, spread, 1.0))
        return seeing

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``."""
        return self._made(encoded, task)[0]

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The codes, [N, units[-1]]."""
        rows, stack = self.machines(encoded, inputs, names, False)
        return stack(rows)

    @abstractmethod
    def _made(self, encoded: Sequence[EncodedTensor], task: Task) -> tuple[Any, Any, Machines]:
        """The Keras model, the rows as the first machine takes them, and the machines."""

    def machines(
        self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames, tells: bool
    ) -> tuple[Any, Machines]:
        """Rows [N, D], and the stack with what was shown of them; built."""
        import numpy as np

        from kilnworks.components.modeling.generative.machines import Machines

        rows = self.flat(encoded, inputs, names)
        stack = Machines(self.units, self.visible, tells, name=names("machines"))
        stack.build(rows.shape)
        if self._centre and self.visible == "gaussian":
            stack.centre.assign(self._centre)
            stack.spread.assign(self._spread)
        elif self._centre:
            likely = np.clip(self._centre, LIKELY, 1 - LIKELY)
            stack.visible_biases[0].assign(np.log(likely / (1 - likely)))
        return rows, stack

    def divergences(self, inputs: Any, rows: Any, stack: Machines, *, judged: bool) -> tuple[Phase, ...]:
        """A phase for each machine; the last one is ``judged`` or not, those before it never are."""
        import tensorflow as tf

        from kilnworks.components.modeling.generative.divergence import Descent, Divergence

        if self.chains and tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ConfigError(
                f"chains={self.chains} on {tf.distribute.get_strategy().num_replicas_in_sync} replicas",
                "one replica: each would have chains of its own",
                "set devices to one, or chains=0",
            )
        last = len(self.units) - 1

        def phase(level: int) -> Phase:
            """Of one machine, on what those below it give."""
            trained: Divergence = Divergence(
                inputs, rows, machines=stack, level=level, k=self.k, chains=self.chains, decay=self.decay,
                name=f"divergence_{level + 1}",
            )  # fmt: skip
            name = f"divergence_{level + 1}" if last else "divergence"
            own = {"divergence": Descent(self.divergence_rate if level or self.visible == "bernoulli" else
                                         self.divergence_rate / 10, self.momentum)}  # fmt: skip
            return Phase(name, trained, self.divergence_epochs, optimizers=own, judged=judged and level == last)

        return tuple(phase(level) for level in range(last + 1))

    def remarks(self, model: Any, fitted: FeatureTransform, task: Task) -> dict[str, Any]:
        """``filters``: what the hidden units with the largest kernels look at, where the rows are one image."""
        from kilnworks.components.modeling.generative.ranges import filters

        return filters(model.get_layer("machines").kernels[0], fitted.encoded)


class Rbm(Boltzmann):
    """A restricted Boltzmann machine, or a stack of them: rows to codes and back.

    Columns [N, D] in, codes [N, units], their reconstruction [N, D] and free energy [N] out (Hinton 2002; persistent
    chains: Tieleman 2008). Use it for codes of rows without a label, and to see what a network can say without one.
    """

    task: ClassVar[type[Task] | None] = Codes
    by_optimizer: ClassVar[bool] = False

    kind: Literal["rbm"] = "rbm"

    space: ClassVar[Mapping[str, Dimension]] = {
        "divergence_rate": RATES,
        "momentum": Choice(values=(0.0, 0.5, 0.9)),
        "decay": Choice(values=(0.0, 1e-4, 1e-3)),
        "k": Choice(values=(1, 3)),
    }

    def learner(self, encoded: Sequence[EncodedTensor], task: Task) -> Learner:
        """A phase for each machine."""
        model, rows, stack = self._made(encoded, task)
        return Learner(model, self.divergences(model.input, rows, stack, judged=True))

    def calibrated(self, task: Task, transform: FeatureTransform, outputs: Callable[[str], np.ndarray | None]) -> Task:
        """The task with the names of the columns, and what codes of the training rows are like."""
        from kilnworks.components.modeling.feature_columns import column_names

        tell: Callable[..., Task] | None = getattr(task, "calibrated", None)
        learned = outputs("train")
        if tell is None or learned is None:
            return task  # of one's own
        tensors = transform.encoded
        shape = tensors[0].shape if len(tensors) == 1 else ()
        return tell(self.units[-1], column_names(transform), shape, learned, self.visible)

    def _made(self, encoded: Sequence[EncodedTensor], task: Task) -> tuple[Any, Any, Machines]:
        import keras

        self.refuse_unread(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        rows, stack = self.machines(encoded, inputs, names, True)
        return keras.Model(inputs, task.head(stack(rows), names), name=scope_name(self.kind)), rows, stack


class Dbn(Boltzmann):
    """A deep belief network: machines that learn from rows alone, then the head of the task, and all of it together.

    Columns [N, D] in, the codes of the last machine [N, units] for the head out (Hinton, Osindero & Teh 2006). Use it
    where few rows have a label, and many do not.
    """

    kind: Literal["dbn"] = "dbn"
    fine_tune: bool = True
    """Whether the machines go on learning with the head; else only the head learns from the label."""
    rate: float = Field(default=1.0, gt=0)
    """What the learning rate of the training is multiplied by in ``fit``, the phase with the label."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "units": Choice(values=((100,), (200,), (400,))),
        "divergence_rate": RATES,
        "dropout": DROPOUTS,
    }

    def learner(self, encoded: Sequence[EncodedTensor], task: Task) -> Learner:
        """A phase for each machine, then one with the label."""
        model, rows, stack = self._made(encoded, task)
        machines = self.divergences(model.input, rows, stack, judged=False)

        def thaw() -> None:
            stack.trainable = self.fine_tune

        fit = Phase("fit", self.training(model, task), rate=self.rate, prepare=thaw)
        return Learner(model, (*machines, fit))

    def _made(self, encoded: Sequence[EncodedTensor], task: Task) -> tuple[Any, Any, Machines]:
        import keras

        self.refuse_unread(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        rows, stack = self.machines(encoded, inputs, names, False)
        codes = stack(rows)
        if self.dropout:
            codes = keras.layers.Dropout(self.dropout, name=names("dropout"))(codes)
        return keras.Model(inputs, task.head(codes, names), name=scope_name(self.kind)), rows, stack
