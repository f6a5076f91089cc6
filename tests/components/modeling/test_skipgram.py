"""Skip-gram against loops over pairs and against PPMI with a singular value decomposition, on a planted corpus."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.features.encoded import NUMERIC, TOKENS, EncodedTensor
from kilnworks.components.features.kinds.text import TokenTensor
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.modeling.skipgram import SkipGram
from kilnworks.components.modeling.texts.frequencies import kept, noise, unigram
from kilnworks.components.modeling.texts.vectors import Vectors
from kilnworks.components.modeling.texts.word_vectors import WordVectors
from kilnworks.components.tasks.choose import choose
from kilnworks.components.tasks.word_embedding import WordEmbedding
from kilnworks.schemas.code import Bytes
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataInvalid, UnknownName

TOPICS, EACH, LENGTH = 6, 5, 20
WORDS = tuple(f"{chr(97 + topic)}{i}" for topic in range(TOPICS) for i in range(EACH))
TEXT = TokenTensor(
    name="body", shape=(LENGTH,), dtype="int32", kind=TOKENS, vocabulary_size=3 + len(WORDS), words=WORDS
)
CONTRACT = Contract.model_validate({"name": "p", "features": {"body": {"dtype": "text"}}})


def corpus(rows: int = 400) -> np.ndarray:
    """Texts of one topic each, numbers [rows, LENGTH]; some are short."""
    random = np.random.default_rng(3)
    topic = random.integers(0, TOPICS, (rows, 1))
    texts = 3 + topic * EACH + random.integers(0, EACH, (rows, LENGTH))
    texts[:, 0] = 2
    texts[random.random((rows, LENGTH)) < 0.1] = 1
    texts[::7, 12:] = 0
    return texts.astype(np.int32)


def model(architecture: SkipGram, texts: np.ndarray):
    """A seen architecture's model and what trains it."""
    import keras

    keras.utils.set_random_seed(1)
    task = WordEmbedding.of(CONTRACT).with_words(WORDS, architecture.dimensions, architecture.nearest)
    learner = architecture.shown({"body": texts}).learner([TEXT], task)
    return learner, task


def by_loops(layer, texts: np.ndarray, window: int) -> np.ndarray:
    """Loss, loss of frequency and weight of each text, pair by pair."""
    vectors, contexts, bias, keep, bank = (
        np.asarray(getattr(layer, n), np.float64) for n in ("vectors", "contexts", "bias", "keep", "noise")
    )
    out = np.zeros((len(texts), 3))
    for row, text in enumerate(texts.tolist()):
        for i, word in enumerate(text):
            drawn = [
                int(bank[(word * 7919 + i * 104729 + k * 15485863) % len(bank), 0]) for k in range(layer.negatives)
            ]
            for j, other in enumerate(text):
                apart = abs(i - j)
                if not 1 <= apart <= window:
                    continue
                weight = (window + 1 - apart) / window * keep[word, 0] * keep[other, 0]
                level = bias[other, 0]
                loss = np.log1p(np.exp(-(vectors[word] @ contexts[other] + level)))
                base = np.log1p(np.exp(-level))
                for wrong in drawn:
                    loss += np.log1p(np.exp(vectors[word] @ contexts[wrong] + bias[wrong, 0]))
                    base += np.log1p(np.exp(bias[wrong, 0]))
                out[row] += np.array([loss, base, 1.0]) * weight
    return out


def test_the_loss_is_that_of_a_loop_over_pairs() -> None:
    from kilnworks.components.modeling.texts.grams import grams_of

    texts = corpus(40)
    learner, _ = model(SkipGram(dimensions=4, window=3, negatives=2, subsampling=0.02, nearest=3), texts)
    layer = grams_of(learner.model)
    first = np.asarray(learner.model({"body": texts}))
    assert first[:, 0] == pytest.approx(first[:, 1], rel=1e-5), "a new model tells what frequency tells"
    layer.contexts.assign(np.random.default_rng(0).normal(0, 1, layer.contexts.shape))
    layer.vectors.assign(np.random.default_rng(1).normal(0, 1, layer.vectors.shape))
    told = np.asarray(learner.model({"body": texts}))
    wanted = by_loops(layer, texts, 3)
    assert told[:, :3] == pytest.approx(wanted / wanted[:, 2].mean(), rel=2e-4, abs=1e-5)
    drawn = [np.asarray(learner.phases[0].trained({"body": texts}, training=True))[:, 0].mean() for _ in range(2)]
    assert drawn[0] != drawn[1] and drawn == pytest.approx([told[:, 0].mean()] * 2, rel=0.1)


