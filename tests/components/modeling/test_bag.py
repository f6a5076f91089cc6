"""The bag of n-grams: weights as in the papers, members as in scikit-learn, and one for every task."""

import numpy as np
import pytest

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.features.kinds.text import NgramTensor
from kilnworks.components.modeling.bag import Bag
from kilnworks.components.modeling.texts.ratios import NgramCounts
from kilnworks.components.tasks.binary import Binary
from kilnworks.components.tasks.multiclass import Multiclass
from kilnworks.components.tasks.multilabel import Multilabel
from kilnworks.components.tasks.regression import Regression
from kilnworks.schemas.contract import Label
from kilnworks.schemas.errors import ConfigError

TEXT = NgramTensor(name="body", shape=(6,), dtype="int32", kind="ngrams", vocabulary_size=9, first_piece=6)
NUMBERS = EncodedTensor(name="numeric", shape=(2,), dtype="float32", kind="numeric")
NUMBERED = np.array([[2, 3, 4, 6, 7, 0], [2, 3, 5, 6, 8, 0], [2, 4, 5, 7, 0, 0], [2, 0, 0, 0, 0, 0]], np.int32)
TASKS = {
    "binary": Binary(label=Label(name="y", dtype="int", classes=(0, 1))),
    "multiclass": Multiclass(label=Label(name="y", dtype="int", classes=(0, 1, 2))),
    "multilabel": Multilabel(label=Label(name="y", dtype="string", classes=("a", "b"), many=True)),
    "regression": Regression(label=Label(name="y", dtype="float")),
}


class Columns(dict):
    """Training rows with their labels."""

    def labels(self):
        return np.array([1, 1, 0, 0])


def test_ratios_are_equation_1_of_wang_and_manning():
    seen = NgramCounts.of(NUMBERED, np.array([1, 1, 0, 0]))
    ratio = seen.ratios(9, 1, ((3, 6), (6, 9)))[:, 0]
    p, q = np.array([1 + 2, 1 + 1, 1 + 1]), np.array([1 + 0, 1 + 1, 1 + 1])
    np.testing.assert_allclose(ratio[3:6], np.log((p / p.sum()) / (q / q.sum())), rtol=1e-6)
    np.testing.assert_allclose(ratio[:3], 1)
    np.testing.assert_allclose(seen.idf(9)[3], np.log(5 / 3) + 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (np.array([0, 1, 2, 1]), [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]),
        (np.array([[1, 0], [1, 1], [0, 0], [0, 1]]), [[1, 1, 0, 0], [0, 1, 0, 1]]),
        (np.array([0.5, 9.0, 1.0, 7.0]), [[0, 1, 0, 1]]),
    ],
    ids=["classes", "many", "numbers"],
)
def test_groups_are_classes_or_large_numbers(labels, groups):
    seen = NgramCounts.of(NUMBERED, labels)
    wanted = [[int((NUMBERED[np.array(g, bool)] == v).sum()) for v in range(9)] for g in groups]
    np.testing.assert_array_equal(seen.positive.T, wanted)


