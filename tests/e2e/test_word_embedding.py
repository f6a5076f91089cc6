"""The pipeline ``words``: better than word frequencies on a slice, served as Keras answers; in full every night."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.modeling.texts.vectors import Vectors
from kilnworks.components.modeling.texts.word_vectors import WordVectors
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.chains import ROOT
from kilnworks.schemas.artifacts import Model
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.code import Bytes
from kilnworks.schemas.files import read_json
from tests.served import served

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A store with a run over a slice of the mails, which is live."""
    folder = tmp_path_factory.mktemp("words")
    pl.read_parquet(ROOT / "data/mails.parquet").sample(900, seed=1).write_parquet(folder / "mails.parquet")
    few = ("examples.source.path=" + str(folder / "mails.parquet"), "model.model.dimensions=16", "model.epochs=4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILNWORKS_STORE", str(folder / "store"))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        limit = ("--set", "evaluation.max.relative_loss=1.0")
        assert (
            main(["run", "words", "--run-id", "one", *(a for f in few for a in ("--set", f)), *limit, "--promote"]) == 0
        )
        yield folder


def test_a_slice_is_better_than_word_frequencies(words) -> None:
    found = read_json(words / "store/runs/words/one/evaluation/evaluation.json")
    assert found["metrics"]["relative_loss"]["high"] < 1
    assert found["metrics"]["skipgram_loss"]["high"] < found["baseline"]["metrics"]["skipgram_loss"]


def test_the_report_draws_the_words(words) -> None:
    page = (words / "store/runs/words/one/report.html").read_text()
    assert "Words near one another" in page and "Map of words" in page


def test_a_word_is_answered_alike_over_grpc_and_rest_and_by_keras(words) -> None:
    import keras
    import tensorflow as tf

    from kilnworks.components.serving.client import Client

    champion = read_champion(words / "store", "words")
    run = words / "store/runs/words/one"
    vectors = WordVectors.of(Model(run / "model"))
    word = next(w for w in vectors.words[100:] if w.isalpha() and len(w) > 4)
    flags = ["--contract_check", "--model_name=words",
             f"--model_base_path={Path(champion.path).parent}"]  # fmt: skip
    with served(*flags) as announced:
        url = f"http://127.0.0.1:{announced['rest_api_port']}/v1/models/words:predict"

        def rest(text):
            body = json.dumps({"instances": [{"body": text}]}).encode()
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as replied:
                return json.loads(replied.read())["predictions"][0]

        texts = [word, "", f"{word} and more of it"]
        with Client(f"127.0.0.1:{announced['grpc_port']}") as client:
            answer = client.predict("words", {"body": np.array(texts, object)}).outputs
        alone = keras.saving.load_model(run / "servable/standalone.keras", compile=False)({"body": tf.constant(texts)})
        for i, text in enumerate(texts):
            replied = rest(text)
            for name in ("vector", "similarity", "pairs"):
                np.testing.assert_allclose(answer[name][i], replied[name], rtol=1e-5, atol=1e-6)
                np.testing.assert_allclose(answer[name][i], alone[name][i], rtol=1e-4, atol=1e-5)
            assert [w.decode() if isinstance(w, bytes) else w for w in answer["nearest"][i]] == replied["nearest"]
        near = vectors.nearest(word)
        assert rest(word)["nearest"] == [w for w, _ in near] and rest("")["nearest"] == [""] * 10
        np.testing.assert_allclose(answer["vector"][0], vectors[word], rtol=1e-5, atol=1e-6)
        with pytest.raises(urllib.error.HTTPError) as refused:
            rest(5)
        assert refused.value.code == 400 and "body" in refused.value.read().decode()


def test_its_vectors_are_a_file_that_others_read(words) -> None:
    vectors = WordVectors.of(Model(words / "store/runs/words/one/model"))
    vectors.write(words / "vectors.txt")
    matrix, coverage = Vectors(file=Bytes(path=str(words / "vectors.txt"))).matrix(vectors.words, 0)
    assert coverage == 1 and np.array_equal(matrix, vectors.matrix)


@pytest.mark.nightly
def test_the_full_result(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert main(["run", "words", "--run-id", "one"]) == 0
    found = read_json(tmp_path / "store/runs/words/one/evaluation/evaluation.json")
    assert found["metrics"]["relative_loss"]["value"] <= 0.86
