"""What counting a request costs: our counters against those of ``prometheus_client``, in turn in one process.

A request counts once and observes two histograms. Also printed is how each writes the names of TensorFlow Serving.

usage: python -m bench.metrics [--rounds N]
"""

import argparse
import statistics
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from kilnworks.components.serving.inference.metrics import LATENCY_BOUNDS, PrometheusMetrics

PREFIX = ":tensorflow:serving:"
REQUESTS = 20_000


def ours() -> tuple[Callable[[], None], Callable[[], str]]:
    """One request counted, and the page."""
    metrics = PrometheusMetrics()

    def request() -> None:
        metrics.request("m", "OK")
        metrics.latency("m", "Predict", "GRPC", 1500.0)
        metrics.runtime("m", "Predict", 900.0)

    return request, metrics.page


def theirs() -> tuple[Callable[[], None], Callable[[], str]]:
    """One request counted, and the page."""
    registry = CollectorRegistry()
    count = Counter(PREFIX + "request_count", "", ("model_name", "status"), registry=registry)
    names = ("model_name", "API", "entrypoint")
    latency = Histogram(PREFIX + "request_latency", "", names, buckets=LATENCY_BOUNDS, registry=registry)
    runtime = Histogram(PREFIX + "runtime_latency", "", names, buckets=LATENCY_BOUNDS, registry=registry)

    def request() -> None:
        count.labels("m", "OK").inc()
        latency.labels("m", "Predict", "GRPC").observe(1500.0)
        runtime.labels("m", "Predict", "TF1").observe(900.0)

    return request, lambda: generate_latest(registry).decode()


def microseconds(request: Callable[[], None]) -> float:
    """Of one request, over many."""
    started = time.perf_counter()
    for _ in range(REQUESTS):
        request()
    return (time.perf_counter() - started) / REQUESTS * 1e6


def main() -> None:
    """Print the ratio of paired rounds and the lines of both pages that differ most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="of 20,000 requests each [default: %(default)s]")
    (mine, my_page), (other, other_page) = ours(), theirs()
    pairs = [(microseconds(mine), microseconds(other)) for _ in range(parser.parse_args().rounds)]
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"ours {statistics.median(a for a, _ in pairs):.1f} us, prometheus_client {ratio:.2f} x")
    for name, page in (("ours", my_page()), ("prometheus_client", other_page())):
        lines = [line for line in page.splitlines() if "request_count" in line or 'le="18' in line]
        print(name, *lines[:4], sep="\n  ")


if __name__ == "__main__":
    main()
