"""Gaps between groups: the formulas of fairlearn row by row, intervals that hold, thresholds, and the gate."""

import json

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.fairness.measured import checks
from kilnworks.components.judging.fairness.gaps import Side, gap, share
from kilnworks.components.judging.fairness.groups import threshold_for
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import ConfigError, StepSkipped
from tests.components.tasks.judged import judged

LOANS = parse_contract("""
name: loans
features: {region: {dtype: string}, hidden: {dtype: string, sensitive: true}}
label: {name: late, dtype: string, classes: ["no", "yes"]}
""")
HOUSES = parse_contract("""
name: houses
features: {town: {dtype: string}}
label: {name: price, dtype: float}
""")
CONFIG = EvaluateConfig(slices=("region",), resamples=400)


def loans(n: int = 900) -> tuple[pl.DataFrame, np.ndarray]:
    """Positive rows of the south have lower scores than those of the north; five rows are of an islet."""
    random = np.random.default_rng(4)
    region = np.array(["north", "south", "west"])[random.integers(0, 3, n)]
    region[:5] = "islet"
    late = random.random(n) < 0.4
    lift = np.where(region == "south", 0.2, 0.35)
    score = np.clip(0.33 + lift * late + 0.15 * random.normal(size=n), 0.001, 0.999).astype(np.float32)
    frame = pl.DataFrame({"region": region, "hidden": region, "late": np.where(late, "yes", "no")})
    return frame, np.stack([1 - score, score], axis=1)


def found(config: EvaluateConfig, frame: pl.DataFrame, predicted: np.ndarray, folder, contract=LOANS) -> dict:
    folder.mkdir(exist_ok=True)
    judged(config, contract, frame, predicted, {}, folder)
    return json.loads((folder / "evaluation.json").read_text())["fairness"][0]


def by_hand(frame: pl.DataFrame, score: np.ndarray) -> dict[str, dict[str, float]]:
    """Rates and accuracy of each group, row by row."""
    rates: dict[str, dict[str, float]] = {}
    for region in ("north", "south", "west"):
        tp = fp = fn = tn = 0
        for where, late, s in zip(frame["region"], frame["late"], score, strict=True):
            if where == region:
                tp += late == "yes" and s > 0.5
                fn += late == "yes" and not s > 0.5
                fp += late == "no" and s > 0.5
                tn += late == "no" and not s > 0.5
        rows = tp + fp + fn + tn
        rates[region] = {
            "selection_rate": (tp + fp) / rows, "true_positive_rate": tp / (tp + fn),
            "false_positive_rate": fp / (fp + tn), "accuracy": (tp + tn) / rows,
        }  # fmt: skip
    return rates


@pytest.mark.slow
def test_gaps_are_those_of_the_formulas(tmp_path):
    frame, predicted = loans()
    told = found(CONFIG, frame, predicted, tmp_path / "out")
    rates = by_hand(frame, predicted[:, 1])
    gaps = {one["measure"]: one for one in told["gaps"]}
    for name in ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy"):
        values = {region: one[name] for region, one in rates.items()}
        assert gaps[name]["value"] == pytest.approx(max(values.values()) - min(values.values()), abs=1e-12)
        assert values[gaps[name]["most"]] == max(values.values())
        assert {one["group"]: one["value"] for one in gaps[name]["groups"]} == pytest.approx(values)
    both = [gaps["true_positive_rate"]["value"], gaps["false_positive_rate"]["value"]]
    assert gaps["equalized_odds"]["value"] == max(both)
    assert gaps["true_positive_rate"]["least"] == "south" and gaps["true_positive_rate"]["low"] > 0.1
    assert told["small"] == [["islet", 5]]
    from sklearn.metrics import roc_auc_score

    areas = [
        roc_auc_score((frame["late"] == "yes").to_numpy()[at], predicted[at, 1])
        for at in (np.flatnonzero(frame["region"] == region) for region in rates)
    ]
    assert gaps["auc"]["value"] == pytest.approx(max(areas) - min(areas), abs=1e-9)
    assert "f1" not in gaps, "slow metrics are computed where the gate asks for them"


