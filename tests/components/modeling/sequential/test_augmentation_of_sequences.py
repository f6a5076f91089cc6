"""Changes of sequences against their formulas, by NumPy."""

import numpy as np
import pytest

STEPS = 40


def ramps(n: int = 500, length: int = STEPS) -> np.ndarray:
    """The step itself, from 1, in the first channel and a constant in the second; 0 behind ``length``."""
    values = np.zeros((n, STEPS, 2), np.float32)
    values[:, :length] = np.stack([np.arange(1, length + 1), np.full(length, 7)], axis=-1)
    return values


def changed(values: np.ndarray, **settings) -> np.ndarray:
    import keras

    from kilnworks.components.modeling.sequential.augmentation import SequenceNoise

    keras.utils.set_random_seed(3)
    return np.asarray(SequenceNoise(**settings)(values, training=True))


def test_values_between_steps_are_those_of_numpy() -> None:
    from kilnworks.components.modeling.sequential.augmentation import resampled

    draw = np.random.default_rng(0)
    values = draw.normal(size=(6, STEPS, 2)).astype(np.float32)
    places = np.sort(draw.uniform(0, STEPS - 1, (6, 25)), axis=1).astype(np.float32)
    wanted = np.stack(
        [[np.interp(p, np.arange(STEPS), v[:, c]) for c in (0, 1)] for p, v in zip(places, values, strict=True)]
    )
    np.testing.assert_allclose(np.asarray(resampled(values, places)), np.moveaxis(wanted, 1, 2), atol=1e-4)


@pytest.mark.slow
def test_time_runs_forwards_from_end_to_end_at_the_speed_of_its_formula() -> None:
    from kilnworks.components.modeling.sequential.augmentation import warped

    progress = np.linspace(0, 1, 2001)[None].astype(np.float64)
    strength, turn = np.array([[0.6]]), np.array([[1.1]])
    found = np.asarray(warped(progress, strength, turn), np.float64)
    assert found[0, 0] == pytest.approx(0, abs=1e-6) and found[0, -1] == pytest.approx(1, abs=1e-6)
    speed = np.gradient(found[0], progress[0])
    assert speed.min() > 0
    assert speed[1:-1] == pytest.approx(1 + 0.6 * np.cos(2 * np.pi * progress[0, 1:-1] + 1.1), abs=2e-3)


@pytest.mark.slow
def test_jitter_and_scaling_have_their_deviation() -> None:
    values = ramps()
    noise = changed(values, jitter=0.5) - values
    assert noise.mean() == pytest.approx(0, abs=0.02) and noise.std() == pytest.approx(0.5, rel=0.02)
    factor = changed(values, scaling=0.2) / values
    assert factor.std(axis=1).max() < 1e-5  # one factor for each channel of a sequence
    assert factor[:, 0].mean() == pytest.approx(1, abs=0.03) and factor[:, 0].std() == pytest.approx(0.2, rel=0.1)


@pytest.mark.slow
def test_a_slice_is_a_straight_part_of_the_sequence_stretched_to_the_whole() -> None:
    found = changed(ramps(), slice=0.5)[..., 0]
    speed = np.diff(found, axis=1)
    assert np.abs(np.diff(speed, axis=1)).max() < 1e-3
    share = speed[:, 0]
    assert share.min() >= 0.5 - 1e-3 and share.max() <= 1 + 1e-3
    assert share.mean() == pytest.approx(0.75, abs=0.03)
    assert found.min() >= 1 - 1e-3 and found.max() <= STEPS + 1e-3


@pytest.mark.slow
def test_a_warp_keeps_both_ends_and_the_order() -> None:
    found = changed(ramps(), warp=0.8)[..., 0]
    assert found[:, 0] == pytest.approx(1, abs=1e-3) and found[:, -1] == pytest.approx(STEPS, abs=1e-3)
    assert (np.diff(found, axis=1) > 0).all() and np.abs(found - ramps()[..., 0]).max() > 2


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"jitter": 0.5}, {"scaling": 0.5}, {"warp": 0.8}, {"slice": 0.5}], ids=str)
def test_what_is_no_step_stays_none_and_time_ends_with_the_sequence(settings) -> None:
    found = changed(ramps(50, 17), **settings)
    assert (found[:, 17:] == 0).all() and (found[:, :17] != 0).any(axis=2).all()
    if "warp" in settings:
        assert found[:, 16, 0] == pytest.approx(17, abs=1e-3)


@pytest.mark.slow
def test_some_stay_as_they_are_and_all_of_them_outside_of_training() -> None:
    from kilnworks.components.modeling.sequential.augmentation import SequenceNoise

    values = ramps(2000)
    same = (changed(values, jitter=1.0, rate=0.3) == values).all(axis=(1, 2))
    assert same.mean() == pytest.approx(0.7, abs=0.03)
    np.testing.assert_array_equal(np.asarray(SequenceNoise(jitter=1.0)(values)), values)
    np.testing.assert_array_equal(changed(values, jitter=1.0), changed(values, jitter=1.0))