@pytest.mark.slow
def test_outputs_are_those_of_a_loop_over_the_texts():
    import keras

    from kilnworks.components.modeling.texts.ngrams import NgramEffects

    layer = NgramEffects(9, 2, 3, 6)
    layer.build((None, 6))
    r = np.random.default_rng(0)
    idf, ratio, effects, bias = r.random(9), r.random((9, 2)), r.random((9, 4)), r.random((4, 2))
    for weight, value in ((layer.idf, idf), (layer.ratio, ratio), (layer.embeddings, effects), (layer.bias, bias)):
        weight.assign(value)
    got = keras.ops.convert_to_numpy(layer(NUMBERED))
    for row, numbers in enumerate(NUMBERED):
        for block, (low, end) in enumerate(((3, 6), (6, 9))):
            here = [n for n in numbers if low <= n < end]
            norm = np.sqrt(sum(idf[n] ** 2 for n in here)) or 1
            plain = sum((idf[n] / norm * effects[n, :2] for n in here), np.zeros(2))
            scaled = sum((idf[n] / norm * effects[n, 2:] * ratio[n] for n in here), np.zeros(2))
            np.testing.assert_allclose(got[row, block], plain + bias[block], rtol=1e-5)
            np.testing.assert_allclose(got[row, 2 + block], scaled + bias[2 + block], rtol=1e-5)
    given = keras.Input((6,), dtype="int32")
    stock = keras.Model(given, layer.in_stock_layers(given))
    assert {type(one).__module__.partition(".")[0] for one in stock.layers} == {"keras"}
    np.testing.assert_allclose(keras.ops.convert_to_numpy(stock(NUMBERED)), got, atol=1e-6)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("beside", [[], [NUMBERS]], ids=["alone", "beside-numbers"])
def test_every_task_has_a_bag(task, beside):
    model = Bag().shown(Columns(body=NUMBERED)).network([TEXT, *beside], task)
    given = {"body": NUMBERED, "numeric": np.zeros((4, 2), np.float32)}
    answers = np.asarray(model({name: given[name] for name in model.input}))
    assert answers.shape == (4, task.outputs)
    assert np.isfinite(answers).all()
    trained = Bag().shown(Columns(body=NUMBERED)).training(model, task)
    assert trained.outputs[0].shape[1:] == (4, task.outputs)


def test_two_texts_of_one_row_share_the_members():
    other = NgramTensor(name="title", shape=(3,), dtype="int32", kind="ngrams", vocabulary_size=5, first_piece=5)
    model = Bag().network([TEXT, other], TASKS["binary"])
    answers = np.asarray(model({"body": NUMBERED, "title": NUMBERED[:, :3] % 5}))
    assert answers.shape == (4, 1)


def test_a_bag_without_a_text_says_what_to_do():
    with pytest.raises(ConfigError) as caught:
        Bag().network([NUMBERS], TASKS["binary"])
    assert 'encode="ngrams"' in str(caught.value)


@pytest.mark.slow
def test_the_members_are_trained_to_the_logistic_regression_of_scikit_learn():
    """With the same prior, the plain member of words ends where scikit-learn's solver ends."""
    import keras
    import tensorflow as tf
    from sklearn.linear_model import LogisticRegression

    keras.utils.set_random_seed(0)
    r = np.random.default_rng(1)
    vocabulary, rows = 40, 300
    numbers = np.stack([np.r_[2, r.choice(np.arange(3, vocabulary), 9, replace=False)] for _ in range(rows)]).astype(
        "int32"
    )
    effect = r.normal(size=vocabulary)
    y = (effect[numbers[:, 1:]].sum(1) + r.normal(size=rows) > 0).astype("int32")

    class Seen(dict):
        def labels(self):
            return y

    text = NgramTensor(name="t", shape=(10,), dtype="int32", kind="ngrams", vocabulary_size=vocabulary, first_piece=40)
    bag = Bag(strength=2.0).shown(Seen(t=numbers))
    task = TASKS["binary"]
    model = bag.network([text], task)
    trained = bag.training(model, task)
    trained.compile(keras.optimizers.Adam(0.1), task.loss())
    steps = tf.data.Dataset.from_tensors(({"t": numbers}, y[:, None].astype("float32"))).repeat(400)
    trained.fit(steps, shuffle=False, verbose=0)
    layer = model.get_layer("effects_t")
    idf = np.asarray(layer.idf)
    dense = np.zeros((rows, vocabulary))
    for row, found in enumerate(numbers):
        dense[row, found[1:]] = idf[found[1:]]
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    wanted = LogisticRegression(C=2.0, max_iter=5000, tol=1e-8).fit(dense, y)
    np.testing.assert_allclose(np.asarray(layer.embeddings)[3:, 0], wanted.coef_[0, 3:], atol=0.02)
