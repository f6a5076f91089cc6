"""The loader that MLflow uses: how pandas columns are sent, and MLflow itself in a process without this project."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.exporting.inputs import described_features
from kilnworks.components.exporting.pyfunc import ServedModel, tensor
from kilnworks.components.features.raw import raw_array
from kilnworks.components.tracking.client import connected
from kilnworks.components.tracking.collect import collect
from kilnworks.components.tracking.tracker import default_artifacts, default_uri
from kilnworks.schemas.artifacts import Servable
from kilnworks.schemas.contract import Contract
from tests.components.exporting.portable import exported
from tests.components.features import tabular
from tests.components.reporting.invented_run import InventedRun


def told(**feature):
    contract = Contract.model_validate({"name": "c", "features": {"x": feature}})
    return contract.features["x"], described_features(contract)["x"]


def sent(values, **feature):
    return tensor("x", pd.Series(values), told(**feature)[1]).tolist()


MISSING = -(2**63)


def test_each_dtype_is_sent_with_its_word_for_missing():
    assert sent(["a", None, "b"], dtype="string", nullable=True) == ["a", "", "b"]
    assert sent([7, 8], dtype="string") == ["7", "8"]
    assert np.isnan(sent([1, None], dtype="float", nullable=True)[1])
    assert sent(pd.array([1, None], "Int64"), dtype="int", nullable=True)[0] == 1.0
    assert np.isnan(sent(pd.array([1, None], "Int64"), dtype="int", nullable=True)[1])
    long = {"dtype": "int", "nullable": True, "min": 0, "max": 2**60}
    assert sent(pd.array([2**53 + 1, None], "Int64"), **long) == [2**53 + 1, MISSING]
    assert sent([3.0, 4.0], dtype="int") == [3, 4]
    assert sent([True, False], dtype="bool") == [True, False] == sent([1, 0], dtype="bool")
    assert sent(pd.Series([True, None], dtype=object), dtype="bool", nullable=True)[0] == 1.0
    assert sent([[[1, 2]], None], dtype="float", shape=[1, 2], nullable=True)[0] == [[1.0, 2.0]]
    assert sent([np.full((1, 1, 1), 9, np.uint8), None], dtype="image", shape=[1, 1, 1], nullable=True) == [
        [[[9]]],
        [[[0]]],
    ]


SECONDS = int(datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2024, 5, 6, 7, 8, 9),
        datetime(2024, 5, 6, 7, 8, 9, 999_999),
        "2024-05-06T07:08:09",
        "2024-05-06 07:08:09Z",
        "2024-05-06T09:08:09.5+02:00",
        pd.Timestamp("2024-05-06 09:08:09", tz="Europe/Berlin"),
        SECONDS,
        float(SECONDS),
    ],
)
def test_a_datetime_is_seconds_however_it_is_written(moment):
    assert sent([moment], dtype="datetime") == [SECONDS]
    assert sent([moment, None], dtype="datetime", nullable=True) == [SECONDS, MISSING]


@pytest.mark.parametrize(
    ("values", "feature", "words"),
    [
        ([1, None], {"dtype": "int"}, "x: row 1 is missing; wanted a value in every row"),
        ([1.5], {"dtype": "int"}, "x: got 1.5, which is no whole number; wanted int64"),
        (["red"], {"dtype": "float"}, "x: could not convert string to float: 'red'; wanted float32"),
        ([2], {"dtype": "bool"}, "x: got 2, which is neither true nor false; wanted bool"),
        (["yesterday"], {"dtype": "datetime"}, "wanted int64, seconds since 1970-01-01 UTC"),
        ([[1, 2, 3]], {"dtype": "float", "shape": [2]}, "cannot reshape array of size 3 into shape"),
        ([2**70], {"dtype": "int"}, "x: .*; wanted int64"),
        ([2.0**53 + 2], {"dtype": "int"}, "as a float, which has lost digits; read the column with dtype Int64"),
    ],
)
def test_what_cannot_be_sent_is_said_with_the_column(values, feature, words):
    with pytest.raises(ValueError, match=words):
        sent(pd.Series(values, dtype=object), **feature)


KINDS = {
    "float": (pl.Float64, st.floats(-1e9, 1e9)),
    "int": (pl.Int64, st.integers(-(2**24), 2**24)),
    "bool": (pl.Boolean, st.booleans()),
    "string": (pl.String, st.text(st.characters(exclude_categories=("Cs",)), max_size=5)),
    "datetime": (pl.Datetime("us"), st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1))),
}


@pytest.mark.slow
@given(st.data(), st.sampled_from(sorted(KINDS)), st.booleans())
def test_a_frame_of_pandas_is_sent_as_one_of_polars(data, dtype, nullable):
    dtype_, cells = KINDS[dtype]
    values = data.draw(st.lists(cells | st.none() if nullable else cells, min_size=1, max_size=6))
    feature, input_ = told(dtype=dtype, nullable=nullable)
    right = raw_array("x", feature, pl.Series("x", values, dtype=dtype_))
    for column in (pl.Series("x", values, dtype=dtype_).to_pandas(), pd.Series(values, dtype=object)):
        got = tensor("x", column, input_)
        assert got.dtype == right.dtype
        np.testing.assert_array_equal(got, right)


SCRIPT = textwrap.dedent("""
    import importlib.abc, json, sys, warnings
    warnings.simplefilter("ignore")

    class Nowhere(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("kilnworks", "components", "schemas", "pipelines", "dags"):
                raise ModuleNotFoundError(name)

    sys.meta_path.insert(0, Nowhere())
    folder, database, frame = sys.argv[1:]
    import mlflow, pandas as pd

    rows = pd.read_pickle(frame)
    by_path = mlflow.pyfunc.load_model(folder)
    mlflow.set_tracking_uri(database)
    live = mlflow.pyfunc.load_model("models:/churn@champion")
    answers = [model.predict(rows) for model in (by_path, live)]
    answers.append(by_path.predict(rows.iloc[:0]))
    try:
        by_path.predict(rows.drop(columns=["age", "shop"]))
    except ValueError as error:
        refused = str(error)
    told = by_path.metadata.metadata["inputs"]["since"]
    found = [{"columns": list(a.columns), "index": list(a.index), "rows": a.to_dict("list")} for a in answers]
    print(json.dumps({"answers": found, "refused": refused, "told": told}))
""")


@pytest.fixture(scope="module")
def servable(tmp_path_factory: pytest.TempPathFactory) -> Servable:
    """A network of all kinds of features, exported."""
    from kilnworks.components.modeling.mlp import Mlp

    folder = tmp_path_factory.mktemp("exported")
    given = tabular.contract(), tabular.rows(120), Mlp(units=(8,)), tabular.SETTINGS
    return exported(folder, *given, keras_file=False)


@pytest.mark.slow
def test_mlflow_opens_a_model_by_its_folder_and_the_live_one_by_its_alias(servable: Servable, tmp_path: Path) -> None:
    rows = tabular.rows(120)
    store = tmp_path / "store"
    run = InventedRun(store).done()
    default_artifacts(store).mkdir(parents=True)
    shutil.copytree(servable.saved_model, store / "serving/churn/3", dirs_exist_ok=True)
    with connected(default_uri(store), default_artifacts(store)) as tracker:
        tracker.send(collect(run.path))
    frame = _frame(rows.head(30)).set_index(pd.Index(range(100, 130)))
    frame["opened"] = frame["opened"].map(lambda m: None if pd.isna(m) else m.isoformat())
    frame.to_pickle(tmp_path / "rows.pickle")
    (tmp_path / "elsewhere").mkdir()
    command = [sys.executable, "-I", "-c", SCRIPT, str(servable.saved_model)]
    command += [f"sqlite:///{store}/mlflow/mlflow.db", str(tmp_path / "rows.pickle")]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path / "elsewhere", env=environment
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    by_path, live, empty = said["answers"]
    assert by_path == live and by_path["index"] == list(range(100, 130))
    assert by_path["columns"] == ["class", "probabilities", "score"] and empty["index"] == []
    wanted = _served(servable, rows.head(30))
    np.testing.assert_allclose(by_path["rows"]["probabilities"], wanted["probabilities"], atol=1e-6)
    np.testing.assert_allclose(by_path["rows"]["score"], wanted["score"], atol=1e-6)
    assert by_path["rows"]["class"] == [text.decode() for text in wanted["class"]]
    assert len(set(by_path["rows"]["score"])) > 20
    assert said["refused"].startswith("got no column age, shop; wanted: age, visits")
    assert said["told"]["unit"] == "seconds since 1970-01-01 UTC"


def _frame(rows: pl.DataFrame) -> pd.DataFrame:
    """As pandas reads such a table, long whole numbers with the dtype that keeps their digits."""
    long = {name: pd.array(rows[name].to_list(), "Int64") for name in ("store", "balance")}
    return rows.to_pandas().assign(**long)


def _served(servable, rows):
    """Answers of the SavedModel to tensors that were made without the loader."""
    import tensorflow as tf

    serve = tf.saved_model.load(str(servable.saved_model)).signatures["serving_default"]
    return {name: value.numpy() for name, value in serve(**tabular.as_tensors(tabular.contract(), rows)).items()}


@pytest.mark.slow
def test_more_rows_than_a_batch_keep_their_order(servable: Servable, monkeypatch: pytest.MonkeyPatch) -> None:
    from kilnworks.components.exporting import pyfunc

    rows = tabular.rows(50)
    monkeypatch.setattr(pyfunc, "BATCH_ROWS", 7)
    answers = ServedModel(servable.saved_model).predict(_frame(rows))
    np.testing.assert_allclose(answers["score"], _served(servable, rows)["score"], atol=1e-6)
