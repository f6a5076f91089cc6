"""Training data larger than memory: what it learns, what memory it takes and how fast it is; part of ``make bench``.

Prints Markdown tables for ``docs/performance.md``. Every training runs in a process of its own.

1. The same rows unsorted and sorted by the label, by a score and by time: numbers of the validation split when they are
   streamed, against those of the unsorted rows in memory. To stay within: 0.005.
2. Peak memory of the process over that of the same model trained on 2,000 rows, against ``memory_mb``: tables of one
   and of ten million rows, images of 64 x 64 x 3.
3. CPU seconds and rows per second, streamed over in memory, from runs in turn.

usage: python -m bench.streaming [--rows N] [--parts learned memory speed]
"""

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.measure import run
from kilnworks.schemas.contract import Contract

OUT = Path(__file__).parent / "out" / "streaming"
CHUNK = 250_000
CITIES = 300
START = 1_600_000_000
TABLE = Contract.model_validate(
    {
        "name": "payments",
        "time": "when",
        "features": {
            "score": {"dtype": "float"},
            "amount": {"dtype": "float", "nullable": True},
            "age": {"dtype": "int"},
            "balance": {"dtype": "float"},
            "visits": {"dtype": "int"},
            "when": {"dtype": "datetime"},
            "city": {"dtype": "string"},
            "channel": {"dtype": "string"},
        },
        "label": {"name": "fraud", "dtype": "string", "classes": ["no", "yes"]},
    }
)
IMAGES = Contract.model_validate(
    {
        "name": "pictures",
        "features": {"picture": {"dtype": "image", "shape": [64, 64, 3]}},
        "label": {"name": "kind", "dtype": "int", "classes": [0, 1, 2, 3]},
    }
)
TABLE_RUN: dict[str, Any] = {"model": {"kind": "mlp", "units": [64, 32]}, "batch": 512, "early_stopping": None}
IMAGE_RUN: dict[str, Any] = {"model": {"kind": "cnn", "filters": [4]}, "batch": 64, "early_stopping": None, "epochs": 1}
SMALL: dict[str, Any] = {"memory_mb": 16, "buffer_mb": 2}
"""Streams whatever the size, and mixes so little at a time that a poor order would show."""


def payments(rows: int, seed: int) -> pl.DataFrame:
    """Fraud that a score of an older model, the city and the hour tell, and that grows with time."""
    r = np.random.default_rng(seed)
    effect = np.random.default_rng(7).normal(0, 0.8, CITIES)
    city, when, amount = r.integers(0, CITIES, rows), r.random(rows), np.exp(r.normal(3, 1, rows))
    seconds = (START + when * 63e6).astype(np.int64)
    night = (seconds % 86_400) < 6 * 3600
    logit = effect[city] + 0.5 * np.log(amount) - 2.2 + 1.2 * night + 1.4 * (when - 0.5)
    score = logit + r.normal(0, 1.0, rows)
    frame = {
        "score": score,
        "amount": pl.Series(np.where(r.random(rows) < 0.05, np.nan, amount)).fill_nan(None),
        "age": r.integers(18, 90, rows),
        "balance": r.normal(0, 1000, rows),
        "visits": r.poisson(4, rows),
        "when": pl.Series(seconds * 1_000_000).cast(pl.Datetime("us")),
        "city": pl.Series([f"city {i:03d}" for i in range(CITIES)]).gather(city),
        "channel": pl.Series(["app", "web", "branch", "phone"]).gather(r.integers(0, 4, rows)),
        "fraud": pl.Series(["no", "yes"]).gather((r.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)),
    }
    return pl.DataFrame(frame)


