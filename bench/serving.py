"""Speed of the model server over gRPC and REST, as a share of the model's own speed in this process.

``python -m bench.serving [--rounds 3] [--seconds 2.5] [--protocol grpc]``

Ratio = requests/s divided by the rate at which the same SavedModel's concrete function is called in this process with
the same batch, just before and just after. Clients run in a process of their own, on the same machine. Absolute rates
follow the load of the machine; ratios much less so.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kilnworks.schemas.crashes import ending

ROOT = Path(__file__).parents[1]
MODEL = "digits"
REFERENCE_SECONDS = 1.0
HEAVY_ROWS = "heavy-rows"
BATCHING = "max_batch_size { value: 64 } batch_timeout_micros { value: 1000 } max_enqueued_batches { value: 256 }"


@dataclass(frozen=True)
class Point:
    """What is measured, and the ratio to reach."""

    protocol: str
    batch: int
    clients: int
    target: float


POINTS = (
    Point("grpc", 1, 1, 0.45),
    Point("grpc", 1, 4, 0.75),
    Point("grpc", 1, 16, 0.75),
    Point("grpc", 32, 1, 0.60),
    Point("grpc", 32, 4, 1.00),
    Point("rest", 1, 1, 0.40),
    Point("rest", 1, 4, 0.60),
    Point("rest", 32, 4, 0.40),
)


@dataclass(frozen=True)
class Measured:
    """One run of one point."""

    rate: float
    reference: float
    p50_ms: float
    p99_ms: float
    errors: int

    @property
    def ratio(self) -> float:
        """Requests/s over the reference."""
        return self.rate / self.reference


def export_models(folder: Path) -> None:
    """A small convolutional network on 8 x 8 images, and one whose rows cost as much in a batch as alone."""
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D()(x))
    x = keras.layers.Dense(64, activation="relu")(x)
    probabilities = keras.layers.Dense(10, activation="softmax")(x)
    model = keras.Model(image, {"probabilities": probabilities})
    model.export(str(folder / MODEL / "1"), verbose=False)
    x = keras.layers.UpSampling2D(8)(image)
    for filters in (16, 32, 32):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    probabilities = keras.layers.Dense(10, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    heavy = keras.Model(image, {"probabilities": probabilities})
    heavy.export(str(folder / HEAVY_ROWS / "1"), verbose=False)


class Reference:
    """Calls of the SavedModel's concrete function in this process."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._model = tf.saved_model.load(str(folder / MODEL / "1"))
        self._call = self._model.signatures["serving_default"]

    def rate(self, batch: int) -> float:
        """Calls/s with numpy in and out, one thread."""
        image = np.random.default_rng(0).random((batch, 8, 8, 1)).astype(np.float32)
        for _ in range(20):
            self._call(image=image)["probabilities"].numpy()
        calls, started = 0, time.perf_counter()
        while (took := time.perf_counter() - started) < REFERENCE_SECONDS:
            self._call(image=image)["probabilities"].numpy()
            calls += 1
        return calls / took


@contextlib.contextmanager
def server(model: Path, *flags: str) -> Iterator[dict[str, int]]:
    """A server of the versions in a folder on free ports; yields the ports."""
    command = [
        sys.executable,
        "-m",
        "kilnworks.components.serving",
        "--port=0",
        "--rest_api_port=0",
        f"--model_name={MODEL}",
    ]
    command += [f"--model_base_path={model}", *flags]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, text=True)
        line = process.stdout.readline()
        if not line:
            log.seek(0)
            raise RuntimeError(f"the server ended with {ending(process.wait())}:\n{log.read()[-3000:]}")
    try:
        yield json.loads(line)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def measure(point: Point, ports: dict[str, int], reference: Reference, seconds: float) -> Measured:
    """One run between two measurements of the reference."""
    port = ports["grpc_port" if point.protocol == "grpc" else "rest_api_port"]
    before = reference.rate(point.batch)
    command = [sys.executable, "-m", "bench.serving_load", point.protocol, f"127.0.0.1:{port}", MODEL]
    options = [f"--batch={point.batch}", f"--clients={point.clients}", f"--seconds={seconds}"]
    out = subprocess.run([*command, *options], capture_output=True, text=True, check=True, cwd=ROOT)
    found = json.loads(out.stdout.splitlines()[-1])
    after = reference.rate(point.batch)
    return Measured(found["rate"], (before + after) / 2, found["p50_ms"], found["p99_ms"], found["errors"])


def table(results: dict[Point, list[Measured]]) -> str:
    """Medians over the rounds, as Markdown."""
    lines = [
        "| protocol | batch | clients | requests/s | ratio (lowest - highest) | to reach | p50 / p99 ms | errors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for point, runs in results.items():
        if not runs:
            continue
        ratios = [run.ratio for run in runs]
        middle = statistics.median
        lines.append(
            f"| {point.protocol} | {point.batch} | {point.clients} | {middle(r.rate for r in runs):.0f} | "
            f"**{middle(ratios):.2f}** ({min(ratios):.2f} - {max(ratios):.2f}) | "
            f"{point.target:.2f} | "
            f"{middle(r.p50_ms for r in runs):.2f} / {middle(r.p99_ms for r in runs):.2f} | "
            f"{sum(r.errors for r in runs)} |"
        )
    return "\n".join(lines)


def compared(model: Path, reference: Reference, point: Point, flags: Sequence[str], pairs: int, seconds: float) -> str:
    """Requests/s of a server with ``flags`` over those without, in turn; both servers have done the same before."""
    ratios = []
    with server(model) as plain, server(model, *flags) as other:
        for number in range(pairs):
            turn = (plain, other) if number % 2 else (other, plain)
            rates = {id(ports): measure(point, ports, reference, seconds).rate for ports in turn}
            ratios.append(rates[id(other)] / rates[id(plain)])
    middle = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} - {max(ratios):.2f})"
    return f"| {point.protocol} | {point.batch} | {point.clients} | {model.name} | {middle} | {pairs} |"


def batching_table(folder: Path, reference: Reference, protocols: Sequence[str], pairs: int, seconds: float) -> None:
    """Print what batching does to the requests per second, a line as soon as it is known."""
    (folder / "batching.config").write_text(BATCHING)
    batching = ["--enable_batching", f"--batching_parameters_file={folder / 'batching.config'}"]
    print("\nRequests per second with batching over those without, in turn:\n")
    print("| protocol | batch | clients | model | ratio (lowest - highest) | pairs |\n|---|---|---|---|---|---|")
    for protocol in protocols:
        for batch, clients, model in ((1, 16, MODEL), (32, 16, MODEL), (1, 1, MODEL), (1, 16, HEAVY_ROWS)):
            point = Point(protocol, batch, clients, 0.0)
            print(compared(folder / model, reference, point, batching, pairs, seconds), flush=True)
    found = compared(folder / MODEL, reference, Point(protocols[0], 1, 16, 0.0), [], pairs, seconds)
    print(f"{found} (the same server twice, without batching)", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every point in turn, several rounds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.5)
    parser.add_argument("--protocol", choices=["grpc", "rest"], help="only this one")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    points = [point for point in POINTS if arguments.protocol in (None, point.protocol)]
    results: dict[Point, list[Measured]] = {point: [] for point in points}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export_models(folder)
        reference = Reference(folder)
        with server(folder / MODEL) as ports:
            for _ in range(arguments.rounds):
                for point in points:
                    results[point].append(measure(point, ports, reference, arguments.seconds))
        print(table(results), flush=True)
        protocols = [arguments.protocol] if arguments.protocol else ["grpc", "rest"]
        batching_table(folder, reference, protocols, 2 * arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
