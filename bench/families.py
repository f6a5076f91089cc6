"""Every example pipeline once, from nothing: what it reaches beside simple models, and how long it takes.

usage: python -m bench.families [PIPELINE ...]      # prints the table of docs/families.md

Each is run by its one command in a store of its own. The figure is the first headline of its evaluation, with its 95 %
interval, on rows that it has not seen; beside it stand the simple models of the same evaluation, on the same rows.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.measure import run
from kilnworks.components.reporting.results import headlines
from kilnworks.components.reporting.sections.wording import metric_label
from kilnworks.schemas.files import read_json

FAMILIES = {
    "churn": "table: ensemble of dense networks",
    "digits": "pictures: convolutional network",
    "scenes": "objects in pictures: detector with a pyramid",
    "spam": "texts: bags of n-grams",
    "words": "words: skip-gram",
    "demand": "series: GRU and quantiles",
    "vowels": "sequences: dilated convolutions",
    "sensors": "anomalies: autoencoder",
    "digits_rbm": "deep belief network: one machine, logistic regression",
    "digits_gan": "generation: DCGAN, of the class asked for",
    "segments": "clusters: k-means",
    "cartpole": "control: deep Q-learning",
    "gridworld": "control: deep Q-learning, in a world whose optimum is known",
}
"""Pipelines, and the family that each stands for."""


def beside(results: dict[str, Any], metric: str) -> Iterator[str]:
    """Simple models that were measured on the same rows, by name."""
    for name, one in {**results.get("simple", {}), **results.get("baselines", {})}.items():
        value = one.get("metrics", one).get(metric)
        if value is not None:
            yield f"{name} {value:.3g}"
    if not (results.get("simple") or results.get("baselines")):
        baseline = results.get("baseline") or {}
        value = baseline.get("metrics", {}).get(metric)
        if value is not None:
            yield f"{baseline['rule']}: {value:.3g}"


def line(pipeline: str, folder: Path) -> str:
    """The line of one pipeline, run now."""
    store = folder / pipeline
    env = {"KILNWORKS_STORE": str(store), "MLFLOW_TRACKING_URI": ""}
    command = [sys.executable, "-m", "kilnworks", "run", pipeline, "--run-id", "one"]
    used = run(command, folder / f"{pipeline}.log", env)
    results = read_json(store / "runs" / pipeline / "one" / "evaluation" / "evaluation.json")
    metric = headlines(results)[0]
    found = results["metrics"][metric]
    cells = (
        FAMILIES[pipeline],
        f"`{pipeline}`",
        metric_label(metric),
        f"**{found['value']:.3g}** ({found['low']:.3g} to {found['high']:.3g})",
        "; ".join(beside(results, metric)),
        f"{results['rows']:,}",
        f"{used.wall:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    print("| family | pipeline | metric | ours (95 % interval) | beside it | rows judged | seconds |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for pipeline in sys.argv[1:] or FAMILIES:
            print(line(pipeline, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
