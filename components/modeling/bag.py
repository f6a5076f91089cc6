"""Texts as bags of n-grams: an ensemble of linear models in one network, other features beside it.

::

    n-grams of words      -> TF-IDF ------------------> linear --+
                          -> TF-IDF * log-count ratio -> linear --+-> answers of 2 or 4 members -> mean
    n-grams of characters -> TF-IDF ------------------> linear --+
                          -> TF-IDF * log-count ratio -> linear --+
    numbers, categories   -> dense layers -> an amount for each member

The log-count ratio weighs an n-gram by how much more frequent it is in a class (NBSVM, Wang & Manning 2012). Members
err differently: characters forgive typos and endings, words and pairs of words say what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from kilnworks.components.features.encoded import CATEGORICAL, IMAGE, NGRAMS, NUMERIC, SEQUENCE, SHARES, EncodedTensor
from kilnworks.components.features.kinds.text import NgramTensor
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.base import DROPOUTS, Architecture, scope_name
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension, Float

OUTPUTS = "member_outputs"


class Bag(Architecture):
    """Linear members over n-grams. Wants ``FeatureSettings(encode="ngrams")`` for each text.

    N-grams [N, T] of each text, and other columns, in; the mean of two members a text [N, K] out (Wang & Manning 2012).
    Use it for texts first: it learns in seconds, and what words say without their order is most of what there is.
    """

    takes: ClassVar[frozenset[str]] = frozenset({NGRAMS, NUMERIC, SHARES, CATEGORICAL, IMAGE, SEQUENCE})

    kind: Literal["bag"] = "bag"
    units: tuple[Annotated[int, Field(ge=1)], ...] = (64,)
    """Width of each dense layer over the features that are no text, in order."""
    strength: float = Field(default=4.0, gt=0)
    """How far the data outweigh the prior that nothing matters: ``C`` of scikit-learn's ``LogisticRegression``. The
    loss of each member grows by its squared effects / (2 * strength * training rows)."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "units": Choice(values=((), (64,), (128,))),
        "strength": Float(low=0.5, high=16.0, log=True),
        "dropout": DROPOUTS,
    }

    _seen: dict[str, Any] = PrivateAttr(default_factory=dict)
    """By tensor, what the training rows say: ``NgramCounts``."""

    def shown(self, columns: Mapping[str, Any]) -> Self:
        """With the weights of n-grams in these training rows."""
        import numpy as np

        from kilnworks.components.modeling.texts.ratios import NgramCounts

        seeing = self.model_copy()
        labels = columns.labels() if hasattr(columns, "labels") else None
        texts = {n: columns[n] for n in columns if columns[n].dtype == np.int32 and columns[n].ndim == 2}
        seeing._seen = {name: NgramCounts.of(numbers, labels) for name, numbers in texts.items()}
        return seeing

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``; the answer is the mean over the members.

        Raises:
            ConfigError: no tensor of n-grams, or one of a kind that it does not take.
        """
        import keras

        self.refuse_unread(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        outputs = self._member_outputs(encoded, inputs, task, names)
        answers = task.finishing(names("member_answers"))(outputs)
        pooled = keras.layers.GlobalAveragePooling1D(dtype="float32", name=names(task.output))
        return keras.Model(inputs, pooled(answers), name=self.kind)

    def training(self, model: Any, task: Task) -> Any:
        """The members before the mean, each with a loss of its own."""
        from kilnworks.components.modeling.ensemble import MemberTraining

        outputs = model.get_layer(LayerNames({i.name for i in model.inputs})(OUTPUTS)).output
        tables = [layer for layer in model.layers if hasattr(layer, "ratio")]
        rows = max((seen.rows for seen in self._seen.values()), default=1)
        prior = 1 / (2 * self.strength * rows * outputs.shape[1])
        return MemberTraining(model.input, outputs, name=model.name, task=task, tables=tables, prior=prior)

    def remarks(self, model: Any, fitted: FeatureTransform, task: Task) -> dict[str, Any]:
        """``telling``: the n-grams that push each output most."""
        from kilnworks.components.modeling.texts.telling import telling

        classes = task.label.classes if task.label is not None and task.label.classes else ()
        return {"telling": telling(model, fitted.plan, tuple(map(str, classes)))}

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """Not used: members have outputs, not features."""
        raise NotImplementedError("a bag of n-grams is connected by network()")

    def _member_outputs(
        self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], task: Task, names: LayerNames
    ) -> Any:
        """[N, M, O], before the activation of the head."""
        import keras

        texts = [t for t in encoded if isinstance(t, NgramTensor)]
        if not texts:
            raise ConfigError(
                f"model bag for {', '.join(t.name for t in encoded)}, none of which is a text in n-grams",
                'a text with encode="ngrams"',
                'set features={"...": FeatureSettings(encode="ngrams")} in the preprocessing, or use model: tabular',
            )
        members = 4 if any(t.first_piece < (t.vocabulary_size or 0) for t in texts) else 2
        parts = [self._effects(t, inputs[t.name], task, members, names) for t in texts]
        others = [t for t in encoded if t not in texts]
        if others:
            hidden = self.dense_layers(self.flat(others, inputs, names), self.units, names)
            each = keras.layers.Dense(members * task.outputs, dtype="float32", name=names("others"))(hidden)
            parts.append(keras.layers.Reshape((members, task.outputs), name=names("other_effects"))(each))
        if len(parts) == 1:
            return keras.layers.Activation("linear", dtype="float32", name=names(OUTPUTS))(parts[0])
        return keras.layers.Add(dtype="float32", name=names(OUTPUTS))(parts)

    def _effects(self, tensor: NgramTensor, x: Any, task: Task, members: int, names: LayerNames) -> Any:
        """What one text adds to the output of each member, [N, M, O]."""
        from keras import ops

        from kilnworks.components.features.text.tokens import FIRST
        from kilnworks.components.modeling.texts.ngrams import NgramEffects

        tag = scope_name(tensor.name)
        vocabulary = tensor.vocabulary_size or 0
        layer = NgramEffects(
            vocabulary, task.outputs, FIRST, tensor.first_piece, dtype="float32", name=names(f"effects_{tag}")
        )
        effects = layer(x)
        if tensor.name in self._seen:
            seen = self._seen[tensor.name]
            layer.idf.assign(seen.idf(vocabulary))
            layer.ratio.assign(seen.ratios(vocabulary, task.outputs, layer.blocks))
        return effects if effects.shape[1] == members else ops.take(effects, [0, 0, 1, 1], axis=1)
