"""The alert rules: read and tested by promtool, on names that our code emits."""

import subprocess

import pytest
import yaml

from tests import needed
from tests.docker.written import PROMETHEUS, compose, emitted, metric_names, rules


def promtool(*arguments):
    return subprocess.run([needed.promtool(), *arguments], capture_output=True, text=True, check=False, cwd=PROMETHEUS)


def test_the_configuration_and_the_rules_are_right():
    done = promtool("check", "config", "prometheus.yaml")
    assert done.returncode == 0 and f"{len(rules())} rules found" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_each_alert_is_raised_where_it_is_due_and_not_elsewhere():
    done = promtool("test", "rules", "rules.test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_tests_of_the_rules_can_fail(tmp_path):
    text = (PROMETHEUS / "rules.yaml").read_text()
    (tmp_path / "rules.yaml").write_text(text.replace("> 0.01", "> 0.5").replace("6 * 3600", "7 * 3600"))
    (tmp_path / "rules.test.yaml").write_text((PROMETHEUS / "rules.test.yaml").read_text())
    done = promtool("test", "rules", str(tmp_path / "rules.test.yaml"))
    assert done.returncode != 0 and "ModelServerErrors" in done.stderr and "RunDoesNotEnd" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_is_emitted_and_is_tested_both_ways(rule):
    names = metric_names(rule["expr"])
    assert names <= emitted() and (names or rule["expr"].startswith("up{"))
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description"}
    tests = yaml.safe_load((PROMETHEUS / "rules.test.yaml").read_text())["tests"]
    found = [case for test in tests for case in test["alert_rule_test"] if case["alertname"] == rule["alert"]]
    assert any(case["exp_alerts"] for case in found), "it is never seen raised"


def test_every_target_is_a_service_and_the_jobs_are_those_of_the_rules():
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"][0] for job in jobs}
    assert targets.pop("prometheus") == "127.0.0.1:9090"
    assert {target.partition(":")[0] for target in targets.values()} <= set(compose()["services"])
    told = "".join(rule["expr"] for rule in rules())
    assert all(job in told for job in targets)
