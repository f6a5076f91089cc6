"""The page that Prometheus reads: names, labels, buckets, and numbers that survive many threads."""

import re
import threading

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from kilnworks.components.serving.inference.metrics import LATENCY_BOUNDS, MAX_SERIES, Counter, PrometheusMetrics

LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_]+="(?:[^"\\]|\\.)*",?)*)\} (\S+)$')


def samples(page: str) -> dict[str, float]:
    """Every sample of a page by name and labels; fails on a line that is not of the text format."""
    found = {}
    for line in page.rstrip("\n").split("\n"):
        if line and not line.startswith("# TYPE "):
            match = LINE.match(line)
            assert match, line
            found[f"{match[1]}{{{match[2]}}}"] = float(match[3])
    return found


def test_an_empty_page_is_one_line() -> None:
    assert PrometheusMetrics().page() == "\n"


def test_names_and_labels_of_the_contract() -> None:
    metrics = PrometheusMetrics()
    metrics.request("m", "OK")
    metrics.request("m", "OK")
    metrics.request("", "INVALID_ARGUMENT")
    metrics.latency("m", "predict", "REST", 20.0)
    metrics.runtime("m", "Predict", 5.0)
    metrics.examples("m", 3)
    metrics.warmup("/m/1", "OK", 2, 100.0)
    page = metrics.page()
    found = samples(page)
    assert found[':tensorflow:serving:request_count{model_name="m",status="OK"}'] == 2
    assert found[':tensorflow:serving:request_count{model_name="",status="INVALID_ARGUMENT"}'] == 1
    prefix = ':tensorflow:serving:request_latency_bucket{model_name="m",API="predict",entrypoint="REST",le='
    assert [found[prefix + f'"{le}"}}'] for le in ("10", "18", "32.4", "+Inf")] == [0, 0, 1, 1]
    assert found[':tensorflow:serving:runtime_latency_count{model_name="m",API="Predict",runtime="TF1"}'] == 1
    assert found[':tensorflow:serving:request_example_counts_bucket{model="m",le="2"}'] == 0
    assert found[':tensorflow:serving:request_example_counts_bucket{model="m",le="4"}'] == 1
    assert found[':tensorflow:serving:request_example_count_total{model="m"}'] == 3
    assert found[':tensorflow:serving:model_warmup_records_read{model_path="/m/1",status="OK"}'] == 2
    assert "# TYPE :tensorflow:serving:request_count counter\n" in page
    assert "# TYPE :tensorflow:serving:request_latency histogram\n" in page


def test_the_reader_of_prometheus_finds_every_metric_under_its_name_and_kind() -> None:
    metrics = PrometheusMetrics()
    metrics.request('a"b\\c\nd', "OK")
    metrics.latency("m", "predict", "REST", 20.0)
    metrics.examples("m", 3)
    metrics.request_limit_bytes.set(7)
    metrics.running.read = lambda: {"m": 2}
    families = {family.name: family for family in text_string_to_metric_families(metrics.page())}
    counted = families[":tensorflow:serving:request_count"]
    assert counted.type == "counter"
    [sample] = counted.samples
    assert sample.name == f"{counted.name}_total", "the reader calls every counter so, whatever its name is on the page"
    assert (sample.labels["model_name"], sample.value) == ('a"b\\c\nd', 1)
    latency = families[":tensorflow:serving:request_latency"]
    buckets = [s.value for s in latency.samples if s.name.endswith("_bucket")]
    assert latency.type == "histogram" and buckets == sorted(buckets) and (buckets[0], buckets[-1]) == (0, 1)
    assert {s.name for s in latency.samples if s.value == 20} == {":tensorflow:serving:request_latency_sum"}
    assert families[":kilnworks:serving:request_limit_bytes"].samples[0].value == 7
    assert families[":kilnworks:serving:model_runs"].samples[0].labels == {"model_name": "m"}


def test_buckets_against_numpy() -> None:
    metrics = PrometheusMetrics()
    values = np.random.default_rng(0).lognormal(6, 3, 2000)
    for value in values:
        metrics.latency("m", "Predict", "GRPC", float(value))
    found = samples(metrics.page())
    assert len(LATENCY_BOUNDS) == 33
    np.testing.assert_allclose(LATENCY_BOUNDS, 10 * 1.8 ** np.arange(33))
    labels = 'model_name="m",API="Predict",entrypoint="GRPC"'
    for bound in LATENCY_BOUNDS:
        wanted = np.count_nonzero(values < bound)
        assert found[f':tensorflow:serving:request_latency_bucket{{{labels},le="{bound:g}"}}'] == wanted
    np.testing.assert_allclose(found[f":tensorflow:serving:request_latency_sum{{{labels}}}"], values.sum())


def test_names_that_a_client_chose_are_escaped_and_bounded() -> None:
    metrics = PrometheusMetrics()
    metrics.request('a"b\\c\nd\udcff', "OK")
    assert 'model_name="a\\"b\\\\c\\nd\ufffd"' in metrics.page()
    metrics.page().encode()
    for i in range(MAX_SERIES + 100):
        metrics.request(f"m{i}", "NOT_FOUND")
    found = samples(metrics.page())
    assert len(found) <= MAX_SERIES + 1
    assert sum(found.values()) == MAX_SERIES + 101


def test_no_count_is_lost_between_threads() -> None:
    counter = Counter("c", ("k",))
    threads = [threading.Thread(target=lambda: [counter.add(("a",)) for _ in range(20_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value(("a",)) == 80_000
