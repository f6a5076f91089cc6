"""Pictures, codes that are distributions and noise of the autoencoder, against formulas and PCA."""

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.autoencoder import Autoencoder
from kilnworks.components.modeling.reconstruction.columns import parts
from kilnworks.components.tasks.anomaly import Anomaly

NUMBERS = EncodedTensor(name="numeric", shape=(6,), dtype="float32", kind="numeric")
PICTURE = EncodedTensor(name="photo", shape=(7, 5, 2), dtype="float32", kind="image")
WINDOW = EncodedTensor(name="window", shape=(2, 3), dtype="float32", kind="sequence")


def near_a_plane(n: int = 600) -> np.ndarray:
    """Rows of six numbers that lie near a plane of two dimensions, float32."""
    draw = np.random.default_rng(0)
    return (draw.normal(size=(n, 2)) @ draw.normal(size=(2, 6)) + 0.1 * draw.normal(size=(n, 6))).astype(np.float32)


def test_which_columns_are_a_picture() -> None:
    tensors = (NUMBERS, WINDOW, PICTURE, NUMBERS)
    assert [(p.start, p.end, p.shape) for p in parts(tensors, True)] == [
        (0, 12, ()), (12, 82, (7, 5, 2)), (82, 88, ()),
    ]  # fmt: skip
    assert [(p.start, p.end, p.shape) for p in parts(tensors, False)] == [(0, 88, ())]


@pytest.mark.slow
def test_pictures_and_numbers_come_out_in_the_order_in_which_they_went_in() -> None:
    """Trained, the error of every column falls, which it does only where each is compared with itself."""
    import keras

    keras.utils.set_random_seed(0)
    draw = np.random.default_rng(0)
    code = draw.normal(size=(256, 2))
    photo = np.tanh(code @ draw.normal(size=(2, 70))).reshape(256, 7, 5, 2).astype(np.float32)
    given = {"photo": photo, "numeric": np.tanh(code @ draw.normal(size=(2, 6))).astype(np.float32)}
    model = Autoencoder(code=2, units=(16,), filters=(4, 8)).shown(given).network((PICTURE, NUMBERS), Anomaly())
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Conv2DTranspose") == kinds.count("Conv2D") - 1 == 2
    before = np.asarray(model(given)).mean(axis=0)
    model.compile(keras.optimizers.Adam(3e-3), Anomaly().loss())
    model.fit(given, np.zeros((256, 1)), batch_size=32, epochs=40, verbose=0)
    after = np.asarray(model(given)).mean(axis=0)
    assert before.shape == (76,) and (after < before / 2).all()


@pytest.mark.slow
def test_no_filters_make_pixels_columns() -> None:
    model = Autoencoder(filters=()).network((PICTURE,), Anomaly())
    assert not [layer for layer in model.layers if "Conv" in type(layer).__name__]


@pytest.mark.slow
def test_a_linear_autoencoder_finds_the_plane_of_principal_components() -> None:
    import keras
    from sklearn.decomposition import PCA

    keras.utils.set_random_seed(0)
    rows = near_a_plane()
    given = {"numeric": rows}
    chosen = Autoencoder(units=(), code=2, clip=1e4).shown(given)
    model = chosen.network((NUMBERS,), Anomaly())
    model.compile(keras.optimizers.Adam(1e-2), Anomaly().loss())
    model.fit(given, np.zeros((600, 1)), batch_size=50, epochs=40, verbose=0)
    scaled = (rows - np.array(chosen._centre)) / np.array(chosen._spread)
    plane = PCA(2).fit(scaled)
    wanted = ((plane.inverse_transform(plane.transform(scaled)) - scaled) ** 2).mean()
    assert float(np.asarray(model(given)).mean()) == pytest.approx(wanted, rel=0.1)


@pytest.mark.slow
def test_the_loss_is_that_of_the_errors_and_the_divergence_of_the_codes() -> None:
    import keras

    keras.utils.set_random_seed(0)
    given = {"numeric": near_a_plane(50)}
    chosen = Autoencoder(units=(4,), code=3, variational=True, beta=0.7).shown(given)
    model = chosen.network((NUMBERS,), Anomaly())
    trained = chosen.training(model, Anomaly())
    trained.compile(keras.optimizers.SGD(0.0), Anomaly().loss())
    found = trained.test_on_batch(given, np.zeros((50, 1)))
    codes = keras.Model(model.input, [model.get_layer(n).output for n in ("code_mean", "code_log_variance")])
    mean, log_variance = (np.asarray(part, np.float64) for part in codes(given))
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1)
    errors = np.log(np.asarray(model(given), np.float64).mean(axis=1) + 0.01)
    assert divergence.mean() > 0.1
    assert found == pytest.approx(errors.mean() + 2 * 0.7 / 6 * divergence.mean(), rel=1e-4)


@pytest.mark.slow
def test_a_code_is_drawn_while_training_and_its_mean_answers() -> None:
    import keras

    keras.utils.set_random_seed(0)
    given = {"numeric": np.repeat(near_a_plane(1), 20_000, axis=0)}
    chosen = Autoencoder(units=(4,), code=3, variational=True)
    model = chosen.network((NUMBERS,), Anomaly())
    names = ("code_mean", "code_log_variance")
    codes = keras.Model(
        model.input, [*(model.get_layer(n).output for n in names), model.get_layer("code_noise").output]
    )
    mean, log_variance, noise = (np.asarray(part) for part in codes(given, training=True))
    assert (mean == mean[0]).all() and (log_variance == log_variance[0]).all()
    assert noise.mean(axis=0) == pytest.approx(0, abs=0.03) and noise.std(axis=0) == pytest.approx(1, abs=0.03)
    assert (np.asarray(codes(given, training=False)[2]) == 0).all()


@pytest.mark.slow
def test_the_saved_model_is_one_of_keras_own_layers(tmp_path) -> None:
    import keras

    chosen = Autoencoder(variational=True, noise=0.1)
    model = chosen.network((PICTURE, NUMBERS), Anomaly())
    own = {type(layer).__name__ for layer in model.layers if type(layer).__module__.startswith("kilnworks")}
    assert own == {"SoftClip"}
    model.save(tmp_path / "model.keras")
    read = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    draw = np.random.default_rng(1)
    given = {"photo": draw.random((3, 7, 5, 2)).astype(np.float32), "numeric": near_a_plane(3)}
    np.testing.assert_array_equal(np.asarray(read(given)), np.asarray(model(given)))


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_noise_goes_in_and_the_clean_row_is_the_target(noise) -> None:
    """While training a row is compared with itself, not with what noise made of it: an identity has an error."""
    import keras

    keras.utils.set_random_seed(0)
    given = {"numeric": near_a_plane(4000)}
    model = Autoencoder(units=(), code=6, noise=noise, clip=1e4).network((NUMBERS,), Anomaly())
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([np.zeros(w.shape) for w in layer.get_weights()])
    for name in ("code_straight", "made_straight"):
        model.get_layer(name).set_weights([np.eye(6)])
    errors = np.asarray(model(given, training=True))
    assert errors.mean() == pytest.approx(noise**2, rel=0.05, abs=1e-6)
