"""What stands in ``docker/``, for the tests of it."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import yaml

from kilnworks.components.monitoring.page import ORDER, PIPELINES, PREFIX
from kilnworks.components.serving.inference.metrics import Counter, Gauge, Histogram, PrometheusMetrics

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
PROMETHEUS = DOCKER / "prometheus"
DASHBOARD = DOCKER / "grafana" / "dashboards" / "kilnworks.json"
OURS = ("worker", "airflow", "serve", "client")
"""The targets of the Dockerfile."""


def compose():
    """``compose.yaml``, aliases and merges filled in."""
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def service(name: str):
    return compose()["services"][name]


def rules():
    """Every alert, in the order of the file."""
    groups = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard():
    return json.loads(DASHBOARD.read_text())


def panels():
    """Every panel of the dashboard that asks something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> dict[str, str]:
    """Panel and letter -> PromQL as it is written in the dashboard."""
    return {f"{panel['title']}, {t['refId']}": t["expr"] for panel in panels() for t in panel["targets"]}


def metric_names(expression: str) -> set[str]:
    """Names of our metrics, and of TensorFlow Serving's, in an expression of PromQL."""
    return set(re.findall(r":(?:tensorflow|kilnworks):serving:\w+|\bkilnworks_\w+", expression))


def emitted() -> set[str]:
    """Names of all series that a server of ours and ``kilnworks metrics`` can show."""
    found = {PIPELINES, *(f"{PREFIX}{gauge.name}" for gauge in ORDER)}
    for metric in vars(PrometheusMetrics()).values():
        if isinstance(metric, Histogram):
            found |= {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
        elif isinstance(metric, Counter | Gauge):
            found.add(metric.name)
    return found


def script(name: str) -> ModuleType:
    """A Python file of ``docker/``, which is no package, as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCKER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
