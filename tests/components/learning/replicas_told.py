"""A callback for the tests: what each replica holds of a GAN when its training ends."""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


class Told(keras.callbacks.Callback):
    """Writes how far weights are from those of the first replica, and the seeds that each draws next, [replicas, 4]."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = Path(file)

    def on_train_end(self, logs=None) -> None:
        if not hasattr(self.model, "critic"):  # the phase of the features
            return
        strategy = self.model.distribute_strategy
        held = [[np.asarray(one) for one in strategy.experimental_local_results(v.value)] for v in self.model.variables]
        drawn = tf.function(lambda: strategy.run(lambda: self.model.seeds(4)))()
        told = {
            "replicas": min(len(values) for values in held),
            "apart": max(float(np.abs(other - values[0]).max()) for values in held for other in values),
            "seeds": [np.asarray(one).ravel().tolist() for one in strategy.experimental_local_results(drawn)],
        }
        self.file.write_text(json.dumps(told))
