"""The form that moves a champion by hand: what it offers, what it refuses, and the command that it becomes."""

import re
import shutil

import jsonschema
import pytest

from kilnworks.dags.champion import PROMOTE, ROLLBACK, arguments, build_champion_dag
from kilnworks.dags.factory import build_dag
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.promotion import WISHES
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.errors import ConfigError

pytestmark = pytest.mark.slow


def ran(store: Store, run_id: str, **settings):
    run = store.run("toy", run_id)
    run.begin("test", settings)
    run_all(load("toy").configured(settings), run)
    return run


@pytest.fixture
def store(project):
    """A run that was live, one that is, and one whose gate closed."""
    store = Store(project)
    ran(store, "r1")
    ran(store, "r2", **{"model.epochs": 3})
    assert ran(store, "closed", **{"evaluation.minimum": {"mean": 99.0}}).manifest("servable") is None
    assert read_champion(store.root, "toy").run_id == "r2"
    return store


def schema(dag, name):
    return dag.params.get_param(name).schema


def offered(dag, name):
    """Choice -> what it is shown as."""
    rules = schema(dag, name)
    assert {"null" if v is None else str(v) for v in rules["enum"]} == set(rules["values_display"])
    return {value: rules["values_display"][str(value)] for value in rules["enum"] if value is not None}


def test_the_form_offers_the_runs_whose_model_can_go_live_with_a_line_about_each(store):
    runs = offered(build_champion_dag(load("toy"), store), "known_run")
    assert list(runs) == ["r1"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, mean 2\.0000, was version 1, r1", runs["r1"])


def test_the_newest_run_is_offered_first_and_a_damaged_one_hides_no_dag(store):
    ran(store, "r3", **{"model.epochs": 7})
    assert list(offered(build_champion_dag(load("toy"), store), "known_run")) == ["r2", "r1"]
    (store.run("toy", "r2").path / "deployment" / "deployment.json").write_text("{")
    assert "r1" in offered(build_champion_dag(load("toy"), store), "known_run")
    (store.run("toy", "r1").path / "run.json").write_text("{")
    assert offered(build_champion_dag(load("toy"), store), "known_run") == {}


def test_the_form_offers_the_versions_that_are_still_published(store):
    ran(store, "r3", **{"model.epochs": 7})
    versions = offered(build_champion_dag(load("toy"), store), "known_version")
    assert versions == {2: "version 2 of run r2", 1: "version 1 of run r1"}
    shutil.rmtree(store.root / "serving" / "toy" / "1")
    assert set(offered(build_champion_dag(load("toy"), store), "known_version")) == {2}


def test_an_empty_store_offers_nothing_and_says_so(project):
    dag = build_champion_dag(load("toy"), Store(project))
    assert schema(dag, "known_run")["values_display"] == {"null": "no run can be promoted"}
    assert offered(dag, "known_version") == {}


def test_in_the_process_of_a_task_no_choice_has_left_the_list(store):
    dag = build_champion_dag(load("toy"))
    assert "enum" not in schema(dag, "known_run")
    assert "enum" not in schema(dag, "known_version")


def red_when_it_opens(param):
    """Airflow's form shows a field as wrong that must be given and is empty."""
    kinds = param.schema.get("type")
    return bool(kinds) and "null" not in kinds and param.value in (None, "")


def test_no_field_is_shown_as_wrong_before_anything_is_typed(store):
    for dag in (build_champion_dag(load("toy"), store), build_dag(load("toy"))):
        params = {name: dag.params.get_param(name) for name in dag.params}
        assert [name for name, param in params.items() if red_when_it_opens(param)] == []


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_reason_must_be_given(store, reason):
    rules = schema(build_champion_dag(load("toy"), store), "reason")
    jsonschema.validate("better on the new customers", rules)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(reason, rules)


@pytest.mark.parametrize(
    ("filled", "command"),
    [
        ({"known_run": "r1"}, ("promote", "toy", "--run=r1", "--reason=why")),
        ({"run": "--store=x"}, ("promote", "toy", "--run=--store=x", "--reason=why")),
        ({"known_run": "r1", "run": "r1"}, ("promote", "toy", "--run=r1", "--reason=why")),
        ({"action": ROLLBACK}, ("rollback", "toy", "--reason=why")),
        ({"action": ROLLBACK, "known_version": 2}, ("rollback", "toy", "--to=2", "--reason=why")),
        ({"action": ROLLBACK, "version": 1}, ("rollback", "toy", "--to=1", "--reason=why")),
    ],
)
def test_what_was_chosen_or_typed_is_the_command(filled, command):
    assert arguments("toy", {"action": PROMOTE, "reason": "why", **filled}) == command


@pytest.mark.parametrize(
    ("filled", "got"),
    [
        ({}, "no run is named"),
        ({"known_run": "r1", "run": "r2"}, "known_run r1 and run r2"),
        ({"known_run": "r1", "known_version": 2}, "promote with version 2"),
        ({"action": ROLLBACK, "run": "r1"}, "roll back with run r1"),
        ({"action": ROLLBACK, "known_version": 1, "version": 2}, "known_version 1 and version 2"),
    ],
)
def test_a_form_that_contradicts_itself_moves_nothing(filled, got):
    with pytest.raises(ConfigError, match=got):
        arguments("toy", {"action": PROMOTE, "reason": "why", **filled})


def test_what_may_go_live_is_explained_choice_by_choice(project):
    rules = build_dag(load("toy")).params.get_param("live")
    assert rules.description is None, "Airflow shows Markdown only where there is no plain text"
    lines = rules.schema["description_md"].splitlines()
    assert [line.split("**")[1] for line in lines] == list(WISHES)
