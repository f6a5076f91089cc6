"""What is told of forecasts, against loops over the steps."""

import numpy as np
import pytest

from kilnworks.components.judging.forecasts import described


def test_errors_by_step_and_hour_and_the_value_of_a_season_before() -> None:
    rng = np.random.default_rng(0)
    value, before = rng.normal(10, 3, (2, 7, 4))
    before[2, 1] = np.nan
    hours = (np.arange(28) % 24).reshape(7, 4)
    truth = np.stack([value, before, hours, np.full((7, 4), 2.5)], axis=1)
    forecast = value + rng.normal(0, 1, (7, 4))
    found = described(truth, {"forecast": forecast, "low": forecast - 1, "high": forecast + 1})

    for step in range(4):
        errors = [abs(forecast[row, step] - value[row, step]) for row in range(7)]
        told = found["ahead"]["by_step"][step]
        assert told["mae"] == pytest.approx(sum(errors) / 7)
        assert told["coverage"] == sum(error <= 1 for error in errors) / 7
        naive = [abs(before[row, step] - value[row, step]) for row in range(7) if not np.isnan(before[row, step])]
        assert told["naive"] == pytest.approx(sum(naive) / len(naive))
    by_hour = {one["hour"]: one["mae"] for one in found["ahead"]["by_hour"]}
    flat = np.abs(forecast - value).ravel()
    assert by_hour[2] == pytest.approx((flat[2] + flat[26]) / 2) and by_hour[10] == pytest.approx(flat[10])

    naive = [abs(b - v) for b, v in zip(before.ravel(), value.ravel(), strict=True) if not np.isnan(b)]
    simple = found["baseline"]["metrics"]
    assert simple["mae"] == pytest.approx(sum(naive) / 27)
    assert simple["rmse"] == pytest.approx((sum(error * error for error in naive) / 27) ** 0.5)
    assert simple["mase"] == pytest.approx(simple["mae"] / 2.5)

    by_window = [float(np.mean(np.abs(forecast[row] - value[row]))) for row in range(7)]
    windows = found["ahead"]["windows"]
    assert [windows[n]["mae"] for n in ("best", "median", "worst")] == pytest.approx(
        [min(by_window), sorted(by_window)[3], max(by_window)]
    )
    assert windows["worst"]["truth"] == value[int(np.argmax(by_window))].tolist()


def test_without_a_season_before_there_is_no_baseline() -> None:
    truth = np.stack([np.ones((2, 3)), np.full((2, 3), np.nan), np.zeros((2, 3)), np.ones((2, 3))], axis=1)
    answers = {name: np.ones((2, 3)) for name in ("forecast", "low", "high")}
    assert described(truth, answers)["baseline"]["metrics"] == {}