def pictures(rows: int, seed: int) -> pl.DataFrame:
    """Noise with a bright quarter, class by class as a folder of images has them."""
    r = np.random.default_rng(seed)
    kinds = np.sort(r.integers(0, 4, rows))
    pixels = r.integers(0, 200, (rows, 2, 32, 2, 32, 3), dtype=np.uint8)
    pixels[np.arange(rows), kinds // 2, :, kinds % 2] += 55
    return pl.DataFrame({"picture": pl.Series(pixels.reshape(rows, -1)), "kind": kinds})


def write(name: str, contract: Contract, splits: dict[str, Iterator[pl.DataFrame]]) -> Path:
    """Examples with these rows as ``ingest`` would write them, and the fitted transform beside them."""
    from kilnworks.components.features.settings import PreprocessConfig
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.sources.shards import SHARD_BYTES, ShardWriter, row_bytes
    from kilnworks.schemas.artifacts import Examples
    from kilnworks.schemas.files import write_json

    root, described = OUT / name, {}
    shutil.rmtree(root, ignore_errors=True)
    for split, frames in splits.items():
        writer: ShardWriter | None = None
        for frame in frames:
            rows = min(1_000_000, SHARD_BYTES // row_bytes(frame))
            writer = writer or ShardWriter(root / "examples", split, rows)
            writer.add(frame)
        assert writer is not None
        described[split] = writer.close()
    content = {"contract": contract.model_dump(mode="json"), "splits": described}
    write_json(root / "examples/examples.json", content)
    files = Examples(root / "examples").files("train")
    plan = FeatureTransform.fit(contract, files, PreprocessConfig()).plan
    write_json(root / "transform/transform.json", plan.model_dump(mode="json"))
    return root


def trained(data: Path, **settings: Any) -> dict[str, Any]:
    """``training.json`` of a training in a process of its own, with ``peak_mb`` and ``cpu`` seconds."""
    command = [sys.executable, "-m", "bench.streaming", "--one", str(data), json.dumps(settings)]
    figures = run(command, OUT / "one.log", {"TF_CPP_MIN_LOG_LEVEL": "3"})
    return {**json.loads(figures.output.splitlines()[-1]), "peak_mb": figures.peak_mb, "cpu": figures.cpu}


def one(data: Path, settings: dict[str, Any]) -> None:
    """Train here, and print ``training.json`` as the last line."""
    from kilnworks.components.train import TrainConfig, train
    from kilnworks.schemas.artifacts import CheckedExamples, Transform
    from kilnworks.schemas.context import RunContext

    out, work = data / "out", data / "work"
    for folder in (out, work):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    examples, transform = CheckedExamples(data / "examples"), Transform(data / "transform")
    model = train(TrainConfig.model_validate(settings), examples, transform, out, RunContext(OUT, "", "", "", work))
    print("\n" + json.dumps({k: v for k, v in model.training.items() if k != "contract"}))


def chunks(make: Any, rows: int, seed: int, size: int = CHUNK) -> Iterator[pl.DataFrame]:
    """``rows`` rows, a chunk at a time."""
    for number, start in enumerate(range(0, rows, size)):
        yield make(min(size, rows - start), seed + number)


def learned(rows: int) -> None:
    """Part 1."""
    frame, unseen = payments(rows, 1), payments(rows // 8, 2)
    print("| rows sorted by | val accuracy | apart | val AUC | apart |\n|---|---|---|---|---|")
    reference: dict[str, float] = {}
    for by in (None, "", "fraud", "score", "when"):
        ordered = [f.sort(by) if by else f for f in (frame, unseen)]
        data = write("sorted", TABLE, {"train": iter(ordered[:1]), "val": iter(ordered[1:])})
        made = trained(data, **TABLE_RUN, epochs=3, **({} if by is None else SMALL))
        assert made["streamed"] == (by is not None)
        best = made["best"]
        reference = reference or best
        cells = [f"{best[n]:.4f} | {best[n] - reference[n]:+.4f}" for n in ("val_accuracy", "val_auc")]
        what = "nothing, in memory" if by is None else f"{by or 'nothing'}, streamed"
        print(f"| {what} | {' | '.join(cells)} |", flush=True)


def memory(tables: tuple[int, ...] = (1_000_000, 10_000_000), images: int = 12_000) -> None:
    """Part 2."""
    print("| data | encoded MB | memory_mb | peak over 2,000 rows, MB | val accuracy | rows/s |\n" + "|---" * 6 + "|")
    cases = [("table", TABLE, payments, n, CHUNK, 64, {**TABLE_RUN, "epochs": 1}) for n in tables]
    cases.append(("images", IMAGES, pictures, images, 1_000, 100, IMAGE_RUN))
    for kind, contract, make, rows, size, limit, settings in cases:
        few = write("few", contract, {"train": chunks(make, 2_000, 0), "val": chunks(make, 500, 9)})
        base = trained(few, **settings)["peak_mb"]
        data = write("many", contract, {"train": chunks(make, rows, 0, size), "val": chunks(make, rows // 8, 99, size)})
        for megabytes in (limit, 4 * limit) if kind == "images" else (limit,):
            made = trained(data, **settings, memory_mb=megabytes)
            assert made["streamed"] == (megabytes == limit)
            cells = [f"{rows:,} rows, {kind}", f"{encoded_mb(data):.0f}", f"{megabytes}"]
            cells += [f"{made['peak_mb'] - base:.0f}", f"{made['best']['val_accuracy']:.4f}"]
            cells.append(f"{made['examples_per_second']:,.0f}")
            print(f"| {' | '.join(cells)} |", flush=True)
        shutil.rmtree(data)


def encoded_mb(data: Path) -> float:
    """Size of both encoded splits."""
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.arrays import split_bytes
    from kilnworks.schemas.artifacts import Examples, Transform

    transform = FeatureTransform.load(Transform(data / "transform"))
    return split_bytes(Examples(data / "examples"), ("train", "val"), transform) / 2**20


def speed(rows: int, rounds: int = 2) -> None:
    """Part 3."""
    data = write("speed", TABLE, {"train": chunks(payments, rows, 1), "val": chunks(payments, rows // 8, 99)})
    ratios, rates = [], []
    for _ in range(rounds):
        held, streamed = (trained(data, **TABLE_RUN, epochs=2, **s) for s in ({}, {"memory_mb": 1}))
        assert streamed["streamed"] > held["streamed"]
        ratios.append(streamed["cpu"] / held["cpu"])
        rates.append(streamed["examples_per_second"] / held["examples_per_second"])
    for what, found in (("CPU seconds of the process", ratios), ("rows per second", rates)):
        shown = f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"
        print(f"{what}, streamed over in memory, {rows:,} rows: {shown}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400_000, help="training rows of parts 1 and 3")
    parser.add_argument("--parts", nargs="+", default=["learned", "memory", "speed"])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(Path(options.one[0]), json.loads(options.one[1]))
        return
    if "learned" in options.parts:
        learned(options.rows)
    if "memory" in options.parts:
        memory()
    if "speed" in options.parts:
        speed(options.rows)
    shutil.rmtree(OUT, ignore_errors=True)


if __name__ == "__main__":
    main()
