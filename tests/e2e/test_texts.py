"""Texts beside a number and a category, from ``new`` on a CSV to answers over gRPC and REST; odd texts too."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.features.settings import FeatureSettings
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.text import Text
from kilnworks.components.modeling.texts.synonyms import Synonyms
from kilnworks.components.modeling.texts.vectors import Vectors
from kilnworks.components.preprocess import PreprocessConfig
from kilnworks.components.reporting.report import write_report
from kilnworks.components.sources import CsvSource
from kilnworks.components.starting.start import start
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.store import Store
from tests.served import served as server

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
ROWS = 700


def write(path: Path) -> None:
    """A slice of the bundled mails, with the hour and the folder's guess beside."""
    mails = pl.read_parquet(ROOT / "data/mails.parquet").sample(ROWS, seed=1, shuffle=True)
    random = np.random.default_rng(0)
    mails.select(
        pl.col("body").str.slice(0, 500).str.replace_all("\n", " "),
        pl.Series("hour", random.integers(0, 24, ROWS)),
        pl.Series("client", random.choice(["web", "desktop", "phone"], ROWS)),
        "kind",
    ).write_csv(path)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("mails") / "mails.csv"
    write(path)
    return start("mails", str(path), label="kind")


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    training = TrainConfig(model=recipe.model, **{**recipe.training, "epochs": 4})
    pipeline = supervised(
        "mails",
        IngestConfig(contract=recipe.contract, source=recipe.source, split=recipe.split),
        training,
        transform=PreprocessConfig.model_validate(recipe.transform.model_dump()),
        evaluation=EvaluateConfig(resamples=200),
    )
    run = Store(tmp_path_factory.mktemp("store")).run("mails", "one")
    run.begin("test", {})
    run_all(pipeline, run)
    return run


def test_new_finds_the_text_and_says_why(recipe):
    assert isinstance(recipe.source, CsvSource)
    assert {n: (f.dtype, f.text) for n, f in recipe.contract.features.items()} == {
        "body": ("string", True), "hour": ("int", False), "client": ("string", False),
    }  # fmt: skip
    told = {d.what: d for d in recipe.decisions}
    assert told["text"].choice.startswith("body: read word by word")
    assert "of the words come again" in told["text"].why
    assert told["model"].choice == "bag"
    assert "2 other features beside" in told["model"].why


def test_a_slice_beats_the_baseline_and_nothing_is_skewed(run):
    found = json.loads((run.step_path("evaluation") / "evaluation.json").read_text())
    assert found["metrics"]["auc"]["value"] > 0.9
    assert found["metrics"]["accuracy"]["value"] > found["baseline"]["metrics"]["accuracy"] + 0.1
    servable = json.loads((run.step_path("servable") / "servable.json").read_text())
    assert servable["skew"]["max_difference"] < 1e-5


def test_the_report_names_what_tells_and_no_whole_mail(run, recipe):
    from kilnworks.components.reporting.report import render_report

    page = render_report(run.path)
    assert "What tells the most" in page
    assert "body: word n-grams that speak for spam" in page
    told = json.loads((run.step_path("model") / "training.json").read_text())["telling"]
    assert {one["towards"] for one in told} == {"ham", "spam"}
    profile = (run.step_path("checked") / "profile.json").read_text()
    for body in pl.read_csv(recipe.source.path)["body"].drop_nulls().head(50):
        assert len(body) < 80 or body not in profile


@pytest.fixture(scope="module")
def served(run):
    base = json.loads((run.step_path("deployment") / "deployment.json").read_text())["path"]
    with server("--model_name=mails", f"--model_base_path={Path(base).parent}") as announced:
        yield announced


TEXTS = [
    "Click here to claim your FREE money now!!!",
    "",
    "Schöne Grüße \N{THUMBS UP SIGN}",
    "the patch fails to build " * 4000,
]


def _asked(texts):
    rows = len(texts)
    return {"body": texts, "hour": [12] * rows, "client": ["web"] * rows}


