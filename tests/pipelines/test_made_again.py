"""What is said of a step that is made although it was made before."""

import pytest

from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.store import Store
from tests.pipelines.chain import AddConfig, MakeConfig, chain


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def reasons(store: Store, name: str, pipeline, **how) -> dict[str, str]:
    """Run it; step -> what its outcome says."""
    run = store.run("chain", name)
    return {step: run.outcome(step)["reason"] for step in run_all(pipeline, run, **how)}


def test_a_first_run_says_nothing(store):
    assert set(reasons(store, "r1", chain()).values()) == {""}


def test_settings_and_inputs_are_named(store):
    reasons(store, "r1", chain())
    assert reasons(store, "r2", chain(two=AddConfig(add=5, most=50))) == {
        "one": "from run r1",
        "two": "made again, unlike in run r1: settings (add, most)",
        "three": "made again, unlike in run r1: its input number",
    }


def test_the_newest_run_that_made_it_is_meant(store):
    reasons(store, "r1", chain())
    reasons(store, "r2", chain(one=MakeConfig(value=2)))
    said = reasons(store, "r3", chain(one=MakeConfig(value=3)))
    assert said["one"] == "made again, unlike in run r2: settings (value)"


def test_a_resumed_run_is_compared_with_itself(store):
    reasons(store, "r1", chain())
    reasons(store, "r2", chain(one=MakeConfig(value=2)))
    assert "in run r1: settings" in reasons(store, "r1", chain(one=MakeConfig(value=3)))["one"]


def test_what_was_asked_for_needs_no_reason(store):
    reasons(store, "r1", chain())
    assert set(reasons(store, "r2", chain(), fresh=True).values()) == {""}


def test_a_lost_file(store):
    reasons(store, "r1", chain())
    (store.run("chain", "r1").step_path("two") / "value.txt").unlink()
    said = reasons(store, "r2", chain())
    assert said["two"] == "made again, unlike in run r1: the data or code that its settings name, or its files are gone"


def test_code_and_fields_of_another_release(store):
    """A field that a release has added is part of its code; nobody has set it."""
    from kilnworks.schemas.files import read_json, write_json

    reasons(store, "r1", chain())
    path = store.run("chain", "r1").step_path("two") / "manifest.json"
    old = read_json(path)
    del old["config"]["most"]
    write_json(path, {**old, "code": "0" * 64, "fingerprint": "1" * 64, "config": {**old["config"], "add": 9}})
    said = reasons(store, "r2", chain())
    assert said["two"] == "made again, unlike in run r1: its code, settings (add)"


def test_a_library_of_another_version(store):
    from kilnworks.schemas.files import read_json, write_json

    reasons(store, "r1", chain())
    path = store.run("chain", "r1").step_path("one") / "manifest.json"
    old = read_json(path)
    assert "pydantic" in old["libraries"]
    write_json(path, {**old, "libraries": {**old["libraries"], "pydantic": "1.0"}, "fingerprint": "1" * 64})
    said = reasons(store, "r2", chain())["one"]
    assert said == f"made again, unlike in run r1: pydantic 1.0 -> {old['libraries']['pydantic']}"
