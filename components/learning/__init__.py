"""How a Keras model is trained: tasks, optimizers, strategies, input, callbacks, and predictions afterwards."""
