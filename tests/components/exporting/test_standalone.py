"""``standalone.keras`` in a process without this project answers as the SavedModel, for whatever is exported."""

import datetime
import inspect
import logging
import math
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.features.raw import raw_arrays
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.modeling.custom import CustomModel
from kilnworks.components.modeling.images.augmentation import Augmentation
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.modeling.vision import Vision
from kilnworks.components.tasks.choose import read_task
from kilnworks.schemas.contract import Contract, Feature
from tests.components.exporting import own_parts
from tests.components.exporting.portable import Elsewhere, exported
from tests.components.features import tabular
from tests.effort import some, tries

pytestmark = pytest.mark.slow

PARTS = "tests.components.exporting.own_parts"
GENRES = ["action", "comedy", "ünheimlich", "a b", "x"]
MANY = {"name": "label", "dtype": "string", "classes": GENRES, "many": True, "separator": "|"}
NO_IMAGE = {name: one for name, one in tabular.FEATURES.items() if one["dtype"] != "image"}
PHOTO = {"photo": {"dtype": "image", "shape": [8, 8, 3], "nullable": True}, "area": {"dtype": "float"}}
NUMBERS = {"a/b": {"dtype": "float", "nullable": True}, "Cast": {"dtype": "int"}, "cast": {"dtype": "bool"}}


def contract(features, label):
    return Contract.model_validate({"name": "anywhere", "features": features, "label": label})


def regression(task, architecture, features=None):
    """A model of numbers with odd names."""
    of = contract(NUMBERS, tabular.LABELS["regression"])
    r = np.random.default_rng(2)
    frame = pl.DataFrame({"a/b": r.normal(size=80), "Cast": r.integers(0, 9, 80), "cast": r.random(80) < 0.5})
    holes = pl.when(pl.Series(r.random(80) < 0.8)).then(pl.col("a/b")).alias("a/b")
    frame = frame.with_columns(holes, label=pl.Series(r.normal(size=80)))
    made = task.of(of).model_copy(update={"offset": 3.0, "scale": 2.0})
    return of, frame, architecture, PreprocessConfig(features=features or {}), made


def made(name):
    """Arguments of ``exported``."""
    match name:
        case "binary":
            return tabular.contract(), tabular.rows(200), Mlp(units=(8,)), tabular.SETTINGS
        case "regression":
            return regression(own_parts.Regression, Mlp(units=(4,)))
        case "multilabel":
            r = np.random.default_rng(0)
            labels = ["|".join(g for g in GENRES if r.random() < 0.5) or "(none)" for _ in range(200)]
            frame = tabular.rows(200).with_columns(label=pl.Series(labels))
            return contract(tabular.FEATURES, MANY), frame, Mlp(units=(8,)), tabular.SETTINGS
        case "members":
            columns = [*NO_IMAGE, "label"]
            own = {n: s for n, s in tabular.SETTINGS.features.items() if n in NO_IMAGE}
            settings = tabular.SETTINGS.model_copy(update={"features": own})
            of = contract(NO_IMAGE, tabular.LABELS["multiclass"])
            frame = tabular.rows(200, task="multiclass").select(columns)
            return of, frame, Tabular(members=3, units=(8, 8), bins=5), settings
        case "images":
            r = np.random.default_rng(1)
            pixels = r.integers(0, 256, (60, 192)).tolist()
            frame = pl.DataFrame({"photo": pixels, "area": r.normal(size=60), "label": r.choice([3, 1, 2], 60)})
            model = Vision(filters=(4, 8), augmentation=Augmentation(flip="horizontal"), gradients=8)
            return contract(PHOTO, tabular.LABELS["multiclass"]), frame, model
        case "own task":
            return regression(own_parts.Doubled, Mlp(units=(4,)))
        case "answers in tensorflow":
            return regression(own_parts.InTensorFlow, Mlp(units=(4,)))
        case "wrong answers":
            return regression(own_parts.Wrong, Mlp(units=(4,)))
        case "own layers":
            model = CustomModel(build=f"{PARTS}:with_own_layer", outputs="features")
            return regression(own_parts.Regression, model)
        case "own kind":
            kind = {"a/b": FeatureSettings(encode=f"{PARTS}:OfSine")}
            return regression(own_parts.Regression, Mlp(units=(4,)), kind)
        case "lambda":
            return regression(own_parts.Regression, CustomModel(build=f"{PARTS}:with_lambda", outputs="features"))
    raise AssertionError(name)


@pytest.fixture(scope="module")
def servables(tmp_path_factory):
    """The exported model of a name, made once."""
    kept = {}

    def get(name):
        if name not in kept:
            kept[name] = exported(tmp_path_factory.mktemp("exported"), *made(name))
        return kept[name]

    return get


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    process = Elsewhere(tmp_path_factory.mktemp("elsewhere"))
    yield process
    process.close()


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6)


def cells(name: str, feature: Feature):
    """Values of a feature that its contract allows, seen and unseen; None where they may be missing."""
    size = math.prod(feature.shape)
    match feature.dtype:
        case "float":
            one = st.floats(-1e4, 1e4, width=32)
            made = st.lists(one, min_size=size, max_size=size) if feature.shape else one
        case "int" if feature.shape:
            made = st.lists(st.integers(-99, 99), min_size=size, max_size=size)
        case "int" if feature.allowed is not None:
            made = st.sampled_from([*feature.allowed, 5])
        case "int":
            made = st.integers(feature.min or 0, feature.max or 10**15 + 999 if name == "account" else 99)
        case "image":
            made = st.binary(min_size=size, max_size=size).map(list)
        case "string":
            made = st.sampled_from(["basic", "größe", "first", "shop1", "x", ""]) | TEXT
        case "datetime":
            made = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))
        case "bool":
            made = st.booleans()
    return made | st.none() if feature.nullable else made


