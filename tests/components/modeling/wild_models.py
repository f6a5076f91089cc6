"""Models as tutorials build them, written anew; none imports this project."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


def functional():
    """One input of the right width, uncompiled."""
    inputs = keras.Input((7,))
    x = layers.Dense(16, activation="relu")(inputs)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def sequential_compiled(width=8):
    """Sequential, not built, compiled by names."""
    model = keras.Sequential([layers.Dense(width, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="roc")])
    return model


class TwoLayers(keras.Model):
    """Subclassed, no get_config."""

    def __init__(self, width=6):
        super().__init__()
        self.hidden = layers.Dense(width, activation="tanh")
        self.last = layers.Dense(1, activation="sigmoid")

    def call(self, inputs, training=False):
        return self.last(self.hidden(inputs))


def subclassed():
    return TwoLayers()


class OwnStep(keras.Model):
    """The train_step of the guide "Customizing what happens in fit()", with a tracker of its own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = keras.metrics.Mean(name="mean_absolute_output")

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        self.seen.update_state(ops.abs(y_pred))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            elif metric is not self.seen:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


def own_train_step():
    inputs = keras.Input((7,))
    model = OwnStep(inputs, layers.Dense(1, activation="sigmoid")(inputs))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def logits_of_images(outputs=10):
    """A small convolutional network that ends in logits, as its loss says."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(outputs),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


def narrow_with_strides():
    """A way around a block of few channels."""
    image = keras.Input((8, 8, 1), name="image")
    around = layers.Conv2D(4, 1, strides=2, name="around")(image)
    return keras.Model(image, layers.Dense(10)(layers.Flatten()(around)))


def flat_images():
    """The first tutorial of all: pixels as one row of numbers."""
    inputs = keras.Input((64,), name="pixels")
    x = layers.Dense(32, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def residual(inputs, outputs):
    """Residual blocks with batch normalization."""
    (image,) = inputs.values()
    x = layers.Conv2D(8, 3, padding="same")(image)
    for _ in range(2):
        y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", activation="relu")(x))
        x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(outputs, activation="softmax")(x))


class PatchAttention(layers.Layer):
    """Attention over rows of pixels, with a get_config of its own."""

    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.attention = layers.MultiHeadAttention(heads, 8)
        self.norm = layers.LayerNormalization()

    def call(self, x):
        return self.norm(x + self.attention(x, x))

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}


def attention():
    inputs = keras.Input((8, 8))
    x = PatchAttention(2)(layers.Dense(16)(inputs))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def application():
    """A network of ``keras.applications`` without weights, as a backbone."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Resizing(32, 32)(inputs)
    x = layers.Concatenate()([x, x, x])
    base = keras.applications.MobileNet((32, 32, 3), alpha=0.25, include_top=False, weights=None, pooling="avg")
    return keras.Model(inputs, base(x))


def backbone(width=12):
    """A backbone of one's own: features, no head."""
    return keras.Sequential([layers.Flatten(), layers.Dense(width, activation="relu")])


def with_lambda():
    inputs = keras.Input((7,))
    x = layers.Lambda(lambda t: t * 2.0 + 1.0)(inputs)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def made_inside():
    """A layer whose class no other process can find."""

    class Hidden(layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 4))

        def call(self, x):
            return ops.relu(x @ self.kernel)

    inputs = keras.Input((7,))
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(Hidden()(inputs)))


def two_columns():
    """A binary answer as two probabilities."""
    model = keras.Sequential([layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def regression():
    model = keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    return model


def raw_lookup(inputs):
    """Structured data from scratch: its own vocabulary and normalization, on the features as they are sent."""
    age = layers.Normalization(mean=45.0, variance=225.0)(
        ops.where(ops.isnan(inputs["age"]), 45.0, inputs["age"])[:, None]
    )
    visits = ops.cast(inputs["visits"], "float32")[:, None] / 10.0
    plan = layers.StringLookup(vocabulary=["basic", "plus", "pro"], output_mode="one_hot")(inputs["plan name"])
    x = layers.Dense(8, activation="relu")(layers.Concatenate()([age, visits, plan]))
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def many_outputs(inputs):
    """Two named outputs, of which one answers the task."""
    (x,) = inputs.values()
    hidden = layers.Dense(6, activation="relu")(x)
    return keras.Model(
        inputs,
        {"probability": layers.Dense(1, activation="sigmoid")(hidden), "embedding": hidden},
    )


def too_wide():
    return keras.Sequential([layers.Dense(3, activation="softmax")])


def wrong_input():
    inputs = keras.Input((9,), name="nine")
    return keras.Model(inputs, layers.Dense(1)(inputs))


def one_hot_loss():
    model = keras.Sequential([layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.compile("adam", "categorical_crossentropy")
    return model


def no_model():
    return 3


def focal(y_true, y_pred, gamma=2.0):
    """Focal loss of a binary answer (Lin et al. 2017)."""
    p = ops.clip(y_pred, 1e-7, 1 - 1e-7)
    right = ops.where(y_true > 0.5, p, 1 - p)
    return ops.mean(-ops.power(1 - right, gamma) * ops.log(right), axis=-1)


class F2(keras.metrics.Metric):
    """F-beta with beta 2 of a binary answer at one half."""

    def __init__(self, name="f2", **kwargs):
        super().__init__(name=name, **kwargs)
        self.hits = self.add_weight(name="hits", initializer="zeros")
        self.said = self.add_weight(name="said", initializer="zeros")
        self.true = self.add_weight(name="true", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        said, true = ops.cast(y_pred > 0.5, "float32"), ops.cast(y_true, "float32")
        self.hits.assign_add(ops.sum(said * true))
        self.said.assign_add(ops.sum(said))
        self.true.assign_add(ops.sum(true))

    def result(self):
        return 5 * self.hits / (4 * self.true + self.said + 1e-7)


class Halve(keras.callbacks.Callback):
    """Halves the learning rate at the end of each epoch, and notes the validation loss that it saw."""

    seen: ClassVar[list] = []

    def __init__(self, by=0.5):
        super().__init__()
        self.by = by

    def on_epoch_end(self, epoch, logs=None):
        Halve.seen.append(logs["val_loss"])
        self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) * self.by


def lion(learning_rate):
    return keras.optimizers.Lion(learning_rate=learning_rate / 3)


def batches(x, y, batch, seed, epoch):
    """Noise on the inputs, with tf.data."""
    rows = (
        tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y), seed=seed + epoch).batch(batch, drop_remainder=True)
    )
    return rows.map(lambda a, b: ({k: v + 0.01 for k, v in a.items()}, b))


def endless(x, y, batch):
    (values,) = x.values()
    while True:
        rows = np.random.default_rng(0).integers(0, len(y), batch)
        yield values[rows], y[rows]


class Numbered(keras.utils.PyDataset):
    def __init__(self, x, y, batch):
        super().__init__()
        (self.x,), self.y, self.batch = x.values(), y, batch

    def __len__(self):
        return len(self.y) // self.batch

    def __getitem__(self, index):
        part = slice(index * self.batch, (index + 1) * self.batch)
        return self.x[part], self.y[part]


def bad_shapes(x, y, batch):
    (values,) = x.values()
    return [(values[:batch, :2], y[:batch])]


def no_weights(x, y, batch):
    """A plain list of batches, the last one short."""
    (values,) = x.values()
    return [(values[i : i + batch], y[i : i + batch]) for i in range(0, len(y), batch)]
