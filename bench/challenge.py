"""How often the challenge of the champion is wrong: simulated pairs of models, no training.

Two models give scores to the same rows. Both see the same signal, each with noise of its own, so their errors go
together as those of a retrained model do. Pairs that are equally good (A/A) must be called worse in at most 5 of 100; a
model that has lost some of the signal should be found out, the sooner the more rows there are::

    python -m bench.challenge              # 400 pairs a line
    python -m bench.challenge --pairs 100 --metric auc
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.challenging.both import bounds_of
from kilnworks.components.challenging.gain import Gain
from kilnworks.components.challenging.per_slice import shown_worse
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.challenging.verdict import decided, margin_of
from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.binary import Binary
from kilnworks.components.tasks.regression import Regression
from kilnworks.schemas.contract import Contract


@dataclass(frozen=True)
class Pair:
    """Truth [N] and the answers of both models."""

    task: Task
    truth: NDArray[np.generic]
    champion: dict[str, NDArray[np.floating]]
    challenger: dict[str, NDArray[np.floating]]


def binary_pair(rng: np.random.Generator, rows: int, lost: float) -> Pair:
    """Scores of a shared signal and own noise; the challenger has lost a share of the signal."""
    signal = rng.normal(size=rows)
    truth = (rng.random(rows) < 1 / (1 + np.exp(1.0 - 2.0 * signal))).astype(np.int64)

    def answers(kept: float) -> dict[str, NDArray[np.floating]]:
        logit = -1.0 + 2.0 * (kept * signal + (1 - kept) * rng.normal(size=rows)) + rng.normal(0, 0.3, rows)
        score = 1 / (1 + np.exp(-logit))
        return {"probabilities": np.stack([1 - score, score], axis=1)}

    return Pair(_task("string", ["no", "yes"]), truth, answers(1.0), answers(1.0 - lost))


def regression_pair(rng: np.random.Generator, rows: int, lost: float) -> Pair:
    """Values with errors that the two share in part; the challenger's own are larger by a share."""
    truth = rng.normal(size=rows)
    shared = rng.standard_t(5, rows)

    def answers(wider: float) -> dict[str, NDArray[np.floating]]:
        return {"score": truth + (0.4 * shared + 0.3 * rng.normal(size=rows)) * wider}

    return Pair(_task("float", None), truth, answers(1.0), answers(1.0 + lost))


def _task(dtype: str, classes: list[str] | None) -> Task:
    label = {"name": "y", "dtype": dtype, **({"classes": classes} if classes else {})}
    contract = Contract.model_validate({"name": "made", "features": {"x": {"dtype": "float"}}, "label": label})
    return (Binary if classes else Regression).of(contract)


MAKERS = {
    "accuracy": binary_pair,
    "auc": binary_pair,
    "log_loss": binary_pair,
    "rmse": regression_pair,
    "mae": regression_pair,
}
SLICED = ("accuracy", "auc")
"""Metrics of the study by slice."""
DRAWS_A_SLICE = 60
"""Draws behind the bounds of a slice, times the number of slices: bounds that are corrected lie further out."""


@dataclass(frozen=True)
class Measured:
    """What was measured of a pair: the metric, its values of champion and challenger, and the gain with bounds."""

    metric: Metric
    values: tuple[float, float]
    gain: Gain


def measured(
    metric: str, rows: int, pairs: int, challenge: Challenge, lost: float = 0.0, seed: int = 0
) -> list[Measured]:
    """So many pairs; of the challenge its draws and its level count, not its margin."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(pairs):
        pair = MAKERS[metric](rng, rows, lost)
        of = pair.task.metric(metric)
        assert of is not None
        settings, own = JudgeSettings(), challenge.model_copy(update={"seed": i})
        sides = (pair.task, pair.champion), (pair.task, pair.challenger)
        gain = bounds_of(own, of, settings, pair.truth, *sides)(own.level)
        before, now = (task.value(of, pair.truth, answers, settings) for task, answers in sides)
        found.append(Measured(of, (before, now), gain))
    return found


def called(pairs: Sequence[Measured], rows: int, challenge: Challenge) -> list[str]:
    """The verdict of each pair."""
    return [decided(challenge, one.metric, one.values, one.gain, rows, "test").verdict for one in pairs]


def verdicts(metric: str, rows: int, pairs: int, challenge: Challenge, lost: float = 0.0, seed: int = 0) -> list[str]:
    """The verdict of each of so many pairs."""
    return called(measured(metric, rows, pairs, challenge, lost, seed), rows, challenge)


def sliced(
    metric: str, rows: int, slices: int, pairs: int, draws: int, lost: float = 0.0, seed: int = 0
) -> tuple[float, float]:
    """Shares of pairs that are held for a slice, and for the slice that has lost some of its signal."""
    rng = np.random.default_rng(seed)
    held = named = 0
    for i in range(pairs):
        pair = binary_pair(rng, rows, 0.0)
        groups = np.arange(rows) % slices
        poor = binary_pair(rng, rows, lost)
        pair.truth[groups == 0] = poor.truth[groups == 0]
        for side, other in ((pair.champion, poor.champion), (pair.challenger, poor.challenger)):
            side["probabilities"][groups == 0] = other["probabilities"][groups == 0]
        of, challenge = pair.task.metric(metric), Challenge(resamples=draws, seed=i)
        assert of is not None
        found = []
        for group in range(slices):
            here = groups == group
            before, now = ({"probabilities": one["probabilities"][here]} for one in (pair.champion, pair.challenger))
            sides = (pair.task, before), (pair.task, now)
            found.append(bounds_of(challenge, of, JudgeSettings(), pair.truth[here], *sides))
        worse = shown_worse(found, margin_of(challenge, of, 0.8), challenge.level)
        held, named = held + bool(worse), named + (0 in worse)
    return 100 * held / pairs, 100 * named / pairs


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--metric", choices=list(MAKERS), action="append", help="default: all")
    given = parser.parse_args()
    print(f"{given.pairs} pairs a line, {given.resamples} draws; called worse, in %")
    heads = ("A/A, margin 0", "A/A, default", "lost 10 %", "lost 20 %", "lost 40 %")
    print(f"{'metric':10} {'rows':>6}" + "".join(f"{head:>15}" for head in heads))
    for metric in given.metric or MAKERS:
        for rows in (100, 1000):
            shares = [
                100 * np.mean([v == "worse" for v in verdicts(metric, rows, given.pairs, rule, lost)])
                for rule, lost in (
                    (Challenge(margin=0, resamples=given.resamples), 0.0),
                    *((Challenge(resamples=given.resamples), lost) for lost in (0.0, 0.1, 0.2, 0.4)),
                )
            ]
            print(f"{metric:10} {rows:6}" + "".join(f"{share:15.1f}" for share in shares), flush=True)

    print(f"\nby slice, {given.pairs} pairs a line; held for any slice, and for the one that lost signal, in %")
    print(f"{'metric':10} {'rows':>6} {'slices':>7}" + "".join(f"{head:>15}" for head in ("A/A", *heads[2:])))
    for metric in (name for name in given.metric or MAKERS if name in SLICED):
        for rows, slices in ((100, 5), (100, 20), (1000, 5)):
            draws = max(given.resamples, DRAWS_A_SLICE * slices)
            shares = [sliced(metric, rows * slices, slices, given.pairs, draws, lost) for lost in (0.0, 0.1, 0.2, 0.4)]
            cells = [f"{shares[0][0]:15.1f}", *(f"{named:15.1f}" for _, named in shares[1:])]
            print(f"{metric:10} {rows:6} {slices:7}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
