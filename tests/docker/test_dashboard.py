"""The dashboard of Grafana: every query asks for what our code emits, in a panel that can be read."""

import json
from itertools import combinations
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.docker.written import DASHBOARD, DOCKER, dashboard, emitted, metric_names, panels, queries, service

PROVISIONING = DOCKER / "grafana" / "provisioning"
BUILT_IN = {"up", "ALERTS"}
OF_PROMETHEUS = {"annotations/list/0/titleFormat", "annotations/list/0/step"}
"""What the data source adds to an annotation; the types of Grafana itself do not know it."""


def unknown(written: Any) -> set[str]:
    """Places of a dashboard that are gone, or other, once Grafana's types have read and written it.

    Source: ``grafana-foundation-sdk``, generated from the schemas that Grafana publishes.
    """
    register_default_plugins()
    return set(differing(written, json.loads(JSONEncoder().encode(Dashboard.from_json(written)))))


def differing(written: Any, read: Any, path: str = "") -> list[str]:
    """Paths at which ``read`` lacks what is ``written``, or has something else."""
    if isinstance(written, dict) and isinstance(read, dict):
        pairs = [(key, value, read.get(key)) for key, value in written.items()]
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        pairs = [(str(place), one, other) for place, (one, other) in enumerate(zip(written, read, strict=True))]
    else:
        return [] if written == read else [path]
    return [found for key, one, other in pairs for found in differing(one, other, f"{path}/{key}".strip("/"))]


def test_the_dashboard_is_what_grafana_publishes_as_its_schema():
    shown = {f"templating/list/{place}/definition" for place in range(4)}  # text of the editor of variables
    assert unknown(dashboard()) == OF_PROMETHEUS | shown


@pytest.mark.parametrize("typo", ["units", "min_value"])
def test_a_field_that_grafana_does_not_know_is_found(typo):
    wrong = dashboard()
    place = next(n for n, panel in enumerate(wrong["panels"]) if panel["type"] == "timeseries")
    wrong["panels"][place]["fieldConfig"]["defaults"][typo] = 1
    assert f"panels/{place}/fieldConfig/defaults/{typo}" in unknown(wrong)


@pytest.mark.parametrize("expression", queries().values(), ids=queries())
def test_a_query_asks_for_what_is_emitted(expression):
    names = metric_names(expression)
    assert names <= emitted()
    assert names or expression in BUILT_IN


def test_every_metric_of_ours_is_shown_or_explained_by_one_that_is():
    shown = set().union(*(metric_names(expression) for expression in queries().values()))
    left = {name for name in emitted() - shown if name.startswith("kilnworks_")}
    assert left == {
        "kilnworks_pipelines",
        "kilnworks_champion_version",  # in champion_info; the annotation of the dashboard asks for it
        "kilnworks_champion_live_timestamp_seconds",
        "kilnworks_last_run_started_timestamp_seconds",
        "kilnworks_drift_features",
        "kilnworks_drift_checked_timestamp_seconds",
    }


def test_panels_have_one_id_each_say_what_they_show_and_do_not_overlap():
    everything = dashboard()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert all(panel["description"].endswith(".") for panel in panels())
    for one, other in combinations([panel["gridPos"] for panel in everything], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in everything)


def test_the_data_source_is_the_provisioned_one():
    [source] = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090" and source["type"] == "prometheus"
    used = [panel["datasource"]["uid"] for panel in panels()]
    used += [target["datasource"]["uid"] for panel in panels() for target in panel["targets"]]
    used += [variable["datasource"]["uid"] for variable in dashboard()["templating"]["list"]]
    assert set(used) == {source["uid"]}


def test_the_dashboard_lies_where_grafana_is_told_to_look():
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "kilnworks.yaml").read_text())["providers"]
    mounts = dict(volume.removesuffix(":ro").split(":")[::-1] for volume in service("grafana")["volumes"])
    assert mounts[provider["options"]["path"]] == "./grafana/dashboards"
    home = service("grafana")["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/{DASHBOARD.name}"
