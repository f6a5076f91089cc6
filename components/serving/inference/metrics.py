"""Counters and histograms of the server, as text for Prometheus, under TensorFlow Serving's names.

The cost of a request is one dictionary look-up, one lock and one addition for each metric. Names that clients choose
(an unknown model in a URL) cannot fill the memory: beyond ``MAX_SERIES`` label sets a metric counts under ``other``.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_SERIES = 4096
"""Label sets of one metric; further ones are counted together."""
MAX_LABEL = 256
"""Characters of a label value that are kept: some are what a client calls a model."""

LATENCY_BOUNDS: tuple[float, ...] = tuple(10 * 1.8**i for i in range(33))
"""Upper bounds in microseconds; the last bucket takes the rest."""
COUNT_BOUNDS: tuple[float, ...] = tuple(2.0**i for i in range(15))


class Counter:
    """A number by label values that only grows."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self.name, self.labels = name, tuple(labels)
        self._values: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def add(self, values: tuple[str, ...], by: int = 1) -> None:
        """Count ``by`` more under these label values."""
        with self._lock:
            key = _known(self._values, values)
            self._values[key] = self._values.get(key, 0) + by

    def value(self, values: tuple[str, ...]) -> int:
        """What was counted so far; 0 for label values not seen."""
        return self._values.get(values, 0)

    def lines(self) -> Iterator[str]:
        """The exposition of this metric."""
        with self._lock:
            values = sorted(self._values.items())
        if values:
            yield f"# TYPE {self.name} counter"
        for key, count in values:
            yield f"{self.name}{{{labels_text(self.labels, key)}}} {count}"


class Gauge:
    """A number, or one for each value of a label, asked for when the page is written."""

    def __init__(self, name: str, label: str = "") -> None:
        self.name, self._label = name, label
        self.read: Callable[[], Mapping[str, int]] = dict

    def set(self, value: int) -> None:
        """The number from now on, of a gauge without a label."""
        self.read = lambda: {"": value}

    def lines(self) -> Iterator[str]:
        """The exposition of this metric; nothing while there is no number."""
        found = self.read()
        if found:
            yield f"# TYPE {self.name} gauge"
        for value, number in found.items():
            yield f"{self.name}{f'{{{labels_text((self._label,), (value,))}}}' if self._label else ''} {number}"


