"""How long ``run`` is said to take: by the work of the layers, counted against Keras, and by a budget."""

import importlib
import math
import pkgutil
import time
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from kilnworks.components import starting
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.learning.settings import EarlyStopping
from kilnworks.components.modeling.autoencoder import Autoencoder
from kilnworks.components.modeling.bag import Bag
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.clusters import Clusters
from kilnworks.components.modeling.control.dqn import Dqn
from kilnworks.components.modeling.forecast import Forecast
from kilnworks.components.modeling.generative.boltzmann import Rbm
from kilnworks.components.modeling.generative.gan import Dcgan
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.sequential.sequence import SequenceModel
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.modeling.vision import Vision
from kilnworks.components.sources import CsvSource
from kilnworks.components.starting import durations, work
from kilnworks.components.starting.durations import timed
from kilnworks.components.starting.environment import start_with_environment
from kilnworks.components.starting.recipe import Recipe
from kilnworks.components.starting.work import operations
from kilnworks.schemas.code import Bytes
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import ConfigError
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
    assert work._convolved(16 * 16, 1, model) == exact


def test_work_grows_with_rows_members_and_networks_on_all_rows() -> None:
    one = operations(recipe())
    assert operations(recipe(Tabular(members=32))) == pytest.approx(2 * one)
    again = 2 * work.ON_ALL_ROWS * 12 / 18
    assert operations(recipe(refit=2)) == pytest.approx((1 + again) * one), (
        "18 epochs with a patience of 6, the 12th best"
    )
    assert operations(recipe(epochs=5)) == pytest.approx(one * 5 / 18)
    assert operations(recipe(early_stopping=EarlyStopping(patience=12))) == pytest.approx(2 * one)
    assert operations(recipe(early_stopping=None)) == pytest.approx(one * 60 / 18)
    assert operations(recipe(Vision(), DIGITS)) is not None


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
    monkeypatch.setattr(durations, "speed", lambda: (1e11, work.LOOPS))

    def seconds(**training) -> float:
        one = recipe(**{**KINDS[kind], "early_stopping": None, **training})
        return operations(one) / 1e11 + work.python_seconds(one)

    assert timed(recipe(**KINDS[kind]), None).decisions[-1].what == "duration"
    assert seconds(rows=2000, epochs=30) == pytest.approx(seconds(), rel=1e-6), "as many rows in all"
    assert seconds(epochs=600) > seconds(epochs=60)
    assert seconds(rows=10_000) > seconds(rows=1000)


def test_a_text_takes_as_long_as_it_has_characters_and_clusters_as_they_have_values() -> None:
    short, long = (work.python_seconds(recipe(Bag(), characters=read)) for read in (1_000_000, 3_000_000))
    assert long - short == pytest.approx(2_000_000 * work.CHARACTER)
    assert operations(recipe(Clusters())) == 0
    exact = 800 * len(TABLE.features) * work.NEAREST
    assert work.python_seconds(recipe(Clusters())) == pytest.approx(exact)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [5, 29, 120])
def test_products_of_a_sequence_are_those_of_its_dilated_convolutions(steps: int) -> None:
    from kilnworks.components.features.encoded import EncodedTensor
    from tests.components.tasks.some_tasks import multiclass

    model = SequenceModel(core="tcn", width=8)
    built = model.network([EncodedTensor(name="t", shape=(steps, 3), dtype="float32", kind="sequence")], multiclass(3))
    convolutions = [layer for layer in built.layers if type(layer).__name__ == "Conv1D"]
    exact = sum(layer.kernel.shape.num_elements() * steps for layer in convolutions)
    assert work._dilated((steps, 3), model) == exact


@pytest.mark.slow
def test_products_of_a_photograph_are_those_of_the_base() -> None:
    import keras

    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3))
    layers = [layer for layer in base.layers if "Conv2D" in type(layer).__name__]
    exact = sum(layer.kernel.shape.num_elements() * layer.output.shape[1] * layer.output.shape[2] for layer in layers)
    assert exact == pytest.approx(work.BASE * 224 * 224, rel=0.01)


def test_it_is_said_by_the_speed_of_this_machine(monkeypatch) -> None:
    """18 epochs are likely with a patience of 6, which are to take 120 s; all 60 take 400. Other steps take 14."""
    monkeypatch.setattr(durations, "speed", lambda: (operations(recipe()) / 120, work.LOOPS))
    made = timed(recipe(), None)
    (told,) = made.decisions
    assert (told.what, told.choice) == ("duration", "run takes about 2 min, up to 7 min")
    assert told.why.startswith("2 min of it training; longer while it still gets better, and where other programs")
    assert "budget_minutes" not in made.training
    hurried = timed(recipe(), 0.5)
    assert hurried.training["budget_minutes"] == 0.5
    assert hurried.decisions[0].choice == "run takes about 40 s"
    assert hurried.decisions[0].why == (
        "30 s of it training, which would take 2 min without the budget; longer where other programs run beside it"
    )
    bounded = timed(recipe(), 5.0).decisions[0]
    assert bounded.choice == "run takes about 2 min, up to 5 min"
    assert "2 min of it training, within the budget of 5 min;" in bounded.why
    fixed = timed(recipe(early_stopping=None), None).decisions[0]
    assert (fixed.choice, fixed.why) == (
        "run takes about 7 min", "7 min of it training; longer where other programs run beside it",
    )  # fmt: skip
    monkeypatch.setattr(durations, "speed", lambda: (1e30, work.LOOPS))
    assert timed(recipe(), None).decisions[0].why.startswith("less than 10 s of it training; longer where")