@pytest.mark.slow
def test_thresholds_give_each_group_the_rates_of_all(tmp_path):
    frame, predicted = loans()
    told = found(CONFIG, frame, predicted, tmp_path / "out")
    large = (frame["region"] != "islet").to_numpy()
    late, score, region = (frame["late"] == "yes").to_numpy(), predicted[:, 1], frame["region"].to_numpy()
    all_selected, all_found = (score[large] > 0.5).mean(), (score[large & late] > 0.5).mean()
    for one in told["thresholds"]:
        here = region == one["group"]
        equal = one["thresholds"]
        assert (score[here] > equal["selection_rate"]).mean() == pytest.approx(all_selected, abs=0.5 / here.sum())
        at = here & late
        assert (score[at] > equal["true_positive_rate"]).mean() == pytest.approx(all_found, abs=0.5 / at.sum())
    south = next(one for one in told["thresholds"] if one["group"] == "south")
    assert south["thresholds"]["true_positive_rate"] < 0.45
    assert threshold_for(0.0, np.array([0.2, 0.9])) == pytest.approx(0.95)
    assert threshold_for(1.0, np.array([0.2, 0.9])) == pytest.approx(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.3, 0.98])
def test_of_groups_that_are_alike_few_gaps_look_real(rate):
    """The interval holds the gap of the true rates, 0, in 95 of 100 draws, though the two furthest apart are chosen."""
    random, held, tries = np.random.default_rng(11), 0, 300
    for _ in range(tries):
        sides = [share(str(g), int(random.binomial(n, rate)), n, 300, random, 10) for g, n in enumerate((60, 120, 240))]
        held += gap("rate", sides)["low"] <= 0
    assert held >= 0.93 * tries


@pytest.mark.slow
def test_groups_that_are_all_alike_are_two_groups_whose_gap_is_not_known_exactly():
    random = np.random.default_rng(0)
    told = gap("rate", [share(name, 25, 50, 2000, random, 10) for name in "abc"])
    assert told["value"] == 0 and told["most"] != told["least"]
    wide = 2.39 * np.sqrt(2 * 0.25 / 50)  # of a normal distribution, at 1 - 0.05 / 3
    assert told["low"] == pytest.approx(-wide, rel=0.15) and told["high"] == pytest.approx(wide, rel=0.15)


def test_a_small_group_between_two_others_may_be_the_one_that_is_furthest_away():
    """Two large groups are alike; twelve rows between them say little of theirs, and the bound knows it."""
    random = np.random.default_rng(5)
    counts = {"north": (2060, 4000), "islet": (6, 12), "south": (1940, 4000)}
    told = gap("rate", [share(name, *one, 2000, random, 10) for name, one in counts.items()])
    assert (told["most"], told["least"]) == ("north", "south") and told["value"] == pytest.approx(0.03)
    assert "islet" in told["widest"] and told["high"] > 0.3, "without it 0.06"
    (asked,) = checks([{"column": "region", "gaps": [told]}], {"rate": 0.1}, "low")
    assert not asked.passed and "islet" in asked.note
    assert checks([{"column": "region", "gaps": [told]}], {"rate": 0.1}, "value")[0].passed


def test_a_small_group_at_the_end_hides_no_gap_between_two_large_ones():
    random = np.random.default_rng(5)
    counts = {"north": (2400, 4000), "south": (1600, 4000), "islet": (8, 12)}
    told = gap("rate", [share(name, *one, 2000, random, 10) for name, one in counts.items()])
    assert told["most"] == "islet" and 0.15 < told["low"] < 0.2, "north against south, whatever the islet's rate is"


@pytest.mark.slow
def test_the_bounds_hold_the_gap_of_the_true_rates():
    """In at least 95 of 100 draws, at rates that differ and with a group of 20 rows among them."""
    random, rates, held, tries = np.random.default_rng(7), {60: 0.3, 20: 0.5, 240: 0.45}, 0, 300
    for _ in range(tries):
        sides = [share(str(n), int(random.binomial(n, p)), n, 300, random, 10) for n, p in rates.items()]
        told = gap("rate", sides)
        held += told["low"] <= 0.2 <= told["high"]
    assert held >= 0.93 * tries


def test_of_many_groups_ends_are_no_nearer_than_those_of_the_normal_distribution():
    """At 1 - 0.05 / 190 of 400 draws even the outermost is not far enough out: about 3.0 of 3.65 deviations."""
    random = np.random.default_rng(2)
    sides = [Side(str(g), 0.5, random.normal(0.5, 0.05, 400)) for g in range(20)]
    told, wide = gap("rate", sides), norm.ppf(1 - 0.025 / 190) * 0.05 * np.sqrt(2)
    assert told["low"] < -0.88 * wide and told["high"] > 0.95 * wide
    drawn = sides[0].draws
    assert told["groups"][0]["low"] == pytest.approx(np.quantile(drawn, 0.025, method="weibull")), "one has enough"


