"""The Keras graph against the columnar encoding: equal bit by bit, for every kind of feature and any row."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.features.encoded import keras_name
from kilnworks.components.features.kinds import AnyPlan
from kilnworks.components.features.kinds.indexed import IndexedPlan
from kilnworks.components.features.kinds.text import TextPlan
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.schemas.artifacts import Transform
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.kinds import members_of
from tests.components.features import tabular
from tests.effort import tries

pytestmark = pytest.mark.slow

SENT = dict.fromkeys(("ignored", "member", "opened"), FeatureSettings(encode="as_sent"))
ALL = tabular.SETTINGS.model_copy(
    update={"features": {**tabular.SETTINGS.features, **SENT, "since": FeatureSettings(encode="moment")}}
)
"""Every kind: some features as they are sent."""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A transform of all kinds of features, saved and loaded, and its Keras file."""
    import keras

    folder = tmp_path_factory.mktemp("fitted")
    made = tabular.examples(
        folder / "examples", tabular.contract(), {"train": [tabular.rows(600), tabular.rows(300, 1)]}
    )
    FeatureTransform.fit(made.contract, made.files("train"), ALL).save(folder / "transform")
    transform = FeatureTransform.load(Transform(folder / "transform"))
    return transform, keras.saving.load_model(folder / "transform" / "transform.keras")


def _graph(transform, model, frame):
    from kilnworks.components.features.graph import input_name

    raw = tabular.as_tensors(transform.contract, frame)
    return {n: _array(v) for n, v in model({input_name(n): tensor for n, tensor in raw.items()}).items()}


def _array(tensor):
    """As ``encode`` gives it: texts as objects, not as bytes."""
    values = tensor.numpy()
    return np.array([v.decode() for v in values], object) if values.dtype == object else values


def _same(transform, model, frame):
    encoded, graph = transform.encode(frame), _graph(transform, model, frame)
    assert list(encoded) == [t.name for t in transform.encoded] and set(graph) == set(encoded)
    for tensor in transform.encoded:
        got, wanted = encoded[tensor.name], graph[tensor.name]
        assert got.dtype == wanted.dtype == np.dtype(object if tensor.dtype == "string" else tensor.dtype)
        assert got.shape == (frame.height, *tensor.shape)
        np.testing.assert_array_equal(got, wanted, err_msg=tensor.name)


def test_every_kind_of_encoding_is_covered(fitted):
    transform, _ = fitted
    texts = {TextPlan}  # one layer for both paths, see test_features_text.py
    assert {type(p) for p in transform.plan.features.values()} == set(members_of(AnyPlan)) - texts
    numbers = [n.plan for n in transform.plan.numbers.values()]
    assert {p.scale for p in numbers} == {"standard", "minmax", "log1p", "quantile"}
    indexed = [p for p in transform.plan.features.values() if isinstance(p, IndexedPlan)]
    assert {p.output for p in indexed} == {"one_hot", "embedding"}
    assert any(p.factor != 1 for p in numbers)
    assert any(p.origin for p in numbers)
    assert {t.kind for t in transform.encoded} == {"numeric", "shares", "categorical", "image", "sequence", "as_sent"}


@pytest.mark.parametrize("n", [1, 2, 777])
def test_the_saved_graph_equals_the_columnar_encoding(fitted, n):
    _same(*fitted, tabular.rows(n, seed=n))


