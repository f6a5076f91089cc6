"""New data starts a run once: by file and by event, in bursts, and while a run goes on."""

import pytest

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
    from schemas.artifacts import CheckedExamples

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
