"""What a search finds and costs, and what the other commands around a training cost beside a plain run.

Regret is the best value of so many trials minus the known minimum; both samplers are ours as ``kilnworks tune`` makes
them, with the same seeds. A trial is compared with a run of the same settings up to the training, in one process, in
turn, each on settings that nothing has been made with before. Commands are whole processes, one after the other on the
store of the run, whose finished steps they take.

usage: python -m bench.craft [--seeds 20] [--trials 60] [--pipeline churn] [--searches 3] [--pairs 6]
"""

import argparse
import io
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from bench.measure import Figures, run
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.space import Space, trained_step
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.tuning.plan import Plan, default_of, sampler
from kilnworks.pipelines.tuning.study import Study, Taken
from kilnworks.pipelines.tuning.trial import run_trial
from kilnworks.pipelines.tuning.work import work
from kilnworks.schemas.search import Float, Sampler, Search

SAMPLERS: tuple[Sampler, ...] = ("random", "tpe")
COMMANDS = (
    ("tune", "--trials", "4"),
    ("crossval", "--folds", "3"),
    ("diagnose", "--shares", "0.5"),
    ("lr-find",),
    ("explain",),
    ("compress", "--to", "int8"),
    ("compress", "--to", "litert"),
    ("compress", "--to", "pruned"),
)
"""What is done around a training, with its options."""
LONGEST = {"model.epochs": 10}
"""Settings of every trial on a pipeline."""


@dataclass(frozen=True)
class Known:
    """A function of which the minimum is known (Surjanovic & Bingham, Virtual Library of Simulation Experiments)."""

    name: str
    bounds: tuple[tuple[float, float], ...]
    minimum: float
    of: Callable[[Sequence[float]], float]


def branin(x: Sequence[float]) -> float:
    """Three minima of the same depth."""
    bowl = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return bowl**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10


def hartmann6(x: Sequence[float]) -> float:
    """Six minima, in six dimensions."""
    weights = np.array([1.0, 1.2, 3.0, 3.2])
    scale = np.array([
        [10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14],
    ])  # fmt: skip
    places = 1e-4 * np.array([
        [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
    ])  # fmt: skip
    return -float(weights @ np.exp(-(scale * (np.asarray(x) - places) ** 2).sum(axis=1)))


def rosenbrock(x: Sequence[float]) -> float:
    """A curved valley."""
    return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


FUNCTIONS = (
    Known("Branin, 2 settings", ((-5, 10), (0, 15)), 0.397887, branin),
    Known("Rosenbrock, 4 settings", ((-2, 2),) * 4, 0.0, rosenbrock),
    Known("Hartmann, 6 settings", ((0, 1),) * 6, -3.32237, hartmann6),
)


def regret(known: Known, how: Sampler, trials: int, seed: int) -> float:
    """Of the best of so many trials."""
    dimensions = {f"x{i}": Float(low=low, high=high) for i, (low, high) in enumerate(known.bounds)}
    study = optuna.create_study(sampler=sampler(Search(sampler=how, seed=seed)))
    for _ in range(trials):
        taken = Taken(study.ask(), io.StringIO())
        values = [taken.value(name, dimension) for name, dimension in dimensions.items()]
        study.tell(taken.trial, known.of(values))
    return float(study.best_value) - known.minimum


def searched(pipeline: str, how: Sampler, trials: int, seed: int) -> float:
    """The best objective of a search on a pipeline, in a store that has nothing but the steps before the training."""
    made = load(pipeline).configured(LONGEST)
    space = Space.of(replace(made, search=Search(sampler=how, trials=trials, seed=seed, pruner="none")))
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Store(Path(folder)), pipeline, "bench")
        study.begin(Plan.of(space, LONGEST), default_of(space))
        work(study, space, trials, lambda outcome: None)
        best = study.best()
        assert best is not None
        return float(best["value"])


def overhead(pipeline: str, pairs: int) -> list[float]:
    """CPU seconds of a trial over those of a run with the same settings, pair by pair."""
    made = load(pipeline).configured(LONGEST)
    space, step = Space.of(made), trained_step(made).name
    with tempfile.TemporaryDirectory() as folder:
        store, study = Store(Path(folder) / "a"), Study(Store(Path(folder) / "b"), pipeline, "bench")
        study.begin(Plan.of(space, LONGEST), default_of(space))
        found = []
        for number in range(pairs + 1):
            taken = study.take(pairs + 1)
            assert taken is not None
            settings: dict[str, Any] = {} if taken.is_default else space.overrides(taken.value)
            plain = _seconds(lambda s=settings, n=number: _plain(store, space, s, step, n))
            with taken.lock:
                trial = _seconds(lambda t=taken: run_trial(study, t, space))
            found.append(trial / plain)
        return found[1:]  # the first pays for what is imported


def costs(pipeline: str) -> None:
    """Print what each command takes, beside the run whose store it stands on."""
    with tempfile.TemporaryDirectory() as folder:
        store = {"KILNWORKS_STORE": str(Path(folder) / "store"), "MLFLOW_TRACKING_URI": ""}

        def used(number: int, *words: str) -> Figures:
            command = [sys.executable, "-m", "kilnworks", words[0], pipeline, *words[1:]]
            return run(command, Path(folder) / f"{number}.log", store)

        plain = used(0, "run")
        for number, words in enumerate((("run",), *COMMANDS)):
            took = used(number, *words) if number else plain
            line = " ".join((words[0], pipeline, *words[1:]))
            figures = f"{took.cpu:.1f} | {took.wall:.1f} | {took.peak_mb:.0f} | {took.cpu / plain.cpu:.2f}"
            print(f"| `{line}` | {figures} |", flush=True)


def _plain(store: Store, space: Space, settings: dict[str, Any], step: str, number: int) -> None:
    pipeline = space.pipeline.configured(settings)
    run = store.run(pipeline.name, f"plain-{number}")
    run.begin("bench", settings, steps=pipeline.outline())
    run_all(pipeline, run, selected=pipeline.between(None, step))


def _seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("seeds", 20), ("trials", 60), ("searches", 3), ("pairs", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--pipeline", default="churn")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"| {given.trials} trials, {given.seeds} seeds: median regret (quartiles) | random | tpe | tpe is better |")
    print("|---|---|---|---|")
    for known in FUNCTIONS:
        found = {how: [regret(known, how, given.trials, s) for s in range(given.seeds)] for how in SAMPLERS}
        cells = [_quartiles(found[how]) for how in SAMPLERS]
        better = sum(t < r for r, t in zip(found["random"], found["tpe"], strict=True))
        print(f"| {known.name} | {' | '.join(cells)} | {better} of {given.seeds} |", flush=True)
    print(f"\n| {given.pipeline}, best objective of 16 trials | random | tpe |\n|---|---|---|")
    for seed in range(given.searches):
        values = [f"{searched(given.pipeline, how, 16, seed):.5f}" for how in SAMPLERS]
        print(f"| seed {seed} | {' | '.join(values)} |", flush=True)
    ratios = overhead(given.pipeline, given.pairs)
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"\nA trial over a plain run of {given.pipeline}, CPU: {statistics.median(ratios):.2f} ({spread})")
    print("\n| command | CPU s | wall s | peak MB | CPU, x the run |\n|---|---|---|---|---|")
    costs(given.pipeline)


def _quartiles(values: Sequence[float]) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


if __name__ == "__main__":
    main()
