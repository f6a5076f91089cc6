"""From a gain to a decision: three rules, and words that say it."""

import pytest

from kilnworks.components.challenging.gain import Gain
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.challenging.verdict import decided, margin_of, unmeasured, with_slices
from kilnworks.components.judging.metric import Metric

AUC = Metric("auc", "max", "AUC", "", share=True)
MAE = Metric("mae", "min", "MAE", "")


def judge(rule, low, high, metric=AUC, margin=0.01):
    value = (low + high) / 2
    champion = 0.8
    new = champion + (value if metric.better == "max" else -value)
    challenge = Challenge(rule=rule, margin=margin)
    return decided(challenge, metric, (champion, new), Gain(value, low, high, "m"), 100, "test")


@pytest.mark.parametrize(
    ("low", "high", "word", "lives"),
    [
        (0.02, 0.04, "better", (True, True, True)),
        (0.002, 0.004, "better", (True, True, False)),
        (-0.005, 0.005, "not worse", (True, True, False)),
        (-0.009, -0.001, "not worse", (True, True, False)),
        (-0.05, 0.03, "undecided", (True, False, False)),
        (-0.05, -0.005, "undecided", (True, False, False)),
        (-0.05, -0.02, "worse", (False, False, False)),
    ],
)
def test_three_rules(low, high, word, lives):
    found = [judge(rule, low, high) for rule in ("not_worse", "non_inferior", "better")]
    assert found[0].verdict == word
    assert tuple(one.live for one in found) == lives


@pytest.mark.parametrize("rule", ["not_worse", "non_inferior", "better"])
def test_the_difference_is_told_in_the_unit_of_the_metric(rule):
    """A gain of a metric that should be small is a fall of its value."""
    found = judge(rule, -0.3, -0.1, metric=MAE)
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.1, 0.3))
    assert not found.live
    assert found.text.startswith(
        "mae 1 against 0.8 on the same 100 test rows: shown to be worse" if rule != "better" else "mae"
    )


def test_windows_of_a_series_are_called_windows():
    of = Challenge(rule="non_inferior", margin=0.01)
    found = decided(of, MAE, (0.8, 0.79), Gain(0.01, -0.05, 0.03, "m"), 92, "test", "windows")
    assert found.text.startswith("mae 0.79 against 0.8 on the same 92 test windows: too few windows to show that")
    assert found.record()["unit"] == "windows"
    one = {"column": "shop", "value": "b", "rows": 1, "champion": 1.0, "challenger": 2.0, "low": 0.5, "high": 1.5}
    told = with_slices(found, [{**one, "verdict": "worse"}]).text
    assert "on 1 window, bounds" in told and "row" not in told
    assert "on the same 1 test row:" in decided(of, MAE, (0.8, 0.79), Gain(0.01, 0, 1, "m"), 1, "test").text


def test_margins_by_default():
    assert margin_of(Challenge(), AUC, 0.8) == 0.005
    assert margin_of(Challenge(), MAE, 250.0) == pytest.approx(2.5)
    assert margin_of(Challenge(rule="better"), MAE, 250.0) == 0
    assert margin_of(Challenge(margin=0.0), AUC, 0.8) == 0


def test_what_could_not_be_measured_follows_the_setting():
    assert unmeasured(Challenge(), "no rows").live
    held = unmeasured(Challenge(unmeasured="hold"), "no rows")
    assert not held.live and "no rows" in held.text
