"""How a first model is trained: again on all rows where there are few, by logarithms where a label asks for it."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.starting import sizes
from kilnworks.components.starting.label import asks_for_log

PRICES = np.random.default_rng(0).lognormal(12, 0.8, 3000)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (PRICES, True),
        (np.random.default_rng(0).normal(100, 10, 3000), False),
        (np.random.default_rng(0).uniform(1, 100, 3000), False),
        (PRICES - PRICES.min(), False),
        (np.full(10, 3.0), False),
        (np.exp(np.log(PRICES) / 10), False),
    ],
    ids=["prices", "around a mean", "evenly spread", "one of them 0", "never another", "hardly wider than their mean"],
)
def test_a_label_asks_for_its_logarithm(values: np.ndarray, wanted: bool) -> None:
    assert asks_for_log(pl.Series(values)) is wanted


def test_few_rows_are_learned_again_whole() -> None:
    _, training = sizes.tabular(2_000, 10, "val_rmse", categories=False, log=True)
    assert training["refit"] == sizes.NETWORKS
    assert (training["label_scale"], "monitor" in training) == ("log", False)
    _, training = sizes.tabular(20_000, 10, "val_rmse", categories=False)
    assert "refit" not in training
    assert training["monitor"] == "val_rmse"


def test_epochs_of_few_steps_are_many() -> None:
    _, few = sizes.tabular(1_000, 10, "val_rmse", categories=False)
    _, more = sizes.tabular(4_000, 10, "val_rmse", categories=False)
    _, most = sizes.tabular(10_000, 10, "val_rmse", categories=False)
    assert (few["batch"], few["epochs"], few["early_stopping"].patience) == (32, 150, 12)
    assert (more["batch"], more["epochs"], more["early_stopping"].patience) == (128, 150, 6)
    assert (most["batch"], most["epochs"], most["early_stopping"].patience) == (256, 60, 6)


def test_few_images_have_a_second_model() -> None:
    assert sizes.vision(2_071, (64, 64, 1), flips="none")[0].gradients == sizes.GRADIENTS
    assert sizes.vision(1_797, (8, 8, 1), flips="none")[0].gradients == 0
    model, training = sizes.vision(60_000, (28, 28, 1), flips="horizontal")
    assert (model.gradients, model.augmentation.flip) == (0, "horizontal")
    assert training["epochs"] == 8


def test_larger_images_are_halved_at_once_and_learn_more_epochs() -> None:
    model, training = sizes.vision(2_071, (64, 64, 1), flips="none")
    assert (model.stem_stride, training["epochs"]) == (2, sizes.MOST_EPOCHS)
    assert sizes.vision(8_000, (64, 64, 3), flips="none")[1]["epochs"] == 14  # 3e10 / (8,000 * 32 * 32 * 16 ** 2)
    model, training = sizes.vision(2_000, (28, 28, 1), flips="none")
    assert (model.stem_stride, training["epochs"]) == (1, 18)