def test_grpc_and_rest_answer_what_keras_answers(run, served):
    import tensorflow as tf

    from kilnworks.components.features.graph import input_name, transform_model
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.modeling.kept import load_trained
    from kilnworks.components.serving.client import Client
    from kilnworks.schemas.artifacts import Model

    artifact = Model(run.step_path("model"))
    transform = FeatureTransform.load(artifact.transform)
    asked = _asked(TEXTS)
    inputs = transform.raw_inputs()
    raw = {input_name(n): tf.constant(asked[n] if n != "hour" else np.array(asked[n]), inputs[n].dtype) for n in asked}
    wanted = np.asarray(load_trained(artifact)(transform_model(transform.plan)(raw), training=False))[:, 0]
    with Client(f"127.0.0.1:{served['grpc_port']}") as client:
        sent = {n: np.array([t.encode() for t in v], object) if n != "hour" else np.array(v, inputs[n].dtype)
                for n, v in asked.items()}  # fmt: skip
        over_grpc = client.predict("mails", sent).outputs["probabilities"][:, 1]
        np.testing.assert_allclose(over_grpc, wanted, atol=1e-6)
        one = {n: v[:1] for n, v in sent.items()}
        broken = client.predict("mails", {**one, "body": np.array([b"\xff\xfe"], object)})
        assert np.isfinite(broken.outputs["probabilities"]).all()
    url = f"http://127.0.0.1:{served['rest_api_port']}/v1/models/mails:predict"
    instances = [dict(zip(asked, row, strict=True)) for row in zip(*asked.values(), strict=True)]
    over_rest = [p["probabilities"][1] for p in _post(url, {"instances": instances})["predictions"]]
    np.testing.assert_allclose(over_rest, wanted, atol=1e-6)


@pytest.mark.parametrize("value", [1.5, None, ["a"]], ids=["number", "null", "list"])
def test_what_is_no_text_is_refused_in_words(served, value):
    url = f"http://127.0.0.1:{served['rest_api_port']}/v1/models/mails:predict"
    with pytest.raises(urllib.error.HTTPError) as caught:
        _post(url, {"instances": [{"body": value, "hour": 12, "client": "web"}]})
    assert caught.value.code == 400
    assert json.loads(caught.value.read())["error"]


def test_ten_megabytes_of_text_have_the_answer_of_its_beginning(served):
    url = f"http://127.0.0.1:{served['rest_api_port']}/v1/models/mails:predict"
    long = "free money " * 1_000_000
    answers = [
        _post(url, {"instances": [{"body": text, "hour": 12, "client": "web"}]})["predictions"][0]["probabilities"]
        for text in (long, long[:20_000])
    ]
    assert answers[0] == answers[1]


def _post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


GLOVE = "money 1 0 0\nfree 0.9 0.1 0\nmeeting 0 1 0\nlist 0 0.9 0.1\n"


def of_mails(recipe, model: Text, epochs: int, **training: object) -> Pipeline:
    """A slice of the mails by their first sixty words."""
    return supervised(
        "mails",
        IngestConfig(contract=recipe.contract, source=recipe.source, split=recipe.split),
        TrainConfig(model=model, epochs=epochs, batch=32, **training),
        transform=PreprocessConfig(features={"body": FeatureSettings(encode="tokens", text_length=60)}),
        evaluation=EvaluateConfig(resamples=200),
    )


@pytest.mark.nightly
@pytest.mark.parametrize("core", ["mean", "lstm", "gru", "transformer"])
def test_each_way_of_reading_words_learns_from_real_mails(recipe, tmp_path, core):
    run = Store(tmp_path / "store").run("mails", "one")
    run.begin("test", {})
    run_all(of_mails(recipe, Text(core=core), 10), run)
    found = json.loads((run.step_path("evaluation") / "evaluation.json").read_text())
    assert found["metrics"]["auc"]["low"] > 0.6


def test_vectors_synonyms_and_noise_on_real_mails(recipe, tmp_path):
    """Better than the baseline, and the report says how many words have a vector."""
    (tmp_path / "glove.txt").write_text(GLOVE)
    (tmp_path / "synonyms.txt").write_text("free, gratis\nmoney, cash, dollars\nmail, message, email\n")
    model = Text(
        core="cnn", word_dropout=0.1, word_swap=0.1,
        vectors=Vectors(file=str(tmp_path / "glove.txt"), frozen=False),
        synonyms=Synonyms(file=str(tmp_path / "synonyms.txt"), share=0.3),
    )  # fmt: skip
    pipeline = of_mails(recipe, model, 6, optimizer={"kind": "adam", "learning_rate": 0.005})
    run = Store(tmp_path / "store").run("mails", "one")
    run.begin("test", {})
    run_all(pipeline, run)
    found = json.loads((run.step_path("evaluation") / "evaluation.json").read_text())
    assert found["metrics"]["auc"]["low"] > 0.6
    [covered] = json.loads((run.step_path("model") / "training.json").read_text())["vectors"]
    assert covered["feature"] == "body"
    assert 2 <= round(covered["coverage"] * covered["words"]) <= 4
    assert f"of {covered['words']:,} words" in write_report(run.path).read_text()
