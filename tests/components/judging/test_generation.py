"""Fréchet distance, nearest images and classes seen against other ways to compute them."""

import numpy as np
import pytest

from kilnworks.components.judging.generation.frechet import between, frechet, frechet_interval, moments
from kilnworks.components.judging.generation.judged import Images, judged
from kilnworks.components.judging.generation.measures import classes_seen, copies, nearest
from kilnworks.components.judging.generation.pictures import pictures
from kilnworks.components.judging.generation.scores import scores
from kilnworks.components.tasks.generation.generation import Generation
from kilnworks.pipelines.core.chains import ROOT
from kilnworks.schemas.contract import load_contract
from kilnworks.schemas.errors import ConfigError, StepFailed, UnknownName

DRAW = np.random.default_rng(0)


def rows(n: int, d: int, shift: float = 0.0, draw: np.random.Generator = DRAW) -> np.ndarray:
    """Features that go together."""
    return draw.normal(shift, 1, (n, d)) @ np.random.default_rng(9).normal(size=(d, d))


def test_the_distance_is_that_of_the_root_of_the_product() -> None:
    from scipy.linalg import sqrtm

    one, other = rows(200, 6), rows(150, 6, 0.5)
    (m1, c1), (m2, c2) = moments(one), moments(other)
    wanted = ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)
    assert frechet(one, other) == pytest.approx(wanted, rel=1e-9)
    np.testing.assert_allclose(c1, np.cov(one.T))


def test_between_gaussians_whose_axes_agree_it_is_known_exactly() -> None:
    """Sum of squared differences of means and of standard deviations."""
    one, other = (np.zeros(3), np.diag([1.0, 4.0, 9.0])), (np.array([1.0, 0, 2]), np.diag([4.0, 4.0, 1.0]))
    assert between(one, other) == pytest.approx(1 + 4 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)
    assert between(one, one) == pytest.approx(0, abs=1e-12)


def test_what_is_not_finite_has_no_distance() -> None:
    assert np.isnan(frechet(rows(50, 3) * np.nan, rows(50, 3)))


def test_fewer_rows_than_features_give_a_number() -> None:
    assert 0 < frechet(rows(5, 12), rows(6, 12)) < np.inf


def test_its_interval_holds_the_value_and_narrows_with_the_rows() -> None:
    """The draws themselves lie above the value; moved onto it, they say how far it may be off."""
    few, many = (frechet_interval(rows(n, 4), rows(n, 4, 1.0), 200, 0) for n in (60, 2000))
    for one in (few, many):
        assert 0 <= one.low < one.value < one.high
    assert few.high - few.low > 2 * (many.high - many.low)


@pytest.mark.slow
def test_the_interval_covers_the_distance_of_the_populations() -> None:
    """Of many samples about 95 % have the exact distance in theirs, once the bias of few rows is small."""
    draw = np.random.default_rng(4)
    covered = 0
    for trial in range(60):
        found = frechet_interval(draw.normal(0, 1, (400, 2)), draw.normal(1, 1, (400, 2)), 100, trial)
        covered += found.low <= 2.0 <= found.high
    assert covered >= 52


def test_the_nearest_is_that_of_all_pairs() -> None:
    images, training = DRAW.normal(size=(40, 3, 3, 1)), DRAW.normal(size=(70, 3, 3, 1))
    apart, which = nearest(images, training)
    every = np.sqrt(((images[:, None] - training[None]) ** 2).mean(axis=(2, 3, 4)))
    np.testing.assert_array_equal(which, every.argmin(axis=1))
    np.testing.assert_allclose(apart, every.min(axis=1), rtol=1e-5)


def test_what_was_learned_by_heart_is_seen() -> None:
    training, others = DRAW.normal(size=(300, 5, 5, 1)), DRAW.normal(size=(200, 5, 5, 1))
    usual, _ = nearest(others, training)
    fresh, _ = nearest(DRAW.normal(size=(200, 5, 5, 1)), training)
    stolen, _ = nearest(training[:200] + DRAW.normal(0, 0.05, (200, 5, 5, 1)), training)
    assert copies(fresh, usual) < 0.15
    assert copies(stolen, usual) == 1