@st.composite
def requests(draw, of: Contract, schema):
    rows = draw(st.integers(1, 4))
    columns = {n: draw(st.lists(cells(n, f), min_size=rows, max_size=rows)) for n, f in of.features.items()}
    return pl.DataFrame(columns, schema={name: schema[name] for name in of.features})


EVERY = ["binary", "regression", "multilabel", "members", "images", "own task", "own layers", "own kind"]
SAME = some(EVERY, ("binary", "multilabel", "members", "images", "own kind"))


@pytest.mark.parametrize("name", SAME)
def test_in_a_process_without_the_project_it_answers_as_what_is_served(servables, elsewhere, name):
    servable, (of, frame, *_) = servables(name), made(name)
    task = read_task(servable.saved_model / "assets.extra/task.json")

    @settings(max_examples=tries(8), suppress_health_check=list(HealthCheck))
    @given(requests(of, frame.schema))
    def same(rows):
        found, served = elsewhere.answers(servable, raw_arrays(of, rows))
        assert found.keys() == served.keys() == {answer.name for answer in task.answered}
        for answer in served:
            assert found[answer].dtype == served[answer].dtype and found[answer].shape == served[answer].shape
            assert task.difference(answer, found[answer], served).max() <= 1e-5, (rows, found, served)

    same()


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        (name, ["tests.components.exporting.own_layers:Sine"] if name in ("own layers", "own kind") else [])
        for name in SAME
    ],
)
def test_what_has_to_be_imported_is_said_in_the_description_and_in_the_script(servables, name, needs):
    servable = servables(name)
    assert servable.description["keras"]["needs"] == needs
    script = (servable.path / "standalone.py").read_text()
    imports = {line.split()[1] for line in script.splitlines() if line.startswith("import ")}
    assert imports == {"keras", "tensorflow", *(place.partition(":")[0] for place in needs)}


def test_the_script_says_units_missing_values_and_other_names(servables):
    script = (servables("binary").path / "standalone.py").read_text()
    assert "'since': tf.zeros([1], \"int64\"),  # seconds since 1970-01-01 UTC; missing: -9223372036854775808" in script
    assert "'Monthly Charges ($|m)': tf.zeros([1], \"float32\"),  # the feature 'Monthly Charges ($/m)'" in script
    assert "# probabilities: float32 [None, 2], of each class, in the order of the contract" in script


@pytest.mark.parametrize("bits", range(32))
def test_many_classes_are_one_text_as_they_are_served(bits):
    import keras
    import tensorflow as tf

    from kilnworks.components.tasks.multilabel import Multilabel

    task = Multilabel.of(contract({"x": {"dtype": "float"}}, MANY))
    given = keras.Input((5,))
    model = keras.Model(given, task.answer_layers(given))
    said = [bits >> i & 1 for i in range(5)]
    probabilities = tf.constant([said, [0.0] * 5], "float32") * 0.25 + 0.5  # 0.5 itself is not above the threshold
    wanted = "|".join(text for text, there in zip(GENRES, said, strict=True) if there)
    assert [t.decode() for t in model(probabilities)["class"].numpy()] == [wanted, ""]


def test_a_task_that_keras_cannot_say_gives_the_own_output_of_the_model(servables, elsewhere):
    servable, (of, frame, *_) = servables("answers in tensorflow"), made("answers in tensorflow")
    found, served = elsewhere.answers(servable, raw_arrays(of, frame.head(20)))
    assert set(found) == {"output"} and np.allclose(np.sinh(found["output"][:, 0]), served["score"], rtol=1e-5)
    assert "# output: the model's own output" in (servable.path / "standalone.py").read_text()


@pytest.mark.parametrize(
    ("name", "why"), [("wrong answers", "read back it answers differently"), ("lambda", "Lambda|lambda")]
)
def test_what_a_keras_file_cannot_hold_is_left_out_and_the_export_goes_on(servables, caplog, name, why):
    with caplog.at_level(logging.WARNING):
        servable = servables(name)
    assert re.search(why, servable.description["keras"]["why"])
    assert servable.description["keras"]["file"] is None and servable.description["skew"]["rows"] > 0
    assert not list(servable.path.glob("standalone.*")) and (servable.saved_model / "saved_model.pb").is_file()
    assert "standalone.keras is left out" in caplog.text


def test_every_layer_of_the_project_says_itself_in_stock_layers():
    import keras

    import kilnworks.components.features.layers
    import kilnworks.components.modeling.ensemble
    import kilnworks.components.modeling.random_apply

    modules = (
        kilnworks.components.features.layers,
        kilnworks.components.modeling.ensemble,
        kilnworks.components.modeling.random_apply,
    )
    classes = {c for m in modules for _, c in inspect.getmembers(m, inspect.isclass) if c.__module__ == m.__name__}
    layers = {c for c in classes if issubclass(c, keras.layers.Layer) and not issubclass(c, keras.Model)}
    assert len(layers) == 5 and all(hasattr(one, "in_stock_layers") for one in layers)
