"""Which steps share a process."""

from dataclasses import replace

import pytest

from kilnworks.pipelines.core.operations import Approval, Operations, Python, Task, stage
from kilnworks.pipelines.core.registry import load
from kilnworks.schemas.artifacts import CheckedExamples, Deployment, Model
from kilnworks.schemas.errors import UnknownName, WiringError
from tests.pipelines.chain import Number, chain

TOGETHER = Task(group="pair")


def with_tasks(**tasks):
    return replace(chain(), operations=Operations(tasks=tasks))


def names(pipeline):
    return [(unit.name, [step.name for step in unit.steps]) for unit in pipeline.units()]


def test_alone_by_default():
    assert names(chain()) == [("one", ["one"]), ("two", ["two"]), ("three", ["three"])]


def test_all_steps_of_churn_that_need_tensorflow_share_a_process():
    assert names(load("churn")) == [
        ("examples", ["examples"]),
        ("checked", ["checked"]),
        ("learn", ["transform", "model", "evaluation", "servable"]),
        ("deployment", ["deployment"]),
    ]


def test_a_group_is_one_unit_behind_what_its_steps_need():
    found = with_tasks(two=TOGETHER, three=TOGETHER)
    assert names(found) == [("one", ["one"]), ("pair", ["two", "three"])]
    assert found.units()[1].upstream() == ("one",)


def test_a_group_retries_as_often_as_any_of_its_steps():
    plain = with_tasks(two=TOGETHER, three=TOGETHER)
    steps = tuple(replace(s, retries=3) if s.name == "three" else s for s in plain.steps)
    assert replace(plain, steps=steps).units()[1].retries == 3


def test_a_group_with_another_step_in_its_middle_is_refused():
    with pytest.raises(WiringError, match="cannot run in one go"):
        with_tasks(one=TOGETHER, three=TOGETHER)


def test_a_group_of_two_minds_is_refused():
    with pytest.raises(WiringError, match="different pools"):
        with_tasks(two=TOGETHER, three=replace(TOGETHER, where=Python("/usr/bin/python3")))


def test_a_group_may_wait_for_a_person_only_before_its_first_step():
    waiting = replace(TOGETHER, approval=Approval())
    assert with_tasks(two=waiting, three=TOGETHER).units()[1].task.approval == Approval()
    with pytest.raises(WiringError, match="waits for approval"):
        with_tasks(two=TOGETHER, three=waiting)


@pytest.mark.parametrize("tasks", [{"two": Task(group="two")}, {"two": Task(group="three")}])
def test_a_group_is_not_called_like_a_step(tasks):
    with pytest.raises(WiringError, match="called like a step"):
        with_tasks(**tasks)


def test_settings_for_a_step_that_is_not_there():
    with pytest.raises(UnknownName, match="did you mean 'two'"):
        with_tasks(tow=Task())


def test_stages_by_what_is_made():
    kinds = (CheckedExamples, Model, Deployment, Number)
    assert [stage(Task(), kind) for kind in kinds] == ["data", "learning", "release", "steps"]
    assert stage(Task(stage="own"), Model) == "own"


def test_settings_of_operation_stay_when_steps_are_configured():
    pipeline = with_tasks(two=TOGETHER, three=TOGETHER).configured({"two.add": 5})
    assert names(pipeline)[1] == ("pair", ["two", "three"])
