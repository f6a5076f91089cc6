"""How long ``run`` is said to take: by the work of the layers, counted against Keras, and by a budget."""

import time

import pytest

from kilnworks.components.learning.settings import EarlyStopping
from kilnworks.components.modeling.autoencoder import Autoencoder
from kilnworks.components.modeling.bag import Bag
from kilnworks.components.modeling.clusters import Clusters
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.modeling.generative.boltzmann import Rbm
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.sequential.sequence import SequenceModel
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.modeling.vision import Vision
from kilnworks.components.sources import CsvSource
from kilnworks.components.starting import durations
from kilnworks.components.starting.durations import operations, timed
from kilnworks.components.starting.recipe import Recipe
from kilnworks.schemas.code import Bytes
from kilnworks.schemas.contract import Contract, Feature
from tests.components.learning.training_examples import DIGITS, TABLE


def recipe(model=None, contract=TABLE, rows=1000, characters=0, **training) -> Recipe:
    settings = {"epochs": 60, "early_stopping": EarlyStopping(patience=6), **training}
    return Recipe(contract, CsvSource(path="rows.csv"), rows, model or Tabular(), settings, characters=characters)


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
    again = 2 * durations.ON_ALL_ROWS * 12 / 18
    assert operations(recipe(refit=2)) == pytest.approx((1 + again) * one), (
        "18 epochs with a patience of 6, the 12th best"
    )
    assert operations(recipe(epochs=5)) == pytest.approx(one * 5 / 18)
    assert operations(recipe(early_stopping=EarlyStopping(patience=12))) == pytest.approx(2 * one)
    assert operations(recipe(early_stopping=None)) == pytest.approx(one * 60 / 18)
    assert operations(recipe(Vision(), DIGITS)) is not None
    assert operations(recipe(Rbm(units=(4,)))) is None


SERIES = Contract.model_validate(
    {
        "name": "hours",
        "features": {"heat": {"dtype": "float"}},
        "label": {"name": "load", "dtype": "float"},
        "time": "at",
        "series": {"step": "1h", "window": 48, "horizon": 24},
    }
)
COURSES = TABLE.model_copy(update={"features": {"t": Feature(dtype="float", shape=(29, 12))}})
PHOTOGRAPHS = DIGITS.model_copy(
    update={"features": {"image": Feature(dtype="image", shape=(160, 120, 3), min=0, max=255)}}
)
KINDS = {
    "texts": {"model": Bag(), "characters": 1_000_000},
    "forecast": {"model": Forecast(core="none", members=4), "contract": SERIES},
    "sequences": {"model": SequenceModel(core="tcn"), "contract": COURSES},
    "transfer": {"model": Transfer(weights=Bytes(path="weights.pth"), fine_tune=3), "contract": PHOTOGRAPHS},
    "anomalies": {"model": Autoencoder()},
}
"""What ``new`` begins with for each kind of data, besides tables and small pictures."""


@pytest.mark.parametrize("kind", KINDS)
def test_of_every_kind_it_is_said_and_grows_with_epochs_and_rows(kind: str, monkeypatch) -> None:
    monkeypatch.setattr(durations, "speed", lambda: (1e11, durations.LOOPS))

    def seconds(**training) -> float:
        one = recipe(**{**KINDS[kind], "early_stopping": None, **training})
        found = operations(one)
        assert found is not None
        return found / 1e11 + durations.python_seconds(one)

    assert timed(recipe(**KINDS[kind]), None).decisions[-1].what == "duration"
    assert seconds(rows=2000, epochs=30) == pytest.approx(seconds(), rel=1e-6), "as many rows in all"
    assert seconds(epochs=600) > seconds(epochs=60)
    assert seconds(rows=10_000) > seconds(rows=1000)


def test_a_text_takes_as_long_as_it_has_characters_and_clusters_have_no_epochs() -> None:
    short, long = (durations.python_seconds(recipe(Bag(), characters=read)) for read in (1_000_000, 3_000_000))
    assert long - short == pytest.approx(2_000_000 * durations.CHARACTER)
    assert durations.python_seconds(recipe(Clusters())) == operations(recipe(Clusters())) == 0


@pytest.mark.slow
@pytest.mark.parametrize("steps", [5, 29, 120])
def test_products_of_a_sequence_are_those_of_its_dilated_convolutions(steps: int) -> None:
    from kilnworks.components.features.encoded import EncodedTensor
    from tests.components.tasks.some_tasks import multiclass

    model = SequenceModel(core="tcn", width=8)
    built = model.network([EncodedTensor(name="t", shape=(steps, 3), dtype="float32", kind="sequence")], multiclass(3))
    convolutions = [layer for layer in built.layers if type(layer).__name__ == "Conv1D"]
    exact = sum(layer.kernel.shape.num_elements() * steps for layer in convolutions)
    assert durations._dilated((steps, 3), model) == exact


@pytest.mark.slow
def test_products_of_a_photograph_are_those_of_the_base() -> None:
    import keras

    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3))
    layers = [layer for layer in base.layers if "Conv2D" in type(layer).__name__]
    exact = sum(layer.kernel.shape.num_elements() * layer.output.shape[1] * layer.output.shape[2] for layer in layers)
    assert exact == pytest.approx(durations.BASE * 224 * 224, rel=0.01)


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
    assert hurried.decisions[0].choice == "run takes about 50 s"
    assert "2 min without the budget" in hurried.decisions[0].why
    assert "2 min of it training, within the budget of 5 min;" in timed(recipe(), 5.0).decisions[0].why
    assert timed(recipe(Rbm(units=(4,))), None).decisions == ()
    assert timed(recipe(Rbm(units=(4,))), 2.0).decisions[0].choice == "the training ends within 2 min"


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
