"""Networks over words: padding is never seen, an empty text has an answer, and each learns the order of words."""

import struct

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.features.kinds.text import TokenTensor
from kilnworks.components.modeling.text import Text
from kilnworks.components.modeling.texts.synonyms import Synonyms
from kilnworks.components.modeling.texts.vectors import Vectors
from kilnworks.components.tasks.binary import Binary
from kilnworks.schemas.contract import Label
from kilnworks.schemas.errors import ConfigError, DataUnreadable
from tests.effort import some

TASK = Binary(label=Label(name="y", dtype="int", classes=(0, 1)))
WORDS = tuple(f"w{i}" for i in range(17))
TOKENS = TokenTensor(name="body", shape=(8,), dtype="int32", kind="tokens", vocabulary_size=20, words=WORDS)
NUMBERS = EncodedTensor(name="numeric", shape=(2,), dtype="float32", kind="numeric")
SMALL = {"word_size": 8, "units": (8,), "filters": 8, "recurrent_units": 8, "heads": 2, "dropout": 0.0}
CORES = ["mean", "cnn", "lstm", "gru", "transformer"]


def answers(model, numbers):
    return np.asarray(model({"body": np.asarray(numbers, np.int32)}, training=False))


@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
def test_padding_is_not_seen_and_an_empty_text_has_an_answer(core):
    import keras

    keras.utils.set_random_seed(0)
    long = Text(core=core, **SMALL).network([TOKENS], TASK)
    short = Text(core=core, **SMALL).network([TOKENS.model_copy(update={"shape": (5,)})], TASK)
    for mine, its in zip(short.weights, long.weights, strict=True):
        mine.assign(np.asarray(its)[: mine.shape[0]])
    text = [[2, 3, 4, 5, 6], [2, 9, 0, 0, 0], [2, 0, 0, 0, 0]]
    wide = np.pad(text, ((0, 0), (0, 3)))
    np.testing.assert_allclose(answers(long, wide), answers(short, text), atol=2e-6)
    assert np.isfinite(answers(long, wide)).all()


@pytest.mark.slow
@pytest.mark.parametrize("core", some(CORES, ["cnn", "transformer"]))
def test_a_saved_network_answers_the_same(core, tmp_path):
    import keras

    model = Text(core=core, layers=2, word_dropout=0.1, **SMALL).network([TOKENS], TASK)
    model.save(tmp_path / "m.keras")
    numbers = np.random.default_rng(0).integers(3, 20, (4, 8))
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(answers(again, numbers), answers(model, numbers))


@pytest.mark.slow
@pytest.mark.parametrize("core", ["cnn", "gru", "transformer"])
def test_the_order_of_words_is_learned_where_a_bag_sees_none(core):
    """``3`` right before ``4`` counts, ``4`` before ``3`` does not: the words are the same."""
    import keras

    keras.utils.set_random_seed(0)
    r = np.random.default_rng(0)
    y = r.integers(0, 2, 400)
    numbers = np.full((400, 8), 0, np.int32)
    numbers[:, 0] = 2
    numbers[:, 1:6] = r.integers(5, 20, (400, 5))
    place = r.integers(1, 5, 400)
    numbers[np.arange(400), place] = np.where(y, 3, 4)
    numbers[np.arange(400), place + 1] = np.where(y, 4, 3)
    model = Text(core=core, **SMALL).network([TOKENS], TASK)
    model.compile(keras.optimizers.Adam(0.01), TASK.loss())
    model.fit({"body": numbers[:300]}, y[:300, None].astype("float32"), batch_size=20, epochs=25, verbose=0)
    right = (answers(model, numbers[300:])[:, 0] > 0.5) == y[300:]
    assert right.mean() > 0.9


def test_text_beside_numbers():
    model = Text(**SMALL).network([TOKENS, NUMBERS], TASK)
    assert model({"body": np.full((3, 8), 2, np.int32), "numeric": np.zeros((3, 2), np.float32)}).shape == (3, 1)


def test_noise_keeps_start_padding_and_words():
    import keras

    from kilnworks.components.modeling.texts.sequences import WordNoise

    keras.utils.set_random_seed(0)
    numbers = np.array([[2, *range(3, 20), 0, 0]] * 200, np.int32)
    swapped = np.asarray(WordNoise(swap=0.3)(numbers, training=True))
    assert (np.sort(swapped, axis=1) == np.sort(numbers, axis=1)).all()
    assert 0.3 < (swapped != numbers)[:, 1:18].mean() < 0.6
    dropped = np.asarray(WordNoise(drop=0.25)(numbers, training=True))
    assert (dropped[:, 0] == 2).all()
    assert (dropped[:, 18:] == 0).all()
    assert abs((dropped == 1)[:, 1:18].mean() - 0.25) < 0.03
    np.testing.assert_array_equal(np.asarray(WordNoise(0.5, 0.5)(numbers, training=False)), numbers)


GROUPS = "# of one meaning\nw0, w1,w2\nw1\tw9\nnobody, w3\nw4\n"