def test_frequencies_are_those_of_the_formulas() -> None:
    counts = np.array([9, 9, 9, 900, 90, 10, 0])
    share = counts[3:6] / 1000
    keep = kept(counts, 0.01)
    assert keep[3:6] == pytest.approx(np.minimum(1, np.sqrt(0.01 / share) + 0.01 / share))
    assert keep[[0, 1, 2, 6]].tolist() == [0, 0, 0, 0] and kept(counts, 0)[3:].tolist() == [1, 1, 1, 0]
    drawn, chance = noise(counts, 10_000)
    assert chance[3:6] == pytest.approx(share**0.75 / (share**0.75).sum())
    assert np.bincount(drawn, minlength=7) / 10_000 == pytest.approx(chance, abs=2e-4)
    there = counts[3:6] * keep[3:6] / (counts[3:6] * keep[3:6]).sum()
    assert unigram(counts, keep, chance, 5)[3:6] == pytest.approx(np.log(there / (5 * chance[3:6])), rel=1e-5)


def ppmi_vectors(texts: np.ndarray, window: int) -> np.ndarray:
    """The reference: positive pointwise mutual information, and its first singular vectors (Levy & Goldberg 2014)."""
    size = 3 + len(WORDS)
    pairs = np.zeros((size, size))
    for apart in range(1, window + 1):
        np.add.at(pairs, (texts[:, :-apart], texts[:, apart:]), (window + 1 - apart) / window)
    pairs = (pairs + pairs.T)[3:, 3:]
    chance = pairs.sum(0, keepdims=True) * pairs.sum(1, keepdims=True) / pairs.sum()
    left, sizes, _ = np.linalg.svd(np.log(np.maximum(pairs / chance, 1)))
    return left[:, :8] * np.sqrt(sizes[:8])


def neighbours(vectors: np.ndarray) -> list[set[int]]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    return [set(row) for row in np.argsort(-cosine, axis=1)[:, : EACH - 1].tolist()]


@pytest.fixture(scope="module")
def learned():
    """A model of the planted corpus, its task and its vectors."""
    import keras

    texts = corpus()
    learner, task = model(SkipGram(dimensions=8, subsampling=0, nearest=EACH - 1), texts)
    trained = learner.phases[0].trained
    trained.compile(Adam(learning_rate=0.02).build(0.02), task.loss())
    keras.utils.set_random_seed(2)
    trained.fit({"body": texts}, np.zeros((len(texts), 1)), batch_size=16, epochs=6, verbose=0)
    return learner.model, task, WordVectors.inside(learner.model, WORDS)