def test_inside_a_compiled_function_both_agree_to_the_last_bit_or_so(fitted):
    import tensorflow as tf

    from kilnworks.components.features.graph import input_name

    transform, model = fitted
    frame = tabular.rows(300, seed=5)
    raw = tabular.as_tensors(transform.contract, frame)
    graph = tf.function(model)({input_name(n): tensor for n, tensor in raw.items()})
    for name, values in transform.encode(frame).items():
        if values.dtype.kind in "fi":
            np.testing.assert_allclose(values, graph[name].numpy(), rtol=1e-6, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(values, _array(graph[name]), err_msg=name)


FLOATS = st.one_of(st.none(), st.floats(width=32), st.sampled_from([0.0, -0.0, 1e-30, 3e38]))
KNOWN = ["basic", "größe", "", "shop1", "shop12", "first", "\ufffdunknown", "[UNK]"]
TEXTS = st.one_of(st.none(), st.sampled_from(KNOWN), st.text(max_size=5))
STRATEGIES = {
    "age": FLOATS,
    "heat": FLOATS,
    "spent": FLOATS,
    "share": FLOATS,
    "charge": FLOATS,
    "visits": st.integers(-(2**63), 2**63 - 1),
    "account": st.integers(10**15 - 10**6, 10**15 + 10**6),
    "children": st.one_of(st.none(), st.integers(-(2**31), 2**31)),
    "rating": st.one_of(st.sampled_from([-1, 0, 3, 7]), st.integers(-(2**63) + 1, 2**63 - 1)),
    "grade": st.one_of(st.none(), st.integers(-5, 5), st.integers(-(2**62), 2**62)),
    "insured": st.one_of(st.none(), st.booleans()),
    "plan": TEXTS,
    "shop": TEXTS,
    "class": TEXTS,
    "ignored": TEXTS,
    "member": st.booleans(),
    "since": st.one_of(st.none(), st.datetimes()),
    "opened": st.one_of(st.none(), st.datetimes()),
    "store": st.one_of(st.none(), st.integers(2**53 - 1, 2**53 + 4), st.integers(-(2**63) + 1, 2**63 - 1)),
    "balance": st.one_of(st.none(), st.integers(0, 10**15)),
}


@settings(max_examples=tries(12, 20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({name: st.lists(values, min_size=3, max_size=3) for name, values in STRATEGIES.items()}))
def test_any_row_is_encoded_the_same(fitted, columns):
    base = tabular.rows(3)
    drawn = [pl.Series(name, values, dtype=base.schema[name]) for name, values in columns.items()]
    _same(*fitted, base.with_columns(drawn))


def test_apply_makes_a_functional_graph_of_named_inputs(fitted):
    import keras

    transform, _ = fitted
    raw = transform.raw_inputs()
    assert list(raw) == list(transform.contract.features)
    encoded = transform.apply(raw)
    model = keras.Model(list(raw.values()), encoded)
    frame = tabular.rows(20, seed=9)
    tensors = tabular.as_tensors(transform.contract, frame)
    for name, values in transform.encode(frame).items():
        np.testing.assert_array_equal(values, _array(model(list(tensors.values()))[name]))


def test_features_may_be_called_like_the_operations_of_the_graph(fitted, tmp_path):
    import keras

    from kilnworks.components.features.graph import operation_names

    model = fitted[1]

    used = {re.sub(r"_\d+$", "", o.name) for o in model.operations if not isinstance(o, keras.layers.InputLayer)}
    assert used <= operation_names()
    names = [*sorted(used), "cast_1", "stack_2", "a/b", "x y"]
    contract = Contract.model_validate({"name": "x", "features": {n: {"dtype": "string"} for n in names}})
    frame = pl.DataFrame({n: ["a", "b"] for n in names})
    made = tabular.examples(tmp_path / "e", contract, {"train": [frame]})
    config = PreprocessConfig(features={"cast": FeatureSettings(encode="embedding")})
    FeatureTransform.fit(contract, made.files("train"), config).save(tmp_path / "t")
    loaded = keras.saving.load_model(tmp_path / "t" / "transform.keras")
    _same(FeatureTransform.load(Transform(tmp_path / "t")), loaded, frame)
    assert keras_name("a/b") == "a|b"


def test_layers_stay_in_float32_under_mixed_precision(fitted):
    import keras

    transform, _ = fitted
    frame = tabular.rows(50, seed=3)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        from kilnworks.components.features.graph import transform_model

        _same(transform, transform_model(transform.plan), frame)
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("endless", [float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_encoded_as_a_missing_one(fitted, endless):
    transform, model = fitted
    frame = tabular.rows(4, seed=2)
    numbers = [n for n, f in transform.contract.features.items() if f.dtype == "float" and not f.shape]
    first = pl.int_range(pl.len()) == 0
    whole = pl.Series("point", [[1.0, value, 2.0] for value in (endless, 0.0, 0.0, 0.0)])
    bad = frame.with_columns(pl.when(first).then(endless).otherwise(pl.col(n)).alias(n) for n in numbers)
    none = frame.with_columns(pl.when(first).then(None).otherwise(pl.col(n)).alias(n) for n in numbers)
    holes = whole.list.eval(pl.when(pl.element().is_finite()).then(pl.element()).otherwise(float("nan")))
    bad, none = bad.with_columns(whole), none.with_columns(holes.alias("point"))
    _same(transform, model, bad)
    for name, values in transform.encode(bad).items():
        np.testing.assert_array_equal(values, transform.encode(none)[name], err_msg=name)
        assert values.dtype.kind != "f" or np.isfinite(values).all()
