"""Several steps of a run in one process."""

import pytest

from kilnworks.pipelines.core.execute import run_together
from kilnworks.pipelines.core.gates import skip_rest
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.errors import DataInvalid, UnknownName
from tests.pipelines.chain import AddConfig, chain


@pytest.fixture
def run(tmp_path):
    return Store(tmp_path).run("chain", "r1")


def ended(run):
    return {s: run.outcome(s)["outcome"] for s in ("one", "two", "three") if run.outcome(s)}


def test_runs_in_the_order_of_the_pipeline(run):
    assert run_together(chain(), ["three", "one", "two"], run) == {"one": "done", "two": "done", "three": "done"}
    assert run.manifest("three")["inputs"]["number"]["step"] == "two"


def test_a_closed_gate_skips_the_rest_of_its_group(run):
    found = run_together(chain(two=AddConfig(most=1)), ["one", "two", "three"], run)
    assert found == {"one": "done", "two": "skipped", "three": "skipped"}
    assert run.outcome("three")["reason"] == "two was skipped"


def test_a_gate_closed_in_another_process_skips_too(run):
    pipeline = chain(two=AddConfig(most=1))
    run_together(pipeline, ["one", "two"], run)
    assert run_together(pipeline, ["three"], run) == {"three": "skipped"}


def test_a_failure_keeps_what_was_done_and_the_next_try_goes_on(run):
    with pytest.raises(DataInvalid):
        run_together(chain(three=AddConfig(fail="invalid")), ["one", "two", "three"], run)
    assert ended(run) == {"one": "done", "two": "done", "three": "failed"}
    assert run_together(chain(), ["one", "two", "three"], run) == {"one": "cached", "two": "cached", "three": "done"}


def test_an_unknown_step_runs_nothing(run):
    with pytest.raises(UnknownName):
        run_together(chain(), ["one", "tow"], run)
    assert ended(run) == {}


def test_what_an_orchestrator_left_out_is_recorded_as_skipped(run):
    pipeline = chain(two=AddConfig(most=1))
    run_together(pipeline, ["one", "two"], run)
    skip_rest(pipeline, run)
    assert ended(run) == {"one": "done", "two": "skipped", "three": "skipped"}


def test_what_did_not_run_after_a_failure_stays_without_outcome(run):
    with pytest.raises(DataInvalid):
        run_together(chain(two=AddConfig(fail="invalid")), ["one", "two"], run)
    skip_rest(chain(), run)
    assert ended(run) == {"one": "done", "two": "failed"}
