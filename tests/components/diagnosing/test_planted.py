"""Each planted fault is named, with a remedy that ``run`` takes; a healthy training has no verdict that is sure."""

import shlex

import numpy as np
import pytest

from kilnworks.components.diagnosing.facts import Point
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.pipelines.cli.settings import overrides
from tests.components.diagnosing.planted_faults import Studied, config, frame, rows


def both(count=600, **how):
    return {"train": rows(count, 1, **how), "val": rows(400, 2, **how)}


def sure(found):
    return {kind for kind, one in found.items() if one.sure}


@pytest.mark.slow
def test_a_healthy_training_has_no_verdict(tmp_path):
    studied = Studied(tmp_path, both(sharp=2.0), config())
    assert sure(studied.verdicts()) == set()
    assert studied.sides.train.skill().value > 0.3, "and it did learn"


@pytest.mark.slow
def test_labels_that_were_shuffled_are_named(tmp_path):
    frames = both(300)
    for seed, split in enumerate(frames):
        order = np.random.default_rng(seed).permutation(frames[split].height)
        frames[split] = frames[split].with_columns(frames[split]["y"][order])
    found = Studied(tmp_path, frames, config(early_stopping=None)).verdicts()
    assert "shuffled_labels" in sure(found)
    assert not {"high_variance", "label_noise", "more_data", "high_bias"} & set(found), "which would only repeat it"


def test_a_feature_that_is_the_label_is_named(tmp_path):
    frames = both()
    for split, one in frames.items():
        leaked = (one["y"] == "yes").cast(int) + 0.01 * np.random.default_rng(3).normal(size=one.height)
        frames[split] = one.with_columns(x4=leaked)
    found = Studied(tmp_path, frames, config()).verdicts()
    assert sure(found) == {"leak"} and "x4" in found["leak"].title


@pytest.mark.slow
def test_validation_rows_that_are_sorted_by_label_are_looked_at_evenly(tmp_path):
    """The first thousand of them have one class, of which no metric of ranks is defined."""
    frames = {"train": rows(300, 1), "val": rows(2600, 2).sort("y")}
    leans = Studied(tmp_path, frames, config(epochs=2)).facts().leans
    assert 0 < leans["alone"] < leans["skill"] < 1


@pytest.mark.slow
def test_too_small_a_network_is_high_bias(tmp_path):
    small = Studied(tmp_path, both(1500, curved=True), config(model=Mlp(units=(1,)), epochs=8)).verdicts()
    assert "high_bias" in sure(small) and "high_variance" not in small
    able = Studied(tmp_path, both(1500, curved=True), config(), "able").verdicts()
    assert "high_bias" not in able


@pytest.mark.slow
def test_too_large_a_network_without_regularization_is_high_variance(tmp_path):
    noisy = both(150, columns=20, sharp=1.5)
    free = config(model=Mlp(units=(256, 256)), epochs=15, early_stopping=None, monitor="loss")
    found = Studied(tmp_path, noisy, free).verdicts()
    assert "high_variance" in sure(found) and "high_bias" not in found
    for remedy in found["high_variance"].remedies:
        words = shlex.split(remedy.command)
        if words[:2] == ["kilnworks", "run"]:
            settings = overrides([word for word in words[3:] if word != "--set"])
            free.updated(
                {
                    name.removeprefix(
                        "model.",
                    ): value
                    for name, value in settings.items()
                }
            )


@pytest.mark.slow
def test_too_few_rows_need_more_data_and_many_do_not(tmp_path):
    def points(counts):
        found = []
        for count in counts:
            studied = Studied(tmp_path, both(count, columns=20), config(epochs=3000 // count), f"rows-{count}")
            found.append(Point(count / counts[-1], count, studied.sides))
        return studied, tuple(found)

    few, curve = points((50, 100))
    found = few.verdicts(curve, closer=False)
    assert "more_data" in sure(found)
    many, curve = points((1500, 3000))
    assert "more_data" not in many.verdicts(curve, closer=False)


@pytest.mark.slow
def test_labels_that_are_wrong_at_random_are_named(tmp_path):
    def flipped(count, seed):
        random = np.random.default_rng(seed)
        x = random.normal(size=(count, 6))
        label = (x[:, 0] + x[:, 1] > 0) ^ (random.random(count) < 0.15)
        return frame(x, label)

    found = Studied(tmp_path, {"train": flipped(1200, 1), "val": flipped(600, 2)}, config(epochs=12)).verdicts()
    assert sure(found) == {"label_noise"}


@pytest.mark.slow
def test_an_end_that_came_too_early_is_a_hint(tmp_path):
    from kilnworks.components.learning.optimizers import Sgd

    early = Studied(tmp_path, both(sharp=2.0), config(epochs=6, optimizer=Sgd(learning_rate=0.01)))
    found = early.verdicts(closer=False)
    assert "still_falling" in found and not found["still_falling"].sure
    assert found["still_falling"].remedies[0].command == "kilnworks run planted --set model.epochs=18"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"optimizer": {"kind": "adam", "learning_rate": 0.3}}, "rate_too_high"),
        ({"optimizer": {"kind": "adam", "learning_rate": 1e-5}}, "rate_too_low"),
    ],
    ids=["rate 100 times too high", "rate 100 times too low"],
)
def test_what_the_health_monitor_saw_is_among_the_verdicts(tmp_path, settings, kind):
    given = config(epochs=3, health="every").updated(settings)
    found = Studied(tmp_path, both(), given).verdicts(closer=False)
    assert found[kind].sure and found[kind].remedies[0].command == "kilnworks lr-find planted"
