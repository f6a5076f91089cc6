"""Linear effects of n-grams on several answers at once, each a member of an ensemble.

Importing this module registers its layers, which ``keras.saving.load_model`` needs.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kilnworks")
class NgramEffects(keras.layers.Layer):
    """Numbers of n-grams [N, L], each once a text, to [N, M, O]: M members, linear in the text's TF-IDF weights.

    Words and characters have weights of length 1 for themselves. Members: words and characters as they are, then both
    with every weight times the log-count ratio of its n-gram in each class (NBSVM: Wang & Manning 2012). The weights,
    ``idf`` [V] and ``ratio`` [V, O], are set from the training rows and never trained; ``embeddings`` [V, 2 O] are, and
    the bias of each member.

    Args:
        vocabulary: V, different numbers; those below ``first`` mean nothing.
        outputs: O.
        first: number of the first n-gram of words.
        first_piece: number of the first n-gram of characters; ``vocabulary`` for none, and two members instead of four.
    """

    def __init__(self, vocabulary: int, outputs: int, first: int, first_piece: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary, self.outputs, self.first, self.first_piece = vocabulary, outputs, first, first_piece

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """First number and end of words and, where there are any, of characters."""
        whole = ((self.first, self.first_piece), (self.first_piece, self.vocabulary))
        return tuple(block for block in whole if block[0] < block[1])

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        size = self.vocabulary
        self.idf = self.add_weight(shape=(size,), initializer="ones", trainable=False, name="idf")
        self.ratio = self.add_weight(shape=(size, self.outputs), initializer="ones", trainable=False, name="ratio")
        self.embeddings = self.add_weight(shape=(size, 2 * self.outputs), initializer="zeros", name="effects")
        self.bias = self.add_weight(shape=(2 * len(self.blocks), self.outputs), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """Weigh and sum."""
        idf = ops.take(self.idf, inputs, axis=0)
        parts = [_of_length_one(ops.where((inputs >= low) & (inputs < end), idf, 0.0)) for low, end in self.blocks]
        weights = ops.stack(parts, axis=1)  # [N, blocks, L]
        effects = ops.take(self.embeddings, inputs, axis=0)
        ratio = ops.take(self.ratio, inputs, axis=0)
        plain = ops.matmul(weights, effects[..., : self.outputs])
        scaled = ops.matmul(weights, effects[..., self.outputs :] * ratio)
        return ops.concatenate([plain, scaled], axis=1) + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """[N, M, O]."""
        return (input_shape[0], 2 * len(self.blocks), self.outputs)

    def in_stock_layers(self, inputs: Any) -> Any:
        """The same by layers of Keras, with the values of the weights."""
        size, wide = self.vocabulary, self.outputs
        known = [keras.layers.Embedding(size, n, name=f"{self.name}_{i}") for i, n in enumerate((1, wide, 2 * wide))]
        idf, ratio, effects = (layer(inputs) for layer in known)
        for layer, value in zip(known, (ops.expand_dims(self.idf, 1), self.ratio, self.embeddings), strict=True):
            layer.set_weights([ops.convert_to_numpy(value)])
        here = [ops.cast((inputs >= low) & (inputs < end), "float32") for low, end in self.blocks]
        weights = ops.stack([_of_length_one(idf[..., 0] * there) for there in here], axis=1)
        plain = ops.matmul(weights, effects[..., :wide])
        summed = ops.concatenate([plain, ops.matmul(weights, effects[..., wide:] * ratio)], axis=1)
        shift = keras.layers.EinsumDense("nmo,mo->nmo", tuple(self.bias.shape), bias_axes="mo", name=self.name)
        outputs = shift(summed)
        shift.set_weights([ops.ones_like(self.bias), self.bias])
        return outputs

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        own = ("vocabulary", "outputs", "first", "first_piece")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _of_length_one(weights: Any) -> Any:
    norm = ops.sqrt(ops.sum(ops.square(weights), axis=-1, keepdims=True))
    return weights / ops.maximum(norm, 1e-6)
