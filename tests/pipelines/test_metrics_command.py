"""``kilnworks metrics`` and ``serving config --every`` as processes, on light stores of their own."""

import json
import re
import signal
import subprocess
import sys
import urllib.request

import fsspec
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.remote import Remote
from kilnworks.pipelines.core.store import Store
from tests.pipelines.chain import chain

pytestmark = pytest.mark.slow


def store_with_runs(folder):
    for number, run in enumerate(("r:1", "r:2"), 1):
        path = folder / "runs" / "small" / run.replace(":", "_")
        path.mkdir(parents=True)
        (path / "run.json").write_text(json.dumps({"pipeline": "small", "run_id": run, "number": number}))
    pointer = folder / "champions" / "small.json"
    pointer.parent.mkdir()
    pointer.write_text(json.dumps({"pipeline": "small", "model": "small", "version": 3, "run_id": "r:1"}))
    (folder / "runs/small/r_1/evaluation").mkdir()
    (folder / "runs/small/r_1/evaluation/manifest.json").write_text('{"files": {}}')
    (folder / "runs/small/r_1/evaluation/evaluation.json").write_text('{"metrics": {"auc": {"value": 0.5}}}')
    return folder


def started(*arguments):
    command = [sys.executable, "-m", "kilnworks", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_page_once(tmp_path, capsys):
    store = store_with_runs(tmp_path / "store")
    assert main(["metrics", "--once", "--runs", "1", "--store", str(store)]) == 0
    page = capsys.readouterr().out
    assert 'kilnworks_runs{pipeline="small",outcome="empty"} 1.0' in page, "one run is looked at"
    assert 'kilnworks_champion_info{pipeline="small",model="small",version="3",run_id="r:1"} 1.0' in page
    assert 'kilnworks_champion_metric{pipeline="small",model="small",metric="auc"} 0.5' in page, "of an older run"


def test_served_until_it_is_ended(tmp_path):
    store = store_with_runs(tmp_path / "store")
    process = started("metrics", "--port", 0, "--store", store)
    try:
        url = re.search(r"http://127\.0\.0\.1:\d+/metrics", process.stdout.readline())[0]
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert b'kilnworks_champion_version{pipeline="small",model="small"} 3.0' in answer.read()
        (store / "runs/small/r_2/run.json").write_text("{")
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(url, timeout=30)
        (store / "runs/small/r_2/run.json").write_text('{"pipeline": "small", "run_id": "r:2"}')
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_is_taken_is_said_in_words(tmp_path):
    first = started("metrics", "--port", 0, "--store", tmp_path)
    try:
        port = re.search(r":(\d+)/", first.stdout.readline())[1]
        second = started("metrics", "--port", port, "--store", tmp_path)
        out, errors = second.communicate(timeout=60)
        assert second.returncode == 2 and "--port 0 takes a free one" in errors and "Traceback" not in errors + out
    finally:
        first.kill()
        first.communicate()


def test_files_for_tensorflow_serving_are_kept_in_step(tmp_path):
    store, out = tmp_path / "store", tmp_path / "out"
    process = started("serving", "config", "--every", 0.1, "--store", store, "--out", out)
    models = out / "models.config"
    try:
        assert "no published model" in process.stderr.readline()
        for name in ("churn", "digits"):
            (store / "serving" / name / "1").mkdir(parents=True)
            assert f"{models}\n" in process.stdout  # reads on to that line
            assert f'"/models/{name}"' in models.read_text()
        assert (out / "batching.config").is_file() and (out / "monitoring.config").is_file()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert str(models) not in process.stdout.read(), "each change is said once"
        assert "published model" not in process.stderr.read(), "what hinders is said once"
    finally:
        process.kill()
        process.communicate()


def test_a_store_that_another_host_fills(tmp_path, capsys, monkeypatch):
    url = f"memory://metrics-{tmp_path.name}"
    here = Store(tmp_path / "here", Remote(url, tmp_path / "here"))
    run_all(chain(), here.run("chain", "r1"))
    here.run("chain", "r1").begin("test", {})
    monkeypatch.setenv("KILNWORKS_MIRROR", str(tmp_path / "there"))
    try:
        assert main(["metrics", "--once", "--store", url]) == 0
        assert 'kilnworks_last_run_outcome{pipeline="chain",outcome="done"} 1.0' in capsys.readouterr().out
    finally:
        fsspec.filesystem("memory").rm(url.removeprefix("memory:/"), recursive=True)


def test_a_store_that_cannot_be_reached_is_said_in_words(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("KILNWORKS_MIRROR", str(tmp_path))
    assert main(["metrics", "--once", "--store", "nosuch://bucket"]) != 0
    assert "Traceback" not in capsys.readouterr().err