@pytest.mark.slow
def test_neighbours_are_those_that_were_planted_and_those_of_the_reference(learned) -> None:
    planted = [set(range(i // EACH * EACH, i // EACH * EACH + EACH)) - {i} for i in range(len(WORDS))]
    assert neighbours(ppmi_vectors(corpus(), 5)) == planted
    assert neighbours(learned[2].matrix) == planted


@pytest.mark.slow
def test_texts_of_the_same_topics_are_foretold_better_than_by_frequency(learned) -> None:
    told = np.asarray(learned[0]({"body": corpus(401)[350:]}))
    answers = {name: np.asarray(v) for name, v in learned[1].answers(told).items()}
    values = {m.name: m.of(None, answers) for m in WordEmbedding.metrics_of(1)}
    assert values["skipgram_loss"] == pytest.approx(told[:, 0].sum() / told[:, 2].sum(), rel=1e-5)
    assert values["relative_loss"] < 0.8
    baseline = learned[1].described(None, answers)["baseline"]["metrics"]
    assert values["skipgram_loss"] / baseline["skipgram_loss"] == pytest.approx(values["relative_loss"], rel=1e-5)


@pytest.mark.slow
def test_a_word_is_answered_with_its_vector_and_its_neighbours(learned) -> None:
    trained, task, vectors = learned
    texts = np.zeros((3, LENGTH), np.int32)
    texts[:, 0] = 2
    texts[0, 1] = texts[1, 1] = 3 + WORDS.index("b1")
    texts[1, 2] = 3 + WORDS.index("c2")
    answers = {name: np.asarray(v) for name, v in task.answers(trained({"body": texts})).items()}
    near = vectors.nearest("b1", EACH - 1)
    assert [w.decode() for w in answers["nearest"][0]] == [w for w, _ in near]
    assert answers["similarity"][0] == pytest.approx([s for _, s in near], abs=1e-5)
    assert answers["vector"][0] == pytest.approx(vectors["b1"], abs=1e-6)
    assert answers["vector"][1] == pytest.approx((vectors["b1"] + vectors["c2"]) / 2, abs=1e-6)
    assert answers["nearest"][2].tolist() == [b""] * (EACH - 1) and not answers["similarity"][2].any()
    table = task.table(answers)
    assert table["nearest"].to_list()[0].split() == [w for w, _ in near] and isinstance(table, pl.DataFrame)
    swapped = {**answers, "nearest": answers["nearest"][:, ::-1]}
    assert task.difference("nearest", swapped["nearest"], answers)[0] > 0
    assert task.difference("nearest", answers["nearest"], answers).max() == 0


@pytest.mark.slow
def test_keras_alone_answers_the_same(learned) -> None:
    import keras

    from kilnworks.components.modeling.texts.grams import grams_of

    trained, _, _ = learned
    given = keras.Input((LENGTH,), dtype="int32", name="body")
    stock = keras.Model(given, grams_of(trained).in_stock_layers(given))
    assert {type(layer).__module__.partition(".")[0] for layer in stock.layers} == {"keras"}
    assert np.asarray(stock(corpus(9))) == pytest.approx(np.asarray(trained({"body": corpus(9)})), abs=1e-4)


@pytest.mark.slow
def test_vectors_are_written_as_glove_and_begin_another_model(learned, tmp_path: Path) -> None:
    vectors = learned[2]
    vectors.write(tmp_path / "vectors.txt")
    matrix, coverage = Vectors(file=Bytes(path=str(tmp_path / "vectors.txt"))).matrix(WORDS, 3)
    assert coverage == 1 and np.array_equal(matrix[3:], vectors.matrix)


def test_analogies_are_sums_of_vectors() -> None:
    flat = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [-1, 0, 0]], np.float32)
    vectors = WordVectors(("man", "king", "woman", "queen", "stone"), flat)
    assert vectors.analogy("man", "king", "woman", 1)[0][0] == "queen"
    with pytest.raises(UnknownName, match="'quin'"):
        vectors.nearest("quin")
    assert vectors.nearest("king", 1)[0] == ("man", pytest.approx(0.5**0.5))
    told = vectors.described()
    assert told["words"] == 5 and len(told["map"]) == 5 and 0 < told["share"] <= 1


def test_what_it_cannot_learn_from_is_refused() -> None:
    task = WordEmbedding.of(CONTRACT)
    assert choose(CONTRACT, None, SkipGram.task) is WordEmbedding and not WordEmbedding.suits(CONTRACT)
    number = EncodedTensor(name="n", shape=(1,), dtype="float32", kind=NUMERIC)
    with pytest.raises(ConfigError, match="encoded as numeric"):
        SkipGram().network([number], task)
    with pytest.raises(ConfigError, match="one text, with a vocabulary"):
        SkipGram().network([TEXT, TEXT.model_copy(update={"name": "other"})], task)
    with pytest.raises(ConfigError, match="30 known words"):
        SkipGram(nearest=30).network([TEXT], task)
    with pytest.raises(DataInvalid, match="no two known words"):
        SkipGram().shown({"body": np.ones((5, LENGTH), np.int32)})
