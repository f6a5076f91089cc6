"""MLflow's own client, on a database of MLflow's own making.

Importing MLflow costs seconds: one process does everything, and the tests look at what it says.
"""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SCRIPT = textwrap.dedent("""
    import dataclasses, json, sys, warnings
    from pathlib import Path
    warnings.simplefilter("ignore")
    from kilnworks.components.tracking.client import connected
    from kilnworks.components.tracking.collect import collect
    from kilnworks.components.tracking.tracker import default_artifacts, default_uri
    from mlflow import MlflowClient
    from tests.components.reporting.invented_run import InventedRun, dump

    store = Path(sys.argv[1])
    uri = default_uri(store)
    default_artifacts(store).mkdir(parents=True)
    client, answer = MlflowClient(uri, uri), {}

    def search(where):
        return [r.info.run_name for r in client.search_runs([identifier], where)]

    def champion():
        tagged = search("tags.kilnworks.champion = 'true'")
        return [client.get_model_version_by_alias("churn", "champion").version, tagged]

    def versions():
        return sorted(v.version for v in client.search_model_versions("name = 'churn'"))

    first = InventedRun(store, "first").done()
    pointer = store / "champions/churn.json"
    old = json.loads(pointer.read_text())
    with connected(uri, default_artifacts(store)) as tracker:
        answer["nothing"] = tracker.known("churn")
        answer["ids"] = [tracker.send(collect(first.path)) for _ in range(2)]
        answer["known"] = tracker.known("churn") == {"first": collect(first.path).tags["kilnworks.state"]}
        identifier = client.get_experiment_by_name("churn").experiment_id
        run = client.get_run(answer["ids"][0])
        answer["run"] = {"name": run.info.run_name, "status": run.info.status, "params": run.data.params,
                         "metrics": run.data.metrics, "start": run.info.start_time, "end": run.info.end_time}
        answer["curve"] = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")]
        [data] = run.inputs.dataset_inputs
        answer["data"] = [data.dataset.name, data.dataset.source, data.tags[0].value]
        answer["figures"] = sorted(a.path for a in client.list_artifacts(run.info.run_id, "figures"))
        answer["found"] = [search(where) for where in (
            "metrics.test_auc > 0.5 and metrics.val_loss < 1", "metrics.test_auc > 0.999",
            "params.model.optimizer.kind = 'adamw'", "tags.kilnworks.outcome = 'done'")]
        version = client.get_model_version_by_alias("churn", "champion")
        answer["version"] = [version.source, version.run_id, version.tags["kilnworks.path"], versions()]
        answer["champions"] = [champion()]

        published = store / "serving/churn/4"
        published.mkdir()
        second = InventedRun(store, "second")
        second.examples()
        dump(second.path / "deployment/deployment.json", {"model": "churn", "version": 4, "path": str(published)})
        second.finish("deployment")
        dump(pointer, {**old, "version": 4, "run_id": "second", "path": str(published)})
        tracker.send(collect(second.path))
        answer["champions"].append(champion())
        dump(pointer, old)
        tracker.point("churn", "churn", old["path"])
        answer["champions"].append(champion())

        cached = InventedRun(store, "cached")
        cached.examples()
        dump(cached.path / "deployment/deployment.json", {"model": "churn", "version": 3, "path": old["path"]})
        cached.finish("deployment", "cached")
        tracker.send(collect(cached.path))
        answer["after the cached"] = versions()

        second.outcome("model", "failed", seconds=1.0, reason="no answer", error={"got": "no answer"})
        second.finish("evaluation", seed=1)
        again = tracker.send(collect(second.path))
        run = client.get_run(again)
        answer["went on"] = [run.info.status, run.data.tags["mlflow.note.content"], run.data.params["evaluation.seed"]]
        changed = dataclasses.replace(collect(second.path), params={"evaluation.seed": "2"})
        other = tracker.send(changed)
        params, named = client.get_run(other).data.params, search("tags.kilnworks.run_id = 'second'")
        answer["changed"] = [other != again, params, named]
        client.delete_run(client.search_runs([identifier], "tags.kilnworks.run_id = 'cached'")[0].info.run_id)
        answer["deleted"] = sorted(tracker.known("churn"))
        client.delete_experiment(identifier)
        answer["restored"] = tracker.send(collect(first.path)) == answer["ids"][0]
    print(json.dumps(answer))
""")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracked")


@pytest.fixture(scope="module")
def answer(place: Path) -> dict[str, Any]:
    """What one process with MLflow found."""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(place)], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_twice_is_once(answer: dict[str, Any]) -> None:
    first, second = answer["ids"]
    assert first == second and answer["nothing"] == {} and answer["known"]
    assert len(answer["curve"]) == 12, "no value twice"


def test_a_run_is_whole(answer: dict[str, Any], place: Path) -> None:
    run = answer["run"]
    assert (run["name"], run["status"], run["start"]) == ("first", "FINISHED", 1767323045678)
    assert run["end"] == 1767323056000
    assert run["params"]["model.epochs"] == "12"
    assert run["metrics"]["test_auc_low"] < run["metrics"]["test_auc"] < run["metrics"]["test_auc_high"]
    assert [step for step, _ in answer["curve"]] == list(range(12))
    assert answer["data"] == ["churn", '{"uri": "data/churn.csv"}', "training"]
    assert "figures/roc.svg" in answer["figures"]
    assert any((place / "mlflow/artifacts/churn").rglob("roc.svg"))


def test_a_search_finds_a_run_by_plain_names(answer: dict[str, Any]) -> None:
    assert answer["found"] == [["first"], [], ["first"], ["first"]]


def test_a_published_version_is_registered_once_and_the_champion_is_followed(
    answer: dict[str, Any], place: Path
) -> None:
    served = str(place / "serving/churn/3")
    assert answer["version"] == [str(place / f"mlflow/artifacts/churn/{answer['ids'][0]}/artifacts"),
                                 answer["ids"][0], served, [1]]  # fmt: skip
    assert answer["champions"] == [[1, ["first"]], [2, ["second"]], [1, ["first"]]]
    assert answer["after the cached"] == [1, 2], "a deployment from the cache makes no second version"


def test_a_run_that_went_on_is_completed_and_one_with_other_settings_is_replaced(answer: dict[str, Any]) -> None:
    assert answer["went on"] == ["FAILED", "no answer", "1"]
    assert answer["changed"] == [True, {"evaluation.seed": "2"}, ["second"]]


def test_what_was_deleted_in_mlflow_is_known_and_an_experiment_comes_back_for_a_new_run(answer: dict[str, Any]) -> None:
    assert answer["deleted"] == ["cached", "first", "second"]
    assert answer["restored"]
