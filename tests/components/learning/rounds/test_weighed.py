"""The shares of two models inside of one: what the validation rows say, and in what is kept."""

import csv

import numpy as np
import pytest

from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.rounds.weighed import best_share
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.modeling.vision import Vision
from kilnworks.components.train import TrainConfig
from tests.components.learning.training_examples import DIGITS, digits, prepared, trained
from tests.components.tasks.some_tasks import binary, multiclass


def test_the_share_is_that_of_the_least_loss() -> None:
    truth = np.array([0, 1, 2, 1] * 50)
    sure = np.full((200, 3), 0.05) + 0.85 * np.eye(3)[truth]
    wrong = np.full((200, 3), 0.05) + 0.85 * np.eye(3)[(truth + 1) % 3]
    blind = np.full((200, 3), 1 / 3)
    task = multiclass(3)
    assert best_share(np.stack([sure, wrong], axis=1), truth, task) == 1.0
    assert best_share(np.stack([wrong, sure], axis=1), truth, task) == 0.0
    assert best_share(np.stack([sure, sure], axis=1), truth, task) == 0.5
    assert best_share(np.stack([wrong, blind], axis=1), truth, task) == 0.0
    half = np.where(np.arange(200)[:, None] % 2, sure, wrong)
    other = np.where(np.arange(200)[:, None] % 2, wrong, sure)
    assert best_share(np.stack([half, other], axis=1), truth, task) == 0.5
    for rows in (4, 20, 200):  # the first is better by 0.1 a row: 4 rows say little, 200 say all
        first, second = np.full((rows, 1), np.exp(-0.5)), np.full((rows, 1), np.exp(-0.6))
        ones = np.ones(rows, int)
        grid = np.linspace(0, 1, 21)
        by_hand = [-np.log(s * np.exp(-0.5) + (1 - s) * np.exp(-0.6)) + (2 * s - 1) ** 2 / rows for s in grid]
        found = best_share(np.stack([first, second], axis=1), ones, binary())
        assert found == grid[int(np.argmin(by_hand))]
        assert found == {4: 0.55, 20: 0.75, 200: 1.0}[rows]
    odds = np.array([0.9, 0.1, 0.8, 0.2] * 5)[:, None]
    assert best_share(np.stack([odds, 1 - odds], axis=1), np.array([1, 0, 1, 0] * 5), binary()) == 1.0


@pytest.mark.slow
def test_a_kept_model_answers_by_the_share_that_its_validation_rows_say(tmp_path) -> None:
    import keras

    rows = digits()
    frames = {"train": rows["train"][:320], "val": rows["val"][:120]}
    vision = Vision(filters=(4, 8), gradients=16)
    made = trained(tmp_path, TrainConfig(model=vision, epochs=3, batch=32), *prepared(tmp_path, DIGITS, frames))
    first, second = made.training["shares"]
    assert first + second == pytest.approx(1.0)
    model = load_trained(made)
    inputs = dict(FeatureTransform.load(made.transform).encode(frames["val"]))
    parts = keras.Model(model.input, model.get_layer("member_answers").output)(inputs, training=False).numpy()
    truth = frames["val"]["digit"].to_numpy()
    right = parts[np.arange(len(truth)), :, truth]
    losses = {s: -np.log(s * right[:, 0] + (1 - s) * right[:, 1]).mean() for s in np.linspace(0, 1, 21)}
    held = {s: loss + (2 * s - 1) ** 2 / len(truth) for s, loss in losses.items()}
    chosen = min(held, key=held.__getitem__)
    assert first == pytest.approx(chosen)
    best = made.training["best"]
    assert best["val_loss"] == pytest.approx(losses[chosen], rel=1e-4), "of the model that is kept, not the plain mean"
    with (made.path / "history.csv").open() as file:
        epoch = list(csv.DictReader(file))[made.training["best_epoch"] - 1]
    assert best["loss"] == pytest.approx(float(epoch["loss"])) and float(epoch["val_loss"]) > 1.001 * best["val_loss"]
    assert first != 0.5, "histograms of so small images learn sooner"
    np.testing.assert_allclose(
        model(inputs, training=False), first * parts[:, 0] + second * parts[:, 1], rtol=1e-5, atol=1e-6
    )
