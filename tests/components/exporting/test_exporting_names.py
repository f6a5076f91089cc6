"""Features may be called anything; the argument names of the traced function are made to fit TensorFlow."""

import re

import pytest

pytestmark = pytest.mark.slow


def test_argument_names_are_identifiers_that_differ_in_more_than_case():
    from kilnworks.components.exporting.signatures import argument_names
    from tests.components.features import tabular

    names = [
        "age",
        "Age",
        "AGE",
        "a b",
        "a_b",
        "a/b",
        "1st",
        "_x",
        "ü",
        "self",
        "class",
        "name",
        "training",
        "äö",
        "üß",
    ]
    made = argument_names(tabular.contract(features={n: {"dtype": "float"} for n in names}))
    assert list(made) == names
    assert made["age"] == "age" and made["name"] == "name" and made["training"] == "training"
    assert len({a.lower() for a in made.values()}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", a) and a not in ("self", "class") for a in made.values())


def test_names_of_all_kinds_survive_into_the_saved_signature(tmp_path):
    import polars as pl
    import tensorflow as tf

    from kilnworks.components.export import ExportConfig, export
    from kilnworks.components.preprocess import PreprocessConfig, preprocess
    from tests.components.features import tabular

    names = ["age", "Age", "a b", "1st", "_x", "ü", "class", "äö", "cast", "examples", "inputs"]
    contract = tabular.contract(features={n: {"dtype": "float"} for n in names})
    frame = pl.DataFrame(
        {n: [float(i), float(i * i), -1.0] for i, n in enumerate(names)} | {"label": ["no", "yes", "no"]}
    )
    made = tabular.examples(tmp_path / "e", contract, {"train": [frame], "test": [frame]})
    model = tabular.untrained(tmp_path / "m", preprocess(PreprocessConfig(), made, tmp_path / "t"))
    servable = export(ExportConfig(), model, made, tabular.evaluated(tmp_path / "v"), tmp_path / "s")
    assert sorted(servable.description["signatures"]["serving_default"]["inputs"]) == sorted(names)
    serve = tf.saved_model.load(str(servable.saved_model)).signatures["serving_default"]
    assert serve(**{n: tf.constant([1.0, 2.0]) for n in names})["score"].shape == (2,)
