"""Models that take the features as they are sent, from training to export; what they cannot hold is refused."""

import json
import re

import keras
import numpy as np
import polars as pl
import pytest

from kilnworks.components.evaluate import EvaluateConfig, evaluate
from kilnworks.components.export import ExportConfig, export
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.arrays import Encoder, split_bytes
from kilnworks.components.learning.predict import predict
from kilnworks.components.learning.shown import TrainingColumns
from kilnworks.components.modeling.inside import inside
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.preprocess import preprocess
from kilnworks.components.tasks.binary import Binary
from kilnworks.components.train import TrainConfig, train
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, TrainingDiverged
from tests.components.learning.training_examples import context, examples

pytestmark = pytest.mark.slow

HERE = "tests.components.modeling.raw_models"
FEATURES = {
    "age": {"dtype": "float", "nullable": True},
    "visits": {"dtype": "int", "nullable": True},
    "active": {"dtype": "bool"},
    "since": {"dtype": "datetime"},
    "plan/name": {"dtype": "string", "nullable": True},
    "comment": {"dtype": "string"},
    "scores": {"dtype": "float", "shape": [3]},
}
LABEL = {"name": "left", "dtype": "string", "classes": ["no", "yes"]}
STREAMED = {"memory_mb": 0.05, "buffer_mb": 0.05}
WORDS = ("good", "bad", "late", "ship", "Ünique", "thanks")


def customers(rows, seed):
    """Who leaves is said by the plan and by the word "bad" in the comment."""
    random = np.random.default_rng(seed)
    plan = random.integers(0, 3, rows)
    comment = [" ".join(random.choice(WORDS, 3)) for _ in range(rows)]
    logit = 2.0 * (plan - 1) + np.where(["bad" in c for c in comment], 2.0, -1.0)
    left = random.random(rows) < 1 / (1 + np.exp(-logit))
    age = pl.Series(random.normal(45, 15, rows))
    visits = pl.Series(random.poisson(4, rows), dtype=pl.Int64)
    gone = pl.Series(random.random(rows) < 0.05)
    return pl.DataFrame(
        {
            "age": pl.select(pl.when(~gone).then(age)).to_series(),
            "visits": pl.select(pl.when(~gone).then(visits)).to_series(),
            "active": random.random(rows) < 0.5,
            "since": pl.Series(random.integers(1_500_000_000, 1_700_000_000, rows) * 1_000_000).cast(pl.Datetime("us")),
            "plan/name": [None if g else ("basic", "plus", "pro")[p] for p, g in zip(plan, gone, strict=True)],
            "comment": comment,
            "scores": pl.Series(random.normal(0, 1, (rows, 3)).astype(np.float32), dtype=pl.Array(pl.Float32, 3)),
            "left": np.where(left, "yes", "no").astype(str),
        }
    )