class Histogram:
    """Observations by label values, in buckets."""

    def __init__(self, name: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self.name, self.labels, self.bounds = name, tuple(labels), tuple(bounds)
        self._limits = (*(f"{b:g}" for b in bounds), "+Inf")
        self._buckets: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def observe(self, values: tuple[str, ...], amount: float) -> None:
        """Add one observation."""
        bucket = bisect_right(self.bounds, amount)
        with self._lock:
            key = _known(self._buckets, values)
            buckets = self._buckets.get(key)
            if buckets is None:
                buckets = self._buckets[key] = [0] * (len(self.bounds) + 1)
                self._sums[key] = 0.0
            buckets[bucket] += 1
            self._sums[key] += amount

    def count(self, values: tuple[str, ...]) -> int:
        """Number of observations so far; 0 for label values not seen."""
        return sum(self._buckets.get(values, ()))

    def lines(self) -> Iterator[str]:
        """The exposition of this metric."""
        with self._lock:
            found = [(key, list(b), self._sums[key]) for key, b in sorted(self._buckets.items())]
        if found:
            yield f"# TYPE {self.name} histogram"
        for key, buckets, total in found:
            labels, seen = labels_text(self.labels, key), 0
            for limit, count in zip(self._limits, buckets, strict=True):
                seen += count
                yield f'{self.name}_bucket{{{labels},le="{limit}"}} {seen}'
            yield f"{self.name}_sum{{{labels}}} {total:.15g}"
            yield f"{self.name}_count{{{labels}}} {seen}"


class PrometheusMetrics:
    """The server's metrics and their page. Every method may be called from any thread."""

    def __init__(self) -> None:
        prefix = ":tensorflow:serving:"
        latency = LATENCY_BOUNDS
        self.request_count = Counter(prefix + "request_count", ("model_name", "status"))
        self.request_latency = Histogram(prefix + "request_latency", ("model_name", "API", "entrypoint"), latency)
        self.runtime_latency = Histogram(prefix + "runtime_latency", ("model_name", "API", "runtime"), latency)
        self.example_counts = Histogram(prefix + "request_example_counts", ("model",), COUNT_BOUNDS)
        self.example_count_total = Counter(prefix + "request_example_count_total", ("model",))
        self.warmup_latency = Histogram(prefix + "model_warmup_latency", ("model_path", "status"), latency)
        self.warmup_records = Counter(prefix + "model_warmup_records_read", ("model_path", "status"))
        self.request_limit_bytes = Gauge(":kilnworks:serving:request_limit_bytes")
        self.runs_limit = Gauge(":kilnworks:serving:model_runs_limit")
        self.running = Gauge(":kilnworks:serving:model_runs", "model_name")
        self.waiting = Gauge(":kilnworks:serving:model_waiting_requests", "model_name")
        self.requests_refused = Counter(":kilnworks:serving:requests_refused", ("reason",))
        self.prediction_log_records = Counter(":kilnworks:serving:prediction_log_records", ("outcome",))

    def request(self, model: str, status: str) -> None:
        """Count a finished request; ``status`` is a code's name, e.g. ``"OK"``."""
        self.request_count.add((model, status))

    def latency(self, model: str, api: str, entrypoint: str, microseconds: float) -> None:
        """Whole time of a request that succeeded; ``entrypoint`` is ``"GRPC"`` or ``"REST"``."""
        self.request_latency.observe((model, api, entrypoint), microseconds)

    def runtime(self, model: str, api: str, microseconds: float) -> None:
        """Time until the graph had run for a request, a wait for its batch included; ``api`` is e.g. ``"Predict"``."""
        self.runtime_latency.observe((model, api, "TF1"), microseconds)

    def examples(self, model: str, count: int) -> None:
        """Number of examples in a Classify, Regress or MultiInference request."""
        self.example_counts.observe((model,), count)
        self.example_count_total.add((model,), count)

    def warmup(self, model_path: str, status: str, records: int, microseconds: float) -> None:
        """One version's warm-up is over; ``status`` is a code's name."""
        self.warmup_latency.observe((model_path, status), microseconds)
        self.warmup_records.add((model_path, status), records)

    def prediction_log(self, outcome: str) -> None:
        """One sampled request was ``written`` to the prediction log, ``dropped``, or ``failed`` or ``lost`` on a disk
        that is full; stock has no such metric.
        """
        self.prediction_log_records.add((outcome,))

    def refused(self, reason: str) -> None:
        """A request was refused that would have cost too much, or for which there was no place."""
        self.requests_refused.add((reason,))

    def page(self) -> str:
        """Everything in Prometheus' text format."""
        metrics = sorted(
            (m for m in vars(self).values() if isinstance(m, Counter | Gauge | Histogram)),
            key=lambda m: m.name,
        )
        return "\n".join(line for metric in metrics for line in metric.lines()) + "\n"


def _known(
    known: "dict[tuple[str, ...], int] | dict[tuple[str, ...], list[int]]", key: tuple[str, ...]
) -> tuple[str, ...]:
    """``key``, or ``other`` in each place when there are too many already; long values are cut."""
    if any(len(value) > MAX_LABEL for value in key):
        key = tuple(value[:MAX_LABEL] for value in key)
    return key if key in known or len(known) < MAX_SERIES else ("other",) * len(key)


def labels_text(names: Sequence[str], values: Sequence[str]) -> str:
    """Labels as the text format writes them: ``model_name="churn",status="OK"``."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True))


def _escape(value: str) -> str:
    """A label value; bytes that are not UTF-8 are shown by the replacement character."""
    clean = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
