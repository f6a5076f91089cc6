"""Planted faults of a training are each named, a healthy training has none, and looking changes no bit of it."""

import json
import logging
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kilnworks.components.learning.health.findings import findings
from kilnworks.components.learning.health.measure import Probe, measurable
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.cli.settings import overrides
from tests.components.learning.training_examples import customers, trained


class Tower(Architecture):
    """Ten layers of sigmoids."""

    kind: str = "tower"

    def trunk(self, encoded, inputs, names):
        x = self.flat(encoded, inputs, names)
        for _ in range(10):
            x = keras.layers.Dense(16, "sigmoid")(x)
        return x


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return customers(tmp_path_factory.mktemp("health"), 512)


def health_of(
    data, root: Path, name: str, model: Architecture = Mlp(units=(16, 8)), epochs: int = 4, rate: float = 1e-3, **more
):
    optimizer = more.pop("optimizer", Adam(learning_rate=rate))
    config = TrainConfig(
        model=model,
        epochs=epochs,
        batch=32,
        optimizer=optimizer,
        early_stopping=None,
        backup_epochs=0,
        **{"health": "every", **more},
    )
    made = trained(root, config, *data, name)
    path = made.path / "health.json"
    return (json.loads(path.read_text()) if path.is_file() else None), made


def kinds(told) -> set[str]:
    return {one["kind"] for one in told["findings"]}


@pytest.mark.slow
def test_a_healthy_training_has_no_finding_and_looks_change_no_bit(data, tmp_path):
    told, made = health_of(data, tmp_path, "healthy")
    assert told["findings"] == [] and [look["epoch"] for look in told["looks"]][:3] == [1, 2, 3]
    none, without = health_of(data, tmp_path, "without", health="none")
    assert none is None and (made.path / "history.csv").read_bytes() == (without.path / "history.csv").read_bytes()


@pytest.mark.slow
def test_by_itself_it_looks_after_the_first_epoch_and_within_its_share(data, tmp_path):
    told, _ = health_of(data, tmp_path, "auto", health="auto", epochs=6)
    assert told["looks"][0]["epoch"] == 1
    assert len(told["looks"]) == 1 or told["share"] < 0.04, "further looks only where they are cheap"


def test_each_choice_can_be_written_on_the_command_line():
    for word in ("auto", "every", "none"):
        assert TrainConfig().updated({"health": overrides([f"model.health={word}"])["model.health"]}).health == word


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "settings", "kind"),
    [
        ("rate 100 times too high", {"rate": 0.1}, "rate_too_high"),
        ("rate 100 times too low", {"rate": 1e-5}, "rate_too_low"),
        ("tower", {"model": Tower()}, "vanishing_gradients"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_fault_is_named_while_it_trains(data, tmp_path, caplog, fault, settings, kind):
    with caplog.at_level(logging.WARNING, "kilnworks.data"):
        told, _ = health_of(data, tmp_path, "out", **settings)
    assert kind in kinds(told)
    said = next(one for one in told["findings"] if one["kind"] == kind)
    assert any(said["remedy"] in record.getMessage() for record in caplog.records), "with its remedy, at once"


def network(kernel="glorot_uniform", bias="zeros", activation="relu"):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(10, activation, kernel_initializer=kernel, bias_initializer=bias, name="hidden")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="last")(hidden))
    model.compile("sgd", "mse")
    return model


def looked(model):
    random = np.random.default_rng(0)
    batch = random.normal(size=(32, 4)).astype("float32"), random.normal(size=(32, 1)).astype("float32")
    return Probe(model, batch).look(), batch


def named(layers) -> dict[str, str]:
    look = {"phase": 1, "epoch": 1, "steps": 10, "loss": 1.0, "layers": layers}
    return {one.kind: one.layer for one in findings([look])}


def test_a_dead_layer_and_zero_weights_are_named_with_the_layer():
    assert named(looked(network(bias=keras.initializers.Constant(-99.0)))[0]) == {"dead_units": "hidden"}
    assert named(looked(network(kernel="zeros"))[0])["same_units"] == "hidden"
    assert named(looked(network())[0]) == {}


def test_a_saturated_layer_is_named():
    layers, _ = looked(network(kernel=keras.initializers.RandomNormal(stddev=50.0), activation="tanh"))
    assert named(layers) == {"saturated": "hidden"}