class Data:
    """Examples of some of the features, and how they are preprocessed."""

    def __init__(self, root, columns, values=None, **settings):
        """``values``: of some columns, in turn, in place of those made by chance."""
        self.root, self.made, self.known = root, 0, {}
        contract = Contract.model_validate(
            {"name": "customers", "features": {n: FEATURES[n] for n in columns}, "label": LABEL}
        )
        sizes = {"train": 600, "val": 200, "test": 200}
        self.frames = {split: customers(rows, seed) for seed, (split, rows) in enumerate(sizes.items(), 1)}
        for split, rows in sizes.items():
            put = {n: pl.Series(v * (rows // len(v))) for n, v in (values or {}).items()}
            self.frames[split] = self.frames[split].with_columns(**put).select(*columns, "left")
        self.examples = examples(root / "examples", contract, self.frames)
        self.transform = preprocess(PreprocessConfig(**settings), self.examples, root / "transform")

    def train(self, build, options=None, inputs="raw", at=None, progress=lambda _: None, **settings):
        self.made += 1
        out = self.root / f"model-{self.made}"
        out.mkdir()
        model = {"kind": "custom", "build": f"{HERE}:{build}", "inputs": inputs, "options": options or {}}
        config = TrainConfig.model_validate(
            {"epochs": 4, "batch": 32, "optimizer": {"kind": "adam", "learning_rate": 0.02}, **settings, "model": model}
        )
        return train(
            config, self.examples, self.transform, out, context(self.root / (at or f"at-{self.made}"), progress)
        )

    def trained(self, build, **settings):
        """A training with these settings, made once for all tests that ask for it."""
        asked = (build, *sorted(settings.items()))
        if asked not in self.known:
            self.known[asked] = self.train(build, **settings)
        return self.known[asked]

    def served(self, model):
        """Evaluated and exported; the export compares each signature with the model that is loaded again."""
        folders = [self.root / f"{name}-of-{model.path.name}" for name in ("evaluation", "servable")]
        for folder in folders:
            folder.mkdir()
        evaluation = evaluate(EvaluateConfig(resamples=100), model, self.examples, folders[0])
        return evaluation, export(ExportConfig(keras_file=False), model, self.examples, evaluation, folders[1])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return Data(tmp_path_factory.mktemp("table"), FEATURES)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return Data(tmp_path_factory.mktemp("text"), ["comment"])


@pytest.mark.parametrize(
    ("where", "build"),
    [
        ("table", "given_vocabulary"),
        ("table", "structured"),
        ("table", "words"),
        ("table", "words_given"),
        ("table", "subclassed"),
        ("table", "feature_space"),
        ("text", "sequential_words"),
    ],
)
def test_a_model_with_its_own_preprocessing_is_trained_judged_and_served(request, where, build):
    data = request.getfixturevalue(where)
    model = data.trained(build)
    evaluation, servable = data.served(model)
    assert servable.description["skew"]["max_difference"] <= 1e-5
    assert evaluation.results["metrics"]["auc"]["value"] > 0.6


def probability(model, frame):
    return predict(model, frame)["probabilities"][:, 1]


def test_texts_and_missing_values_reach_the_model_as_they_are_sent(table):
    """The answers are those of a formula on the raw columns, with the weights that were learned."""
    model = table.train("words_given", epochs=1)
    kernel, bias = (v.numpy() for v in load_trained(model).trainable_variables)
    frame = table.frames["test"]
    known = ("[UNK]", "good", "bad", "ship")
    hot = [
        [w in t or (w == "[UNK]" and bool(t - set(known))) for w in known]
        for t in map(set, map(str.split, frame["comment"]))
    ]
    logit = np.array(hot, np.float64) @ kernel[:, 0] + bias[0]
    np.testing.assert_allclose(probability(model, frame), 1 / (1 + np.exp(-logit)), atol=1e-6)


def test_a_vocabulary_with_a_missing_text_and_line_breaks_is_kept(tmp_path):
    data = Data(
        tmp_path,
        ["plan/name", "age"],
        values={"plan/name": ["", "a\nb", "a b", "c\u2028"], "age": [1.0, 2.0, None, 4.0]},
    )
    model = data.train("structured", epochs=1)
    assert json.loads((model.path / "code.json").read_text())["kept"] == "keras"
    lookup = next(one for one in inside(load_trained(model)) if isinstance(one, keras.layers.StringLookup))
    assert sorted(lookup.get_vocabulary()) == sorted(["[UNK]", "", "a\nb", "a b", "c\u2028"])


@pytest.mark.parametrize("build", ["words", "structured"])
def test_streamed_training_takes_texts_too(table, build):
    model = table.trained(build, **STREAMED)
    assert model.training["streamed"]
    evaluation, _ = table.served(model)
    assert evaluation.results["metrics"]["auc"]["value"] > 0.6


def test_texts_count_for_the_memory_that_a_split_takes(text):
    """Texts of 100 kB: 600 rows are more than 50 MB, whatever a guess at the width says."""
    long = text.frames["train"].with_columns(comment=pl.lit("word " * 20_000))
    given = examples(text.root / "long", text.examples.contract, {"train": long})
    transform = FeatureTransform.load(text.transform).as_sent()
    assert split_bytes(given, ["train"], transform) > 600 * 100_000
    assert split_bytes(text.examples, ["train"], transform) < 600 * 1_000


@pytest.mark.parametrize("memory", [{}, STREAMED], ids=["held", "streamed"])
def test_a_training_that_stops_goes_on_with_the_same_vocabulary(table, memory):
    whole = table.trained("words", **memory)

    def stop(line):
        if line.note.startswith("epoch 3"):
            raise KeyboardInterrupt

    at = "stopped-" + ("streamed" if memory else "held")
    with pytest.raises(KeyboardInterrupt):
        table.train("words", at=at, progress=stop, **memory)
    resumed = table.train("words", at=at, **memory)
    assert resumed.training["resumed_after"] == 2
    np.testing.assert_array_equal(probability(resumed, table.frames["test"]), probability(whole, table.frames["test"]))


def test_a_text_as_sent_beside_encoded_numbers(tmp_path):
    data = Data(tmp_path, FEATURES, features={"comment": FeatureSettings(encode="as_sent")})
    assert data.transform.path.joinpath("transform.keras").is_file()
    model = data.train("only_some", inputs="encoded")
    data.served(model)
    with pytest.raises(ConfigError, match="model mlp cannot take 'comment', which is encoded as as_sent") as caught:
        train(TrainConfig(), data.examples, data.transform, tmp_path, context(tmp_path / "mlp"))
    assert "use model: custom" in caught.value.fix


def test_batches_of_ones_own_hold_texts(table):
    model = table.train("words_given", data=f"{HERE}:text_batches", steps_per_epoch=18)
    table.served(model)


def test_a_feature_that_the_settings_drop_is_not_handed_on(tmp_path):
    data = Data(tmp_path, ["comment", "age"], features={"age": FeatureSettings(encode="drop")})
    assert [t.name for t in FeatureTransform.load(data.transform).as_sent().encoded] == ["comment"]


@pytest.mark.parametrize(
    ("build", "more", "got", "wanted", "fix"),
    [
        ("text_as_number", {}, r"input comment float32 \[None, 1\]", r"comment string \[None\]", "dtype='string'"),
        ("missing_as_whole", {}, r"input visits int64", "NaN where a number is missing", "dtype='float32'"),
        ("lambda_after_adapt", {}, "cannot be kept", "whole state are its weights", "adapt"),
        ("words", {"jit_compile": True}, "takes the text", "XLA", "leave jit_compile out"),
    ],
)
def test_what_cannot_be_is_refused_with_both_sides(table, build, more, got, wanted, fix):
    with pytest.raises(ConfigError, match=got) as caught:
        table.train(build, epochs=1, **more)
    assert re.search(wanted, caught.value.wanted) and fix in caught.value.fix


def test_a_missing_number_that_the_model_does_not_fill_is_named(table):
    with pytest.raises(TrainingDiverged, match=r"replace NaN, which is sent where 'age', 'visits' is missing"):
        table.train("missing_not_filled")


def test_the_columns_to_adapt_to_are_those_of_the_training_split(table):
    transform = FeatureTransform.load(table.transform).as_sent()
    columns = TrainingColumns(Encoder(transform, Binary), table.examples.files("train"), seed=0)
    wanted = table.frames["train"].to_pandas()
    assert list(columns) == [name.replace("/", "|") for name in FEATURES] and "left" not in columns
    np.testing.assert_array_equal(columns["age"], wanted["age"].to_numpy(np.float32))
    assert columns["plan|name"].tolist() == wanted["plan/name"].fillna("").tolist()
    assert columns["since"].tolist() == (wanted["since"].astype("datetime64[s]").astype("int64")).tolist()
    assert columns["active"].tolist() == wanted["active"].tolist()
    assert columns["scores"].shape == (600, 3)


def test_an_error_in_the_function_that_builds_names_it(table):
    with pytest.raises(ConfigError, match=r"raw_models:broken raises KeyError: 'plan'") as caught:
        table.train("broken")
    assert "plan|name string [None]" in caught.value.wanted and "--traceback" in caught.value.fix
