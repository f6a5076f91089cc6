"""The dashboard of Grafana: every query asks for what our code emits, in a panel that can be read."""

from itertools import combinations

import pytest
import yaml

from tests.docker.written import DASHBOARD, DOCKER, dashboard, emitted, metric_names, panels, queries, service

PROVISIONING = DOCKER / "grafana" / "provisioning"
BUILT_IN = {"up", "ALERTS"}


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
