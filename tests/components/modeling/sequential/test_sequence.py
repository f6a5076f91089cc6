"""The network over steps: every core learns, and padding is not seen; its layers against loops."""

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.sequential.sequence import SequenceModel
from kilnworks.components.tasks.binary import Binary
from kilnworks.schemas.contract import Label
from kilnworks.schemas.errors import ConfigError

pytestmark = pytest.mark.slow

STEPS, CHANNELS = 9, 3
SOUND = EncodedTensor(name="sound", shape=(STEPS, CHANNELS), dtype="float32", kind="sequence")
AGE = EncodedTensor(name="age", shape=(2,), dtype="float32", kind="numeric")
TASK = Binary(label=Label(name="y", dtype="int", classes=(0, 1)))
CORES = ("gru", "lstm", "tcn", "transformer")


def rises(n: int = 192) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Sequences of 3 to 9 steps whose first channel rises or falls from step to step, wherever it begins."""
    draw = np.random.default_rng(0)
    label = draw.integers(0, 2, n)
    sound = np.zeros((n, STEPS, CHANNELS), np.float32)
    for row, length in enumerate(draw.integers(3, STEPS + 1, n)):
        sound[row, :length] = draw.normal(size=(length, CHANNELS)) * 0.3
        sound[row, :length, 0] += draw.normal() + (2 * label[row] - 1) * 0.5 * np.arange(length)
    return {"sound": sound, "age": draw.normal(size=(n, 2)).astype(np.float32)}, label.astype(np.float32)[:, None]


@pytest.mark.parametrize("core", CORES)
def test_each_core_tells_what_rises_and_sees_no_padding(core) -> None:
    import keras

    keras.utils.set_random_seed(0)
    given, label = rises()
    chosen = SequenceModel(core=core, width=8, heads=2, units=(8,), dropout=0.0, layers=2 if core == "gru" else 1)
    model = chosen.network((SOUND, AGE), TASK)
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    model.fit(given, label, batch_size=32, epochs=12, verbose=0)
    answers = np.asarray(model(given))
    assert ((answers > 0.5) == (label > 0.5)).mean() > 0.9
    short = EncodedTensor(name="sound", shape=(STEPS - 4, CHANNELS), dtype="float32", kind="sequence")
    ends = {"sound": given["sound"].copy(), "age": given["age"]}
    ends["sound"][:, STEPS - 4 :] = 0
    if core in ("gru", "lstm"):  # the others have weights of places
        fewer = chosen.network((short, AGE), TASK)
        fewer.set_weights(model.get_weights())
        cut = {"sound": ends["sound"][:, : STEPS - 4], "age": ends["age"]}
        np.testing.assert_allclose(np.asarray(fewer(cut)), np.asarray(model(ends)), atol=1e-5)


@pytest.mark.parametrize("core", ["tcn", "transformer"])
def test_what_stands_in_padding_is_not_looked_at(core) -> None:
    """The features of steps that are there are those of the sequence alone: pooled by a loop, with the padding cut."""
    import keras

    keras.utils.set_random_seed(1)
    given, _ = rises(16)
    chosen = SequenceModel(core=core, width=8, heads=2, units=(), dropout=0.0)
    model = chosen.network((SOUND,), TASK)
    pooled = next(layer for layer in model.layers if layer.name == "mean_sound")
    inside = keras.Model(model.input, [*pooled.input, pooled.output])
    features, there, mean = (np.asarray(part) for part in inside({"sound": given["sound"]}))
    lengths = (given["sound"] != 0).any(axis=2).sum(axis=1)
    assert (there.sum(axis=1) == lengths).all() and lengths.min() < STEPS
    by_hand = [features[row, :length].mean(axis=0) for row, length in enumerate(lengths)]
    np.testing.assert_allclose(mean, by_hand, atol=1e-5)
    other = given["sound"].copy()
    for row, length in enumerate(lengths):
        other[row, length - 1] += 5
    changed = np.asarray(inside({"sound": other})[0])
    for row, length in enumerate(lengths):
        assert np.abs(changed[row, : length - 1] - features[row, : length - 1]).max() > 1e-3 or core == "tcn"


def test_a_convolution_sees_nothing_that_comes_later() -> None:
    import keras

    given, _ = rises(8)
    model = SequenceModel(core="tcn", width=8, units=(), dropout=0.0).network((SOUND,), TASK)
    features = keras.Model(model.input, next(layer for layer in model.layers if layer.name == "mean_sound").input[0])
    other = given["sound"].copy()
    other[:, 2] += 3
    before, after = (np.asarray(features({"sound": x})) for x in (given["sound"], other))
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert (np.abs(before[:, 2] - after[:, 2]).max(axis=1) > 0).all()


@pytest.mark.parametrize("core", ["gru", "lstm"])
def test_a_recurrent_network_skips_missing_steps_wherever_they_stand(core) -> None:
    """As if the others stood side by side; its mask leaves out the end alone, which is what GPUs can do."""
    from kilnworks.components.modeling.sequential.layers import Steps
    from kilnworks.components.tasks.layer_names import LayerNames

    given = np.random.default_rng(2).normal(size=(6, STEPS, CHANNELS)).astype(np.float32)
    given[:, [0, 1, 5]] = 0
    together = np.zeros_like(given)
    together[:, : STEPS - 3] = given[:, [2, 3, 4, 6, 7, 8]]
    model = SequenceModel(core=core, width=4, units=(4,), layers=2).network((SOUND,), TASK)
    np.testing.assert_allclose(np.asarray(model({"sound": given})), np.asarray(model({"sound": together})), atol=1e-6)
    values, mask = Steps.of(given, "sound", LayerNames(set())).in_front()
    np.testing.assert_array_equal(np.asarray(values), together)
    np.testing.assert_array_equal(np.asarray(mask), np.tile(np.arange(STEPS) < STEPS - 3, (6, 1)))


@pytest.mark.parametrize("core", CORES)
def test_changed_sequences_go_through_in_half_precision(core) -> None:
    import keras

    from kilnworks.components.modeling.sequential.settings import SequenceAugmentation

    changes = SequenceAugmentation(jitter=0.1, scaling=0.1, warp=0.3, slice=0.7)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = SequenceModel(core=core, width=8, heads=2, units=(4,), augmentation=changes).network((SOUND,), TASK)
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(np.asarray(model({"sound": rises(8)[0]["sound"]}, training=True))).all()


@pytest.mark.parametrize("core", CORES)
def test_a_row_without_any_step_has_an_answer(core) -> None:
    model = SequenceModel(core=core, width=8, heads=2, units=(4,)).network((SOUND,), TASK)
    assert np.isfinite(np.asarray(model({"sound": np.zeros((2, STEPS, CHANNELS), np.float32)}))).all()


def test_more_axes_are_channels_and_a_saved_model_answers_alike(tmp_path) -> None:
    import keras

    from kilnworks.components.modeling.sequential.settings import SequenceAugmentation

    wide = EncodedTensor(name="sound", shape=(STEPS, 2, CHANNELS), dtype="float32", kind="sequence")
    changes = SequenceAugmentation(jitter=0.1, scaling=0.1, warp=0.3, slice=0.7)
    model = SequenceModel(core="lstm", width=4, augmentation=changes).network((wide,), TASK)
    model.save(tmp_path / "model.keras")
    read = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    given = {"sound": np.random.default_rng(0).normal(size=(5, STEPS, 2, CHANNELS)).astype(np.float32)}
    np.testing.assert_array_equal(np.asarray(read(given)), np.asarray(model(given)))


def test_rows_without_a_sequence_are_refused() -> None:
    with pytest.raises(ConfigError, match="none of which is a sequence") as caught:
        SequenceModel().network((AGE,), TASK)
    assert "[steps, 1]" in caught.value.fix


def test_heads_share_a_step() -> None:
    with pytest.raises(ValueError, match="width 10 is not divisible by 4 heads"):
        SequenceModel(core="transformer", width=10)