@pytest.mark.slow
def test_equalized_odds_has_the_farther_bound_and_is_not_defined_by_one_rate_alone(tmp_path):
    frame, predicted = loans()
    few = frame.with_row_index().filter((pl.col("late") == "no") | (pl.col("index") % 9 == 0))
    gaps = found(CONFIG, few, predicted[few["index"].to_numpy()], tmp_path / "few")["gaps"]
    told = {one["measure"]: one for one in gaps}
    rates = [told["true_positive_rate"], told["false_positive_rate"]]
    assert told["equalized_odds"]["high"] == max(one["high"] for one in rates)
    assert told["equalized_odds"]["low"] == max(one["low"] for one in rates)
    none = frame.with_row_index().filter((pl.col("late") == "no") | (pl.col("region") == "north"))
    scores = predicted[none["index"].to_numpy()]
    with pytest.raises(StepSkipped, match="fewer than two groups define it"):
        found(CONFIG.updated({"gap": {"equalized_odds": 1.0}}), none, scores, tmp_path / "none")


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["accuracy", "auc", "f1", "true_positive_rate"])
def test_the_gate_closes_where_no_group_is_large_enough(measure, tmp_path):
    frame, predicted = loans(60)
    config = CONFIG.updated({"gap": {measure: 1.0}, "slice_min_rows": 1000})
    with pytest.raises(StepSkipped, match=f"gap in {measure} over region is undefined"):
        found(config, frame, predicted, tmp_path / "out")


@pytest.mark.slow
def test_the_gate_closes_on_a_gap_and_says_between_whom(tmp_path):
    frame, predicted = loans()
    wide = CONFIG.updated({"gap": {"equalized_odds": 0.9, "f1": 0.9}})
    told = found(wide, frame, predicted, tmp_path / "open")
    assert "f1" in {one["measure"] for one in told["gaps"]}
    with pytest.raises(StepSkipped, match=r"gap in equalized_odds over region 0\.\d+ .* against south"):
        found(CONFIG.updated({"gap": {"equalized_odds": 0.1}}), frame, predicted, tmp_path / "closed")
    gate = json.loads((tmp_path / "closed" / "evaluation.json").read_text())["gate"]
    assert not gate["passed"] and "`gap`" in gate["next_action"]
    narrow = next(one for one in told["gaps"] if one["measure"] == "false_positive_rate")
    limit = {"gap": {"false_positive_rate": (narrow["value"] + narrow["high"]) / 2}}
    found(CONFIG.updated(limit), frame, predicted, tmp_path / "value")
    with pytest.raises(StepSkipped, match="false_positive_rate"):
        found(CONFIG.updated({**limit, "use": "low"}), frame, predicted, tmp_path / "low")
    alone = frame.with_columns(region=pl.lit("north"))
    with pytest.raises(StepSkipped, match="fewer than two groups define it"):
        found(CONFIG.updated({"gap": {"selection_rate": 1.0}}), alone, predicted, tmp_path / "alone")


@pytest.mark.slow
def test_sensitive_groups_have_no_names(tmp_path):
    frame, predicted = loans()
    told = json.dumps(found(CONFIG.updated({"slices": ["hidden"]}), frame, predicted, tmp_path / "out"))
    assert "north" not in told and "islet" not in told and "(masked)" in told


@pytest.mark.slow
def test_numbers_have_gaps_in_their_errors(tmp_path):
    random = np.random.default_rng(0)
    town = np.repeat(["a", "b"], 150)
    price = random.normal(100, 20, 300)
    predicted = price + random.normal(size=300) * np.where(town == "a", 2, 6)
    frame = pl.DataFrame({"town": town, "price": price})
    config = EvaluateConfig(slices=("town",), resamples=200, gap={"rmse": 10.0})
    told = found(config, frame, predicted, tmp_path / "out", HOUSES)
    (rmse,) = [one for one in told["gaps"] if one["measure"] == "rmse"]
    errors = [np.sqrt(((predicted - price)[town == t] ** 2).mean()) for t in "ab"]
    assert rmse["value"] == pytest.approx(errors[1] - errors[0]) and 2 < rmse["low"] < rmse["value"] < rmse["high"]
    assert rmse["most"] == "b" and told["thresholds"] == []


def test_gaps_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="without slices"):
        EvaluateConfig().updated({"gap": {"selection_rate": 0.1}})
    with pytest.raises(ConfigError, match="gap"):
        CONFIG.updated({"gap": {"selection_rate": -0.1}})