def test_gradients_are_those_of_a_formula():
    """Of a mean squared error through one linear layer: 2 X'(Xw + b - y) / n."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1, name="last")(inputs))
    model.compile("sgd", "mse")
    told, (x, y) = looked(model)
    kernel, bias = (np.asarray(w) for w in model.get_layer("last").get_weights())
    gradient = 2 * x.T @ (x @ kernel + bias - y) / len(x)
    assert told["last"]["gradient"] == pytest.approx(np.sqrt(np.mean(gradient**2)), rel=1e-5)
    assert told["last"]["moved"] == 0 and told["last"]["weight"] == pytest.approx(np.sqrt(np.mean(kernel**2)), rel=1e-5)


def test_how_far_weights_moved_is_the_length_of_their_way():
    model = network()
    probe = Probe(model, looked(model)[1])
    layer = model.get_layer("hidden")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * 1.5, bias])
    assert probe.look()["hidden"]["moved"] == pytest.approx(0.5, rel=1e-5)


def looks_of(norms, losses, phases=(1, 1, 1, 1), moved=0.01):
    one = {"weight": 1.0, "moved": moved, "alike": False, "hidden": False, "dead": None, "saturated": None}
    return [
        {"phase": phase, "epoch": i + 1, "steps": 100, "loss": loss, "layers": {"a": {**one, "gradient": norm}}}
        for i, (norm, loss, phase) in enumerate(zip(norms, losses, phases, strict=False))
    ]


def test_a_gradient_that_explodes_is_named_where_the_loss_rises():
    assert [f.kind for f in findings(looks_of([1, 1.2, 0.9, 40], [1, 0.9, 0.8, 3]))] == ["exploding_gradients"]
    assert findings(looks_of([1, 1.2, 0.9, 40], [1, 0.9, 0.8, 0.7])) == []
    assert findings(looks_of([1, 1.2, 0.9, 1.1], [1, 0.9, 0.8, 3])) == []


def test_phases_are_not_compared_with_one_another():
    assert findings(looks_of([1, 1.2, 0.9, 40], [1, 0.9, 0.8, 3], phases=[1, 1, 1, 2])) == []
    slow = looks_of([1, 1], [1, 0.9], moved=1e-5)
    assert [f.kind for f in findings(slow)] == ["rate_too_low"]
    assert findings([{**look, "phase": 2} for look in slow]) == [], "a later phase goes slowly on purpose"


def test_a_single_layer_grows_from_how_it_began_and_is_judged_later():
    looks = looks_of([1, 1], [2, 1], moved=7.5)
    assert findings(looks[:1]) == [], "a new head, whose weights become many times as large"
    assert [(f.kind, f.epoch) for f in findings(looks)] == [("rate_too_high", 2)]
    assert findings([looks[0], {**looks[1], "phase": 2}]) == [], "of another phase is the first look"
    looks[0]["layers"]["b"] = {**looks[0]["layers"]["a"], "hidden": True}
    assert [f.kind for f in findings(looks[:1])] == ["rate_too_high"]


def test_few_rows_do_not_tell_a_dead_unit():
    model = network(bias=keras.initializers.Constant(-99.0))
    random = np.random.default_rng(0)
    for rows, dead in ((31, None), (32, 1.0)):
        batch = [random.normal(size=(rows, n)).astype("float32") for n in (4, 1)]
        assert Probe(model, batch).look()["hidden"]["dead"] == dead


def test_numbers_that_are_not_finite_can_be_kept_and_judged():
    model = network(kernel=keras.initializers.RandomNormal(stddev=1e25))
    layers, _ = looked(model)
    assert layers["last"]["gradient"] is None
    json.dumps(layers, allow_nan=False)
    assert "vanishing_gradients" not in {f.kind for f in findings(looks_of([None, None, None, 1], [1, 1, 1, 2]))}


def test_what_a_network_answers_with_is_not_saturated_by_name_either():
    inputs = keras.Input((4,))
    certain = keras.layers.Dense(3, "sigmoid", kernel_initializer=keras.initializers.RandomNormal(stddev=99.0))
    model = keras.Model(inputs, {"left": certain(inputs)})
    model.compile("sgd", {"left": "binary_crossentropy"})
    batch = np.ones((64, 4), "float32"), {"left": np.ones((64, 3), "float32")}
    assert Probe(model, batch).look()[certain.name]["saturated"] is None


def test_a_layer_that_another_model_connected_first_is_let_be():
    shared = keras.layers.Dense(10, "relu", name="shared")
    shared(keras.Input((4,)))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1, name="last")(shared(inputs)))
    model.compile("sgd", "mse")
    layers, _ = looked(model)
    assert layers["shared"]["dead"] is None and layers["shared"]["gradient"] > 0


def test_a_loss_of_its_own_need_not_ask_whether_it_trains():
    class Doubled(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return 2 * super().compute_loss(x, y, y_pred, sample_weight)

    plain = network()
    doubled = Doubled(plain.input, plain.output)
    doubled.compile("sgd", "mse")
    once, twice = (looked(model)[0]["last"]["gradient"] for model in (plain, doubled))
    assert measurable(doubled) and twice == pytest.approx(2 * once, rel=1e-5)


@pytest.mark.slow
def test_a_look_that_finds_no_memory_does_not_end_the_training(data, tmp_path, monkeypatch, caplog):
    def full(probe):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    monkeypatch.setattr(Probe, "look", full)
    told, made = health_of(data, tmp_path, "full", epochs=2)
    assert told is None and made.training["epochs_run"] == 2
    assert "there is no memory for a look" in caplog.text


def test_a_model_with_a_step_of_its_own_is_left_alone():
    class Own(keras.Model):
        def train_step(self, data):
            return {}

    inputs = keras.Input((4,))
    assert not measurable(Own(inputs, keras.layers.Dense(1)(inputs)))
    assert measurable(network())
