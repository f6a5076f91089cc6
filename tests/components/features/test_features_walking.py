"""What Keras passes over in a layer is asked once a kind, and a model comes back from its file as it was."""

import keras
import numpy as np
import pytest
from keras.src.saving import saving_lib

from kilnworks.components.features.walking import remember_what_is_skipped

pytestmark = pytest.mark.slow


def test_a_file_of_many_layers_asks_once_a_kind_and_holds_the_model(tmp_path, monkeypatch):
    given = keras.Input((3,), name="x")
    made = keras.Model({"x": given}, keras.layers.Dense(2)(keras.ops.abs(keras.layers.Dense(4)(given)) + 1.0))
    plain = getattr(saving_lib.get_attr_skipset, "__wrapped__", saving_lib.get_attr_skipset)
    asked = []

    def counted(kind):
        asked.append(kind)
        return plain(kind)

    rows, answers, counts = np.random.default_rng(0).normal(size=(5, 3)).astype("f4"), [], []
    for remembered in (False, True):
        monkeypatch.setattr(saving_lib, "get_attr_skipset", counted)
        if remembered:
            remember_what_is_skipped()
            remember_what_is_skipped()
        asked.clear()
        made.save(tmp_path / "model.keras")
        answers.append(np.asarray(keras.saving.load_model(tmp_path / "model.keras", compile=False)({"x": rows})))
        counts.append(len(asked))
        assert set(asked) == {"Functional", "Layer", "Operation"}
    assert counts[0] > 10, "were Keras mended, this could go"
    assert counts[1] == 3, "Keras finds its own answer again"
    np.testing.assert_array_equal(answers[0], np.asarray(made({"x": rows})))
    np.testing.assert_array_equal(answers[1], answers[0])
