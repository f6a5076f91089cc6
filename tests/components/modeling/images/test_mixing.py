"""mixup and cutmix against their formulas: pixels, labels, and the loss of a mixed label."""

import keras
import numpy as np
import pytest

from kilnworks.components.modeling.images.mixing import Mixing, cutmix, mixup

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(0).random((4, 6, 8, 3)).astype(np.float32)
ORDER = np.array([2, 0, 3, 1])


def test_mixup_is_the_average_of_two_images() -> None:
    weight = np.array([0.25, 1, 0, 0.5], np.float32)
    found = np.asarray(mixup(IMAGES, ORDER, weight))
    for i in range(4):
        np.testing.assert_allclose(found[i], weight[i] * IMAGES[i] + (1 - weight[i]) * IMAGES[ORDER[i]], atol=1e-6)


def test_cutmix_takes_a_rectangle_and_says_what_is_left() -> None:
    corner, size = np.array([[0, 0], [1, 2], [4, 6], [0, 0]]), np.array([[6, 8], [3, 4], [5, 5], [0, 3]])
    found, left = (np.asarray(part) for part in cutmix(IMAGES, ORDER, corner, size))
    for i, ((top, start), (high, wide)) in enumerate(zip(corner, size, strict=True)):
        wanted = IMAGES[i].copy()
        wanted[top : top + high, start : start + wide] = IMAGES[ORDER[i], top : top + high, start : start + wide]
        np.testing.assert_array_equal(found[i], wanted)
    np.testing.assert_allclose(left, [0, 1 - 12 / 48, 1 - 4 / 48, 1], atol=1e-6)


class Seen(Mixing):
    """Notes the images and labels of its last step."""

    def call(self, inputs, training=None, mask=None):
        self.__dict__["given"] = inputs["image"]
        return super().call(inputs, training=training, mask=mask)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        self.__dict__["seen"] = (np.asarray(y), np.asarray(y_pred), np.asarray(sample_weight), float(loss))
        return loss


@pytest.mark.parametrize(("mix", "cut"), [(1.0, 0.0), (0.0, 1.0), (0.4, 1.0)], ids=["mixup", "cutmix", "both"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_that_of_the_mixed_label(mix: float, cut: float, weighted: bool) -> None:
    keras.utils.set_random_seed(1)
    image = keras.Input((6, 8, 3), name="image")
    flat = keras.layers.Flatten()(image)
    out = keras.layers.Dense(5, "softmax", kernel_regularizer="l2")(flat)
    model = Seen({"image": image}, out, images=["image"], mix=mix, cut=cut)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"], run_eagerly=True)
    labels, weight = np.array([0, 1, 2, 4]), np.array([1, 2, 0.5, 1], np.float32)
    before = model.layers[-1].kernel.numpy()
    logs = model.train_step(({"image": IMAGES}, labels, *([weight] if weighted else [])))
    both, said, shares, loss = model.__dict__["seen"]
    one_hot = np.eye(5)[both]
    mixed = shares[:4, None] * one_hot[:4] + shares[4:, None] * one_hot[4:]  # Zhang et al. 2018: of the labels
    penalty = 0.01 * (before**2).sum()
    np.testing.assert_allclose(loss, -(mixed * np.log(said)).sum() / 4 + penalty, rtol=1e-5)
    np.testing.assert_allclose(float(logs["loss"]), loss, rtol=1e-5)
    if not weighted:
        np.testing.assert_allclose(shares[:4] + shares[4:], 1, atol=1e-6)
        given = np.asarray(model.__dict__["given"])
        for i in range(4):
            other = next(j for j in range(4) if labels[j] == both[4 + i])
            if cut and not mix:
                taken = (given[i] != IMAGES[i]).any(axis=2)
                np.testing.assert_allclose(taken.mean() if other != i else 1 - shares[i], 1 - shares[i], atol=1e-6)
                np.testing.assert_array_equal(given[i][taken], IMAGES[other][taken])
            elif mix and not cut:
                wanted = shares[i] * IMAGES[i] + (1 - shares[i]) * IMAGES[other]
                np.testing.assert_allclose(given[i], wanted, atol=1e-5)
    assert (model.layers[-1].kernel.numpy() != before).any()
