"""How long ``run`` is said to take: by the work of the layers, counted against Keras, and by a budget."""

import time

import pytest

from kilnworks.components.modeling.bag import Bag
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.modeling.vision import Vision
from kilnworks.components.sources import CsvSource
from kilnworks.components.starting import durations
from kilnworks.components.starting.durations import operations, timed
from kilnworks.components.starting.recipe import Recipe
from kilnworks.schemas.contract import Feature
from tests.components.learning.training_examples import DIGITS, TABLE


def recipe(model=None, contract=TABLE, **training) -> Recipe:
    return Recipe(contract, CsvSource(path="rows.csv"), 1000, model or Tabular(), {"epochs": 60, **training})


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 2])
def test_products_of_an_image_are_those_of_its_convolutions(stride: int) -> None:
    from kilnworks.components.features.encoded import EncodedTensor
    from tests.components.tasks.some_tasks import multiclass

    model = Vision(filters=(4, 8, 16), stem_stride=stride)
    built = model.network([EncodedTensor(name="x", shape=(16, 16, 1), dtype="float32", kind="image")], multiclass(3))
    convolutions = [layer for layer in built.layers if layer.name.startswith("conv2d") and "around" not in layer.name]
    exact = sum(
        layer.kernel.shape.num_elements() * layer.output.shape[1] * layer.output.shape[2] for layer in convolutions
    )
    assert durations._convolved(16 * 16, 1, model) == exact


def test_work_grows_with_rows_members_and_networks_on_all_rows() -> None:
    one = operations(recipe())
    assert one is not None
    assert operations(recipe(Tabular(members=32))) == pytest.approx(2 * one)
    again = 2 * durations.ON_ALL_ROWS * durations.BEST / durations.STOPS
    assert operations(recipe(refit=2)) == pytest.approx((1 + again) * one)
    assert operations(recipe(epochs=5)) == pytest.approx(one * 5 / durations.STOPS)
    assert operations(recipe(epochs=5, refit=1)) == pytest.approx(one * 5 * 2.125 / durations.STOPS)
    assert operations(recipe(Vision(), DIGITS)) is not None
    assert operations(recipe(Bag())) is None


def test_it_is_said_by_the_speed_of_this_machine(monkeypatch) -> None:
    work = operations(recipe())
    assert work is not None
    monkeypatch.setattr(durations, "speed", lambda: (work / 120, durations.LOOPS))
    made = timed(recipe(), None)
    (told,) = made.decisions
    assert (told.what, told.choice) == ("duration", "run takes about 2 min")
    assert told.why.startswith("2 min of it training;")
    assert "budget_minutes" not in made.training
    hurried = timed(recipe(), 0.5)
    assert hurried.training["budget_minutes"] == 0.5
    assert hurried.decisions[0].choice == "run takes about 60 s"
    assert "2 min without the budget" in hurried.decisions[0].why
    assert "2 min of it training, within the budget of 5 min;" in timed(recipe(), 5.0).decisions[0].why
    assert timed(recipe(Bag()), None).decisions == ()
    assert timed(recipe(Bag()), 2.0).decisions[0].choice == "the training ends within 2 min"


def test_the_speed_is_measured_in_less_than_a_person_notices() -> None:
    start = time.thread_time()
    products, loops = durations.speed()
    assert time.thread_time() - start < 2
    assert products > 1e7
    assert loops > 1e4


def test_processors_count_that_this_process_may_use(monkeypatch) -> None:
    monkeypatch.setattr(durations, "_best", lambda probe: 1.0)
    monkeypatch.setattr(durations.os, "sched_getaffinity", lambda process: {3}, raising=False)
    one, _ = durations.speed()
    monkeypatch.setattr(durations.os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    assert durations.speed()[0] == 3 * one


def test_an_array_is_as_wide_as_it_has_numbers() -> None:
    def of(features) -> float | None:
        return operations(recipe(contract=TABLE.model_copy(update={"features": features})))

    number, array = (Feature(dtype="float", shape=shape) for shape in ((), (Tabular().number_size,)))
    assert of({"x": array}) == of({"x": number})
    assert of({"x": array}) < of({"x": Feature(dtype="float", shape=(784,))})


def test_a_wait_for_other_programs_is_no_part_of_the_speed(monkeypatch) -> None:
    """A machine that is busy takes the processor away while it is measured: here for longer than all probes take."""
    products, loops = durations.speed()
    multiplied, turned = durations._multiplied, durations._turned

    def waiting(probe):
        def probed(*args):
            time.sleep(0.1)
            return probe(*args)

        return probed

    monkeypatch.setattr(durations, "_multiplied", waiting(multiplied))
    monkeypatch.setattr(durations, "_turned", waiting(turned))
    monkeypatch.setattr(durations, "PROBES", 3)
    slow_products, slow_loops = durations.speed()
    assert slow_products > products / 4  # by the wall clock a tenth or less
    assert slow_loops > loops / 4
