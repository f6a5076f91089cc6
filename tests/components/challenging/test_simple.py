"""Simple models beside a network: what they reach on made rows, and what the gate makes of it."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.challenging.simple import checks, compared, simple_answers
from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.tasks.choose import choose
from kilnworks.schemas.contract import Contract, parse_contract
from kilnworks.schemas.errors import StepSkipped
from tests.components.tasks.judged import judged

LOANS = parse_contract("""
name: loans
features: {a: {dtype: float}, b: {dtype: float}, town: {dtype: string}}
label: {name: late, dtype: string, classes: ["no", "yes"]}
""")
HOUSES = parse_contract("""
name: houses
features: {a: {dtype: float}, b: {dtype: float}}
label: {name: price, dtype: float}
""")
NOTES = parse_contract("""
name: notes
features: {text: {dtype: string, text: true}}
label: {name: kind, dtype: string, classes: [cold, mild, warm]}
""")
CONFIG = EvaluateConfig(resamples=200)


def loans(n: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Rows whose true probability is linear in two numbers and a town; the probability [n]."""
    r = np.random.default_rng(seed)
    a, b, town = r.normal(size=n), r.normal(size=n), r.integers(0, 20, n)
    probability = 1 / (1 + np.exp(-(-1.2 + 1.1 * a - 0.9 * b + np.where(town % 2, 0.7, -0.7))))
    late = np.where(r.random(n) < probability, "yes", "no")
    return pl.DataFrame({"a": a, "b": b, "town": [f"t{t}" for t in town], "late": late}), probability


def answers_of(
    contract: Contract,
    train: pl.DataFrame,
    test: pl.DataFrame,
    folder: Path,
    settings: PreprocessConfig = PreprocessConfig(),
    most: int = 50_000,
) -> dict:
    """What the simple models say to ``test``."""
    train.write_parquet(folder / "train.parquet")
    transform = FeatureTransform.fit(contract, [folder / "train.parquet"], settings)
    splits = {"train": train, "test": test}

    def frames(split: str):
        return splits[split].iter_slices(97)

    return simple_answers(choose(contract).of(contract), transform, frames, "test", train.height, most)


@pytest.mark.slow
@pytest.mark.parametrize("encode", ["one_hot", "embedding"])
def test_the_linear_model_finds_the_line_that_the_rows_were_made_by(tmp_path, encode):
    (train, _), (test, probability) = loans(4000, 0), loans(3000, 1)
    settings = PreprocessConfig(features={"town": FeatureSettings(encode=encode)})
    task, found = choose(LOANS).of(LOANS), answers_of(LOANS, train, test, tmp_path, settings)
    truth = (test["late"] == "yes").to_numpy().astype(np.int64)
    assert np.abs(found["linear"]["probabilities"][:, 1] - probability).mean() < 0.03
    ideal = {"probabilities": np.stack([1 - probability, probability], axis=1)}
    said = compared(task, truth, ideal, found, CONFIG)
    rate = (train["late"] == "yes").mean()
    entropy = -(truth * np.log(rate) + (1 - truth) * np.log(1 - rate)).mean()
    assert said["constant"]["metrics"]["auc"] == 0.5
    assert said["constant"]["metrics"]["log_loss"] == pytest.approx(entropy, abs=1e-6)
    gain = said["linear"]["gains"]["auc"]
    assert -0.002 < gain["low"] <= gain["value"] <= gain["high"] < 0.02
    assert (gain["rows"], said["constant"]["gains"]["auc"]["low"] > 0.2) == (3000, True)


def test_ridge_is_the_least_squares_of_the_training_rows(tmp_path):
    r = np.random.default_rng(0)
    frame = pl.DataFrame({"a": r.normal(3, 2, 800), "b": r.normal(size=800)})
    frame = frame.with_columns(price=100 + 7 * pl.col("a") - 20 * pl.col("b") + pl.Series(r.normal(size=800)))
    train, test = frame[:600], frame[600:]
    found = answers_of(HOUSES, train, test, tmp_path)
    design = np.column_stack([np.ones(600), train["a"], train["b"]])
    weights = np.linalg.lstsq(design, train["price"].to_numpy(), rcond=None)[0]
    wanted = np.column_stack([np.ones(200), test["a"], test["b"]]) @ weights
    assert np.abs(found["linear"]["score"] - wanted).max() < 0.3
    assert found["constant"]["score"] == pytest.approx(np.full(200, train["price"].mean()))


@pytest.mark.slow
def test_texts_are_counted_and_rows_are_spread(tmp_path):
    words = {"cold": "ice snow frost", "mild": "rain cloud wind", "warm": "sun beach sand"}
    r = np.random.default_rng(0)
    rows = [(kind, " ".join(r.permutation(words[kind].split())[:2])) for kind in r.permutation([*words] * 60)]
    frame = pl.DataFrame({"text": [t for _, t in rows], "kind": [k for k, _ in rows]})
    settings = PreprocessConfig(features={"text": FeatureSettings(encode="ngrams")})
    found = answers_of(NOTES, frame[:120], frame[120:], tmp_path, settings, most=40)
    best = found["linear"]["probabilities"].argmax(axis=1)
    assert [["cold", "mild", "warm"][i] for i in best] == frame["kind"][120:].to_list()
    assert np.allclose(found["constant"]["probabilities"].sum(axis=1), 1)


def gate_of(answers: np.ndarray, test: pl.DataFrame, simple: dict) -> list[str]:
    """Names of the comparisons with the simple models that do not pass."""
    task, truth = choose(LOANS).of(LOANS), (test["late"] == "yes").to_numpy().astype(np.int64)
    ours = {"probabilities": np.stack([1 - answers, answers], axis=1)}
    said = compared(task, truth, ours, simple, CONFIG)
    values = {name: {"value": value} for name, value in zip(("auc", "log_loss"), (0.7, 0.5), strict=True)}
    found = checks(task, said, ("constant", "linear"), values)
    assert len(found) == 3
    return [check.name for check in found if not check.passed]


@pytest.mark.slow
def test_the_gate_wants_more_than_a_constant_and_no_less_than_a_line(tmp_path):
    test, probability = loans(2000, 1)
    simple = answers_of(LOANS, loans(3000, 0)[0], test, tmp_path)
    noise = np.random.default_rng(5).uniform(0.1, 0.5, 2000)
    over = "gain in {} over the {} model".format
    assert gate_of(probability, test, simple) == []
    assert over("auc", "constant") in gate_of(noise, test, simple)
    weak = 1 / (1 + np.exp(-(-1.2 + 1.1 * test["a"].to_numpy())))
    assert gate_of(weak, test, simple) == [over("auc", "linear")]
    assert gate_of(probability * 0.05, test, simple) == [over("log_loss", "constant")]


def test_the_gate_closes_in_words_and_a_model_that_is_not_made_closes_it_too(tmp_path):
    frame, noise = loans(600, 1)[0], np.stack([np.full(600, 0.5)] * 2, axis=1)
    config = EvaluateConfig(resamples=100, better_than=("constant",))
    with pytest.raises(StepSkipped, match="gain in auc over the constant model is undefined"):
        judged(config, LOANS, frame, noise, {}, tmp_path)


def test_simple_models_that_are_asked_for_are_made():
    with pytest.raises(ValueError, match="leave simple_rows above 0"):
        EvaluateConfig(better_than=("linear",), simple_rows=0)
