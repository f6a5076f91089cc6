"""The preprocess step: what it writes, what it reads, and that it imports nothing heavy on its own."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from kilnworks.components.preprocess import PreprocessConfig, preprocess
from kilnworks.schemas.errors import DataUnreadable
from tests.components.features import tabular


def test_importing_the_step_imports_nothing_heavy():
    heavy = {"tensorflow", "keras", "polars", "pyarrow", "numpy", "pandas", "grpc"}
    script = f"import sys, kilnworks.components.preprocess; assert not {heavy!r} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_examples_without_a_training_split_are_refused(tmp_path):
    made = tabular.examples(tmp_path, tabular.contract(), {"test": [tabular.rows(5)]})
    with pytest.raises(DataUnreadable, match="no split 'train', only test"):
        preprocess(PreprocessConfig(), made, tmp_path / "out")


def test_settings_by_dotted_path():
    config = PreprocessConfig().updated({"one_hot_up_to": 3, "features": {"age": {"scale": "log1p"}}})
    assert config.one_hot_up_to == 3 and config.features["age"].scale == "log1p"


@pytest.mark.slow
def test_only_the_training_split_is_learned_from(tmp_path):
    contract = tabular.contract(features={"x": {"dtype": "float"}, "s": {"dtype": "string"}})
    train = pl.DataFrame({"x": [1.0, 3.0], "s": ["a", "b"], "label": ["no", "yes"]})
    other = pl.DataFrame({"x": [1e6], "s": ["leaked"], "label": ["no"]})
    made = tabular.examples(tmp_path / "e", contract, {"train": [train], "val": [other], "test": [other]})
    transform = preprocess(PreprocessConfig(), made, tmp_path / "out")
    assert sorted(p.name for p in transform.path.iterdir()) == ["transform.json", "transform.keras"]
    assert transform.description["features"]["x"]["mean"] == 2.0
    assert transform.description["features"]["s"]["values"] == ["a", "b"]
    assert transform.description["block"] == ["x", "s=?", "s=a", "s=b"]
    assert [t["name"] for t in transform.description["encoded"]] == ["numeric"]
    from kilnworks.components.features.transform import FeatureTransform

    encoded = FeatureTransform.load(transform).encode(train)
    np.testing.assert_allclose(encoded["numeric"], [[-1, 0, 1, 0], [1, 0, 0, 1]])


@pytest.mark.slow
def test_the_same_rows_make_the_same_description(tmp_path):
    made = tabular.examples(tmp_path / "e", tabular.contract(), {"train": [tabular.rows(200)]})
    texts = []
    for name in ("one", "two"):
        texts.append((preprocess(tabular.SETTINGS, made, tmp_path / name).path / "transform.json").read_text())
    assert texts[0] == texts[1]