def test_a_class_is_seen_from_a_tenth_of_its_share_on() -> None:
    real = np.repeat([0, 1, 2, 3], [40, 40, 20, 0])
    assert classes_seen(np.repeat([0, 1, 2], [50, 48, 2]), real, 4) == 1
    assert classes_seen(np.repeat([0, 1, 2], [50, 49, 1]), real, 4) == pytest.approx(2 / 3)
    assert classes_seen(np.repeat([0], [100]), real, 4) == pytest.approx(1 / 3)


def look(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two features, and the brighter half as the class."""
    upper, lower = images[:, :2].mean(axis=(1, 2, 3)), images[:, 2:].mean(axis=(1, 2, 3))
    return np.stack([upper, lower], axis=1), np.stack([upper > lower, upper <= lower], axis=1).astype(float)


def halves(classes: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Images whose upper half is bright, or their lower one."""
    images = draw.normal(-0.5, 0.1, (len(classes), 4, 4, 1))
    images[classes == 0, :2] += 1
    images[classes == 1, 2:] += 1
    return np.clip(images, -1, 1).astype(np.float32)


def test_good_images_are_near_real_ones_and_noise_is_far() -> None:
    draw = np.random.default_rng(1)
    labels = [draw.integers(0, 2, n) for n in (60, 200)]
    held_out, training = (Images(halves(one, draw), one) for one in labels)
    good = halves(labels[0], draw)
    answers, told = judged(good, labels[0], held_out, training, look, ("up", "down"), 0)
    found = scores(answers, 2, True, 100, 0)
    baselines = {name: one["metrics"]["frechet_distance"] for name, one in told["baselines"].items()}
    assert baselines["training rows"] < 0.01 < baselines["pixels of training rows, each drawn by itself"]
    assert found["frechet_distance"].value < 0.1 * baselines["noise"]
    assert found["relative_distance"].value == pytest.approx(found["frechet_distance"].value / baselines["noise"])
    assert (found["classes_seen"].value, found["class_agreement"].value) == (1, 1)
    assert told["judge"]["accuracy"] == 1
    assert told["classes_told"]["generated"] == np.bincount(labels[0]).tolist()
    assert [name for name, svg in pictures(told) if svg.startswith("<svg")] == ["generated", "nearest"]

    one_class, _ = judged(halves(labels[0] * 0, draw), labels[0], held_out, training, look, ("up", "down"), 0)
    worse = scores(one_class, 2, True, 100, 0)
    assert worse["classes_seen"].value == 0.5
    assert worse["class_agreement"].value == pytest.approx((labels[0] == 0).mean())
    assert worse["frechet_distance"].low > found["frechet_distance"].high


def test_without_a_label_classes_are_undefined_and_the_reason_is_said() -> None:
    draw = np.random.default_rng(1)
    none = np.zeros(60, np.int64)
    held_out = Images(halves(none, draw), none)
    answers, told = judged(halves(none, draw), none, held_out, held_out, lambda x: (look(x)[0], np.zeros((len(x), 0))),
                           (), 0)  # fmt: skip
    found = scores(answers, 0, False, 100, 0)
    assert found["classes_seen"].value is None and "no label" in found["classes_seen"].reason
    assert "accuracy" not in told["judge"]
    labels = draw.integers(0, 2, 60)
    real = Images(halves(labels, draw), labels)
    _, of_all = judged(halves(labels, draw), None, real, real, look, ("up", "down"), 0)
    assert [one["class"] for one in of_all["generated"]] == [""], "of no class, where none was asked for"
    unasked = scores({**answers, "told": none, "real_told": none}, 2, False, 100, 0)
    assert "no class is asked for" in unasked["class_agreement"].reason


def test_epochs_are_told_apart_by_the_distance_alone_and_before_any_training() -> None:
    assert Generation.direction("val_distance", True) == "min"
    with pytest.raises(UnknownName, match=r"val_loss(.|\n)*val_distance"):
        Generation.direction("val_loss", True)
    with pytest.raises(ConfigError, match="no rows in split 'val'"):
        Generation.direction("loss", False)


def test_boxes_are_no_class_to_make_an_image_of() -> None:
    with pytest.raises(ConfigError, match="one of some classes a row"):
        Generation.of(load_contract(ROOT / "schemas/contracts/scenes.yaml"))


def test_a_handful_of_images_judges_nothing() -> None:
    few = Images(np.zeros((5, 4, 4, 1), np.float32), np.zeros(5, np.int64))
    with pytest.raises(StepFailed, match="5 images to compare with"):
        judged(few.values, few.classes, few, few, look, (), 0)
