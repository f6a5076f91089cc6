"""Models that read raw columns, as Keras tutorials have them; none imports this project."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


def given_vocabulary(inputs):
    """All features by hand: a vocabulary in the code, missing numbers filled in the first layer."""
    age = ops.where(ops.isnan(inputs["age"]), 45.0, inputs["age"])[:, None]
    visits = ops.where(ops.isnan(inputs["visits"]), 0.0, inputs["visits"])[:, None]
    since = ops.cast(inputs["since"] > 1_600_000_000, "float32")[:, None]
    active = ops.cast(inputs["active"], "float32")[:, None]
    plan = layers.StringLookup(vocabulary=["basic", "plus", "pro"], output_mode="one_hot")(inputs["plan|name"])
    scores = layers.Normalization(mean=0.0, variance=1.0)(inputs["scores"])
    x = layers.Concatenate()([age / 45.0, visits / 10.0, since, active, plan, scores])
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Dense(8, activation="relu")(x)))


def structured(columns):
    """Structured data classification: inputs ``[n, 1]`` by name, and layers that adapt to the training rows."""
    plan = keras.Input((1,), name="plan|name", dtype="string")
    age = keras.Input((1,), name="age")
    lookup = layers.StringLookup(output_mode="one_hot", num_oov_indices=1)
    lookup.adapt(columns["plan|name"])
    scale = layers.Normalization()
    scale.adapt(columns["age"][~np.isnan(columns["age"])].reshape(-1, 1))
    filled = ops.where(ops.isnan(age), 45.0, age)
    x = layers.Concatenate()([lookup(plan), scale(filled)])
    model = keras.Model([plan, age], layers.Dense(1, activation="sigmoid")(layers.Dense(8, activation="relu")(x)))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def words(columns, tokens=200):
    """Text classification from scratch."""
    comment = keras.Input((1,), name="comment", dtype="string")
    vectorize = layers.TextVectorization(max_tokens=tokens, output_sequence_length=8)
    vectorize.adapt(columns["comment"])
    x = layers.Embedding(tokens, 8, mask_zero=False)(vectorize(comment))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(comment, layers.Dense(1, activation="sigmoid")(x))


def sequential_words(columns):
    """The same as a list of layers, for data of a single column."""
    vectorize = layers.TextVectorization(max_tokens=200, output_mode="multi_hot")
    vectorize.adapt(columns["comment"])
    return keras.Sequential([vectorize, layers.Dense(1, activation="sigmoid")])


def words_given():
    """A vocabulary in the code, no adapting."""
    comment = keras.Input((), name="comment", dtype="string")
    x = layers.TextVectorization(vocabulary=["good", "bad", "ship"], output_mode="multi_hot")(comment)
    return keras.Model(comment, layers.Dense(1, activation="sigmoid")(x))


class Wide(keras.Model):
    """Subclassed, with a dict of raw tensors and a step of its own."""

    def __init__(self):
        super().__init__()
        self.plan = layers.StringLookup(vocabulary=["basic", "plus", "pro"], output_mode="one_hot")
        self.buckets = layers.Hashing(16, output_mode="one_hot")
        self.last = layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        parts = [self.plan(inputs["plan|name"]), self.buckets(inputs["comment"])]
        return self.last(ops.concatenate(parts, axis=1))


def subclassed():
    return Wide()


def feature_space(columns):
    """``keras.utils.FeatureSpace``, adapted to a dataset of dicts."""
    space = keras.utils.FeatureSpace(
        features={
            "plan|name": keras.utils.FeatureSpace.string_categorical(num_oov_indices=1),
            "since": keras.utils.FeatureSpace.integer_hashed(num_bins=8),
        },
        output_mode="concat",
    )
    space.adapt(tf.data.Dataset.from_tensor_slices({name: columns[name] for name in ("plan|name", "since")}).batch(64))
    encoded = space.get_encoded_features()
    return keras.Model(space.get_inputs(), layers.Dense(1, activation="sigmoid")(encoded))


def only_some(encoded, width=4):
    """Text as sent beside encoded numbers."""
    inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
    words = layers.TextVectorization(vocabulary=["good", "bad"], output_mode="count")(inputs["comment"])
    x = layers.Concatenate()([inputs["numeric"], words])
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Dense(width)(x)))


def missing_not_filled(inputs):
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(inputs["age"][:, None]))


def text_as_number():
    comment = keras.Input((1,), name="comment")
    return keras.Model(comment, layers.Dense(1)(comment))


def missing_as_whole():
    visits = keras.Input((1,), name="visits", dtype="int64")
    return keras.Model(visits, layers.Embedding(30, 1)(visits)[:, 0])


def lambda_after_adapt(columns):
    """What a Keras file cannot hold, and weights alone cannot either."""
    plan = keras.Input((1,), name="plan|name", dtype="string")
    lookup = layers.StringLookup(output_mode="one_hot")
    lookup.adapt(columns["plan|name"])
    return keras.Model(plan, layers.Dense(1, activation="sigmoid")(layers.Lambda(lambda x: 2 * x)(lookup(plan))))


def text_batches(x, y, batch):
    """Batches with texts, as a generator has them."""
    for start in range(0, len(y) - batch, batch):
        yield {name: values[start : start + batch] for name, values in x.items()}, y[start : start + batch]


def broken(inputs):
    return keras.Model(inputs, layers.Dense(1)(inputs["plan"]))


def plans(columns):
    """A text by an adapted vocabulary, on data with other features too."""
    plan = keras.Input((), name="plan name", dtype="string")
    lookup = layers.StringLookup(output_mode="one_hot")
    lookup.adapt(columns["plan name"])
    return keras.Model(plan, layers.Dense(1, activation="sigmoid")(lookup(plan)))