def test_every_network_that_new_writes_is_counted() -> None:
    """A kind that is added to ``new`` and not here makes it end in an error, which this finds before."""
    modules = [
        importlib.import_module(one.name)
        for one in pkgutil.walk_packages(starting.__path__, f"{starting.__name__}.")
        if ".assets" not in one.name
    ]
    written = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Architecture) and kind is not Architecture
    }
    assert {Tabular, Rbm, Dcgan, Dqn, Clusters} <= written
    assert written == set(work._MULTIPLICATIONS)


def test_clusters_take_no_budget() -> None:
    with pytest.raises(ConfigError, match="--budget 2, and clusters are found by k-means"):
        timed(recipe(Clusters(), early_stopping=None), 2.0)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "classes"), [((8, 8, 1), 10), ((28, 28, 3), 0), ((13, 9, 1), 3)])
def test_products_of_a_gan_are_those_of_its_layers(shape: tuple[int, int, int], classes: int) -> None:
    from kilnworks.components.modeling.generative.judge import classifier

    model = Dcgan(filters=4, noise=7)
    both = model._adversarial(shape, classes)
    counted = work._adversaries(shape, model, classes)
    assert counted == (multiplications(both.generator), multiplications(both.critic))
    if classes:
        assert work._judge(shape, model, classes) == multiplications(classifier("x", shape, classes, 32)[1])


def multiplications(built) -> int:
    """Of dense layers and convolutions, for one image."""
    found = 0
    for layer in built.layers:
        if not hasattr(layer, "kernel"):
            continue
        place = layer.input.shape if type(layer).__name__ == "Conv2DTranspose" else layer.output.shape
        found += math.prod(layer.kernel.shape) * math.prod(place[1:3] if len(place) == 4 else ())
    return found


def test_a_gan_moves_the_generator_four_times_and_the_critic_eight() -> None:
    model = Dcgan(judge_epochs=6)
    one = recipe(model, DIGITS, early_stopping=None)
    made, told = work._adversaries((8, 8, 1), model, 10)
    judge = work._judge((8, 8, 1), model, 10)
    rows = 60 * 0.8 * 1000
    exact = 2 * rows * (4 * made + 8 * told) / work.GENERATED + 2 * rows / 10 * 3 * judge / work.CONVOLVED
    assert operations(one) == pytest.approx(exact), "6 epochs of the network that judges are a tenth of 60"
    smaller = PreprocessConfig(features={"pixels": FeatureSettings(size=(4, 4))})
    assert operations(replace(one, transform=smaller)) < operations(one) / 4
    assert work.python_seconds(one) == pytest.approx(60 * (2.1 * 800 / 128 * work.STEP + work.LOOK))


def test_codes_learn_for_the_epochs_of_their_machines() -> None:
    one = recipe(Rbm(units=(8,), divergence_epochs=7), early_stopping=None)
    wide = len(TABLE.features)
    assert operations(one) == pytest.approx(2 * 7 * 800 * 8 * wide * 8 / work.DENSE)
    two = recipe(Rbm(units=(8, 4), divergence_epochs=7))
    assert operations(two) == pytest.approx(2 * 7 * 800 * 8 * (wide * 8 + 8 * 4) / work.DENSE), "one after the other"


PLAYED = Dqn(environment="CartPole-v1", steps=1000, validation_episodes=10, test_episodes=100)


def test_a_policy_takes_as_long_as_its_environment() -> None:
    """16 epochs are likely with a patience of 8, of 1,000 steps of play each; 0.01 s a step, 100 steps an episode."""
    stopping = EarlyStopping(patience=8)
    training = {"epochs": 30, "batch": 64, "early_stopping": stopping}
    one = Recipe(TABLE, CsvSource(path="rows.csv"), 500, PLAYED, training, step_seconds=0.01, longest_episode=100)
    assert work.played_seconds(one) == pytest.approx((0.01 * 16 * (1000 + 10 * 50), 0.01 * (100 * 50 + 2 * 500)))
    longest = work.played_seconds(one, longest=True)
    assert longest == pytest.approx((0.01 * 30 * (1000 + 10 * 100), 0.01 * (100 * 100 + 2 * 500)))
    asked = 16 * (1000 / 4 + 50)
    assert work.python_seconds(one) == pytest.approx(16 * 1000 * work.STEP + asked * work.CALL)
    assert operations(replace(one, rows=50)) == pytest.approx(operations(one)), "transitions, not rows of random play"


def busy(seconds: float) -> None:
    """Take processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class Slow(gymnasium.Env):
    """Two steps, of five milliseconds of work each; to make it takes ten times as long."""

    observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self) -> None:
        busy(0.05)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.done = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        busy(0.005)
        self.done += 1
        return np.zeros(1, np.float32), 1.0, self.done == 2, False, {}


def test_how_long_an_environment_takes_is_measured() -> None:
    found = start_with_environment("slow", f"gym:{__name__}:Slow")
    assert 0.005 <= found.step_seconds < 0.015
    assert found.longest_episode == 1000, "it has no limit of its own"
    assert start_with_environment("poles", "gym:CartPole-v1").longest_episode == 500


def test_each_column_and_each_value_takes_its_time() -> None:
    def of(model, columns: int, rows: int) -> float:
        features = {f"x{i}": Feature(dtype="float") for i in range(columns)}
        return work.other_seconds(recipe(model, TABLE.model_copy(update={"features": features}), rows))

    assert of(Tabular(), 300, 1000) - of(Tabular(), 20, 1000) == pytest.approx(280 * (0.19 + 0.33) + 280 * 1000 * 2e-6)
    assert of(Autoencoder(), 300, 1000) - of(Autoencoder(), 20, 1000) == pytest.approx(280 * (0.19 + 0.002))
    assert of(Clusters(), 10, 1_000_000) - of(Clusters(), 10, 1000) == pytest.approx(20, rel=0.01)


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
    def of(features) -> float:
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