def test_the_table_of_synonyms(tmp_path):
    (tmp_path / "s.txt").write_text(GROUPS, "utf-8-sig")
    table = Synonyms(file=str(tmp_path / "s.txt")).table(WORDS, 3)
    told = {WORDS[i - 3]: [WORDS[n - 3] for n in row if n] for i, row in enumerate(table.tolist()) if any(row)}
    assert told == {"w0": ["w1", "w2"], "w1": ["w0", "w2", "w9"], "w2": ["w0", "w1"], "w9": ["w1"]}


def test_words_are_replaced_by_each_of_their_synonyms_in_training_alone(tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    (tmp_path / "s.txt").write_text(GROUPS)
    model = Text(synonyms=Synonyms(file=str(tmp_path / "s.txt"), share=0.5), **SMALL).network([TOKENS], TASK)
    layer = model.get_layer("synonyms_body")
    numbers = np.tile(np.array([[2, 3, 4, 7, 12, 0, 0, 0]], np.int32), (4000, 1))
    changed = np.asarray(layer(numbers, training=True))
    shares = [{int(n): float((column == n).mean()) for n in np.unique(column)} for column in changed.T]
    assert [set(one) for one in shares] == [{2}, {3, 4, 5}, {3, 4, 5, 12}, {7}, {4, 12}, {0}, {0}, {0}]
    for place, wanted in ((1, {3: 1 / 2, 4: 1 / 4, 5: 1 / 4}), (2, {4: 1 / 2, 3: 1 / 6, 5: 1 / 6, 12: 1 / 6})):
        assert shares[place] == pytest.approx(wanted, abs=0.04)
    np.testing.assert_array_equal(np.asarray(layer(numbers, training=False)), numbers)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras").get_layer("synonyms_body")
    np.testing.assert_array_equal(np.asarray(again.table), np.asarray(layer.table))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"w0\nw1\n", "two of the 17 words"), (b"", "two of the 17 words"), (b"w0,\xff\xfe", "byte 3 is no UTF-8")],
    ids=["no groups", "empty", "bytes"],
)
def test_a_broken_file_of_synonyms_is_refused_in_words(tmp_path, content, said):
    (tmp_path / "s.txt").write_bytes(content)
    with pytest.raises(DataUnreadable, match=said):
        Synonyms(file=str(tmp_path / "s.txt")).table(WORDS, 3)
    with pytest.raises(ConfigError, match="no file"):
        Synonyms(file=str(tmp_path / "other.txt")).table(WORDS, 3)


def written(path, form, rows):
    head = b"" if form == "glove" else f"{len(rows)} 3\n".encode()
    if form == "word2vec_binary":
        body = b"".join(w.encode() + b" " + struct.pack("<3f", *v) + b"\n" for w, v in rows.items())
    else:
        body = "".join(f"{w} {' '.join(map(str, v))}\n" for w, v in rows.items()).encode()
    path.write_bytes(head + body)
    return Vectors(file=str(path), format=form, frozen=form != "word2vec")


@pytest.mark.parametrize("form", ["glove", "word2vec", "word2vec_binary"])
def test_vectors_of_every_format(tmp_path, form):
    rows = {"w0": (1.0, 2.0, 3.0), "other": (0.5, 0.0, -1.0), "w5": (4.0, 5.0, 6.0)}
    vectors = written(tmp_path / "v", form, rows)
    matrix, coverage = vectors.matrix(WORDS, 3)
    assert coverage == pytest.approx(2 / 17)
    np.testing.assert_allclose(matrix[3], rows["w0"])
    np.testing.assert_allclose(matrix[8], rows["w5"])
    np.testing.assert_allclose(matrix[4], np.mean(list(rows.values()), axis=0), rtol=1e-6)
    np.testing.assert_array_equal(matrix[:3], 0)
    model = Text(core="mean", vectors=vectors, **SMALL).network([TOKENS], TASK)
    layer = model.get_layer("words_body")
    np.testing.assert_allclose(np.asarray(layer.embeddings), matrix)
    assert bool(layer.trainable) is not vectors.frozen


@pytest.mark.parametrize(
    ("form", "content", "said"),
    [
        ("glove", b"a 1 2\nb 1\n", "line 2"),
        ("glove", b"a 1 nan\n", "finite"),
        ("word2vec", b"a 1 2\n", "say format='glove'"),
        ("word2vec_binary", b"2 2\na \0\0\0\0\0\0\0\0b \0\0", "vector 2 of 2"),
        ("glove", b"zz 1 2\n", "none of the 17 words"),
    ],
    ids=["short", "nan", "no-head", "cut", "other-language"],
)
def test_a_broken_file_of_vectors_is_refused_in_words(tmp_path, form, content, said):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(DataUnreadable) as caught:
        Vectors(file=str(tmp_path / "v"), format=form).matrix(WORDS, 3)
    assert said in str(caught.value)


def test_a_network_of_words_without_a_text_says_what_to_do():
    with pytest.raises(ConfigError, match="none of which is a text in words"):
        Text().network([NUMBERS], TASK)
    hashed = TOKENS.model_copy(update={"words": ()})
    with pytest.raises(ConfigError, match="whose words are hashed"):
        Text(vectors=Vectors(file="x")).network([hashed], TASK)
    with pytest.raises(ConfigError, match="synonyms for 'body', whose words are hashed"):
        Text(synonyms=Synonyms(file="x")).network([hashed], TASK)
    with pytest.raises(ValueError, match="not divisible by 4 heads"):
        Text(core="transformer", word_size=30)
