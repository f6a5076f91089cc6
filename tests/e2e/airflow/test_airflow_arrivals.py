"""New data starts a run once: by file and by event, in bursts, while a run goes on, and when everything crashes."""

import os
import signal
import time

import pytest

from kilnworks.schemas.files import read_json

pytestmark = pytest.mark.e2e


def put(world, name, first, rows=2):
    (world.landing / name).write_text("value\n" + "".join(f"{first + i}\n" for i in range(rows)))


def retrainings(world):
    return [run for run in world.runs("arriving") if run["dag_run_id"].startswith("retrain__")]


def wait_for(world, number):
    def ended():
        runs = retrainings(world)
        return runs if len(runs) >= number and all(r["state"] in ("success", "failed") for r in runs) else None

    return world.wait(f"{number} retrainings", ended, 180)


def rows(world, run):
    return world.store.run("arriving", run["dag_run_id"]).load("checked", checked()).rows("train")


def checked():
    from kilnworks.schemas.artifacts import CheckedExamples

    return CheckedExamples


def test_files_events_and_what_arrives_during_a_run(world):
    """One test, because each part stands on what the parts before it have left."""
    for i in range(50):
        put(world, f"burst-{i:02d}.csv", 10 * i)
    (world.landing / "half.csv.part").write_text("value\n")
    first = wait_for(world, 1)
    assert [(r["state"], rows(world, r)) for r in first] == [("success", 100)]

    asset = next(a for a in world.get("/api/v2/assets?limit=100")["assets"] if a["name"] == "arriving.landing")
    for _ in range(3):
        status, answer = world.call("POST", "/api/v2/assets/events", {"asset_id": asset["id"], "extra": {}})
        assert status == 200, answer
    put(world, "posted.csv", 9000)
    second = wait_for(world, 2)
    assert [(r["state"], rows(world, r)) for r in second] == [("success", 100), ("success", 102)]

    slow = world.start("arriving", {"model.epochs": 8, "model.seconds": 1.0})
    world.wait("a run that goes on", lambda: world.state("arriving", slow) == "running")
    put(world, "during.csv", 9100)
    put(world, "again.csv", 9000)
    third = wait_for(world, 3)
    assert [rows(world, r) for r in third] == [100, 102, 104]
    assert len({r["dag_run_id"] for r in third}) == 3
    assert len(list(world.landing.iterdir())) == 54


def test_every_process_is_killed_and_started_again(world):
    """What landed before the crash and during it is trained on, each row once."""
    before = [rows(world, run) for run in wait_for(world, 3)]
    put(world, "before.csv", 9200)
    time.sleep(2)
    for process in world.airflow.processes.values():
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    put(world, "while.csv", 9300)
    world.airflow.start()
    world.wait("the rest", lambda: [rows(world, r) for r in wait_for(world, 4)][-1] == before[-1] + 4, 180)
    time.sleep(10)
    found = [rows(world, run) for run in wait_for(world, 4)]
    assert found[:3] == before
    assert found[3:] in ([before[-1] + 4], [before[-1] + 2, before[-1] + 4])


def alerts(world, kind):
    found = [read_json(path) for path in (world.store.root / "alerts").glob("*.json")]
    return [a["text"] for a in found if a["kind"] == kind and a["pipeline"].startswith("arriving")]


def test_a_spoiled_file_fails_one_run_and_not_those_that_follow(world):
    before = wait_for(world, 4)
    (world.landing / "spoiled.csv").write_text("value\nmany\n")
    failed = wait_for(world, len(before) + 1)[-1]
    assert failed["state"] == "failed"
    put(world, "after.csv", 9400)
    later = wait_for(world, len(before) + 2)[-1]
    assert (later["state"], rows(world, later)) == ("success", rows(world, before[-1]) + 2)
    world.wait("the alert", lambda: any("column value" in text for text in alerts(world, "failed")))
    (aside,) = world.wait("the other alert", lambda: alerts(world, "set aside"))
    assert aside.startswith(f"spoiled.csv is set aside: run {failed['dag_run_id']} failed: column value")


@pytest.mark.nightly
def test_a_retraining_that_cannot_be_decided_is_red_and_told(world):
    """And goes on once somebody has mended it."""
    before = wait_for(world, 1)
    ledger = world.store.root / "retraining" / "arriving" / "ledger.json"
    whole = ledger.read_bytes()
    ledger.write_text("{")
    world.wait("a red run", lambda: "failed" in {run["state"] for run in world.runs("arriving_retrain")}, 180)
    world.wait("the alert", lambda: any("ledger.json is damaged" in text for text in alerts(world, "failed")))
    ledger.write_bytes(whole)
    put(world, "mended.csv", 9500)
    assert wait_for(world, len(before) + 1)[-1]["state"] == "success"
