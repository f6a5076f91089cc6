"""The export step, end to end on small models: what a server finds in the SavedModel, and that skew is caught."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from kilnworks.components.export import ExportConfig, export
from kilnworks.components.tasks.choose import task_of
from kilnworks.components.tasks.differences import of_numbers
from kilnworks.schemas.errors import DataUnreadable, SkewDetected, UnknownName
from kilnworks.schemas.files import read_json
from tests.components.features import tabular
from tests.effort import some

slow = pytest.mark.slow

OUTPUTS = {
    "binary": {
        "probabilities": {"dtype": "float32", "shape": [-1, 2]},
        "class": {"dtype": "string", "shape": [-1]},
        "score": {"dtype": "float32", "shape": [-1]},
    },
    "multiclass": {
        "probabilities": {"dtype": "float32", "shape": [-1, 3]},
        "class": {"dtype": "string", "shape": [-1]},
        "score": {"dtype": "float32", "shape": [-1]},
    },
    "regression": {"score": {"dtype": "float32", "shape": [-1]}},
}
SIGNATURES = {
    "binary": {"serving_default", "serve_tf_example", "classify", "regress"},
    "multiclass": {"serving_default", "serve_tf_example", "classify"},
    "regression": {"serving_default", "serve_tf_example", "regress"},
}


FEW = ("age", "visits", "member", "class", "since", "opened", "photo")
"""Features of each task but the first, which is asked about every kind."""
INPUTS = {
    "age": {"dtype": "float32", "shape": [-1]},
    "children": {"dtype": "float32", "shape": [-1]},
    "visits": {"dtype": "int64", "shape": [-1]},
    "member": {"dtype": "bool", "shape": [-1]},
    "Monthly Charges ($/m)": {"dtype": "float32", "shape": [-1]},
    "class": {"dtype": "string", "shape": [-1]},
    "since": {"dtype": "int64", "shape": [-1], "unit": "seconds since 1970-01-01 UTC"},
    "photo": {"dtype": "uint8", "shape": [-1, 8, 8, 1]},
    "track": {"dtype": "int64", "shape": [-1, 4, 2]},
}


class Exported:
    """One task, from rows to a servable."""

    def __init__(self, folder, task, names=tuple(tabular.FEATURES)):
        from kilnworks.components.preprocess import preprocess

        self.contract = tabular.contract(task, {name: tabular.FEATURES[name] for name in names})
        own = {name: one for name, one in tabular.SETTINGS.features.items() if name in names}
        settings = tabular.SETTINGS.model_copy(update={"features": own})
        self.frame = tabular.rows(150, seed=7, task=task)
        splits = {"train": [tabular.rows(400, task=task)], "test": [self.frame]}
        self.examples = tabular.examples(folder / "examples", self.contract, splits)
        transform = preprocess(settings, self.examples, folder / "transform")
        self.model = tabular.untrained(folder / "model", transform)
        self.evaluation = tabular.evaluated(folder / "evaluation")
        config = ExportConfig(keras_file=False)  # tests/components/exporting/test_standalone.py is about that file
        self.servable = export(config, self.model, self.examples, self.evaluation, folder / "servable")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    made = {}

    def get(task):
        if task not in made:
            names = tuple(tabular.FEATURES) if task == "binary" else FEW
            made[task] = Exported(tmp_path_factory.mktemp(task), task, names)
        return made[task]

    return get


def _expected(run):
    """Predictions of the Keras model on encoded rows: no code of the export involved."""
    import keras

    from kilnworks.components.features.transform import FeatureTransform

    model = keras.saving.load_model(run.model.keras_path, compile=False)
    encoded = FeatureTransform.load(run.model.transform).encode(run.frame)
    return np.asarray(model(encoded))


def test_importing_the_step_imports_nothing_heavy():
    heavy = {"tensorflow", "keras", "polars", "pyarrow", "numpy", "pandas", "grpc"}
    script = f"import sys, kilnworks.components.export; assert not {heavy!r} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


@slow
@pytest.mark.parametrize("task", some(SIGNATURES, ["binary", "multiclass"]))
def test_the_description_names_signatures_files_and_sizes(exported, task):
    run = exported(task)
    d = run.servable.description
    assert set(d["signatures"]) == SIGNATURES[task]
    for name in ("serving_default", "serve_tf_example"):
        assert d["signatures"][name]["outputs"] == OUTPUTS[task]
        assert d["signatures"][name]["method"] == "tensorflow/serving/predict"
    inputs = d["signatures"]["serving_default"]["inputs"]
    assert set(inputs) == set(tabular.FEATURES if task == "binary" else FEW)
    assert {n: inputs[n] for n in INPUTS if n in inputs} == {n: one for n, one in INPUTS.items() if n in inputs}
    told = read_json(run.servable.saved_model / "assets.extra" / "inputs.json")
    known = tabular.rows(400, task=task)["since"].dt.epoch("s")
    assert (told["since"]["first"], told["since"]["last"]) == (known.min(), known.max())
    assert told["since"]["unit"] == "seconds since 1970-01-01 UTC" and told["opened"]["missing"] == -(2**63)
    assert d["signatures"]["serve_tf_example"]["inputs"] == {"examples": {"dtype": "string", "shape": [-1]}}
    files = {
        p.relative_to(run.servable.saved_model).as_posix() for p in run.servable.saved_model.rglob("*") if p.is_file()
    }
    assert set(d["files"]) == files >= {"saved_model.pb", "assets.extra/tf_serving_warmup_requests"}
    assert d["bytes"] == sum((run.servable.saved_model / f).stat().st_size for f in files)
    assert d["skew"]["rows"] == 150 + 12 and d["skew"]["max_difference"] <= 1e-5
    assert set(d["skew"]["signatures"]) == SIGNATURES[task]
    assert d["metrics"]["auc"]["value"] == 0.9 and d["parameters"] > 0 and d["task"] == task


@slow
@pytest.mark.parametrize("task", some(SIGNATURES, ["binary", "multiclass"]))
def test_the_loaded_signature_gives_the_keras_predictions_one_row_at_a_time(exported, task):
    import tensorflow as tf

    run = exported(task)
    loaded = tf.saved_model.load(str(run.servable.saved_model))
    raw = tabular.as_tensors(run.contract, run.frame)
    serve = loaded.signatures["serving_default"]
    answers = [
        {k: v.numpy() for k, v in serve(**{n: t[i : i + 1] for n, t in raw.items()}).items()} for i in range(150)
    ]
    wanted = _expected(run)
    if task == "regression":
        np.testing.assert_allclose([a["score"][0] for a in answers], wanted[:, 0], rtol=1e-5, atol=1e-5)
        return
    probabilities = np.concatenate([1 - wanted, wanted], axis=1) if task == "binary" else wanted
    np.testing.assert_allclose([a["probabilities"][0] for a in answers], probabilities, atol=1e-5)
    score = wanted[:, 0] if task == "binary" else wanted.max(axis=1)
    np.testing.assert_allclose([a["score"][0] for a in answers], score, atol=1e-5)
    classes = [str(c) for c in run.contract.label.classes]
    assert [a["class"][0].decode() for a in answers] == [classes[i] for i in probabilities.argmax(axis=1)]


@slow
def test_a_hand_written_example_without_its_missing_values_is_understood(exported):
    import tensorflow as tf

    run = exported("binary")
    dates = {"since": pl.Datetime("us"), "opened": pl.Datetime("us")}
    absent = {"age": pl.Float64, "plan": pl.String, "insured": pl.Boolean, **dates}
    row = run.frame.head(1).with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in absent.items())
    values = row.row(0, named=True)
    feature = {}
    for name in ("spent", "change", "share", "charge", "Monthly Charges ($/m)", "stack", "heat", "children", "grade"):
        if values[name] is not None:
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[values[name]]))
    for name in ("visits", "account", "rating", "member", "store", "balance"):
        if values[name] is None:
            continue
        feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(values[name])]))
    for name in ("shop", "class", "ignored"):
        feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[values[name].encode()]))
    for name in ("photo", "scan"):
        feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[bytes(values[name])]))
    feature["track"] = tf.train.Feature(int64_list=tf.train.Int64List(value=values["track"]))
    if values["point"] is not None:
        feature["point"] = tf.train.Feature(float_list=tf.train.FloatList(value=values["point"]))
    example = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    loaded = tf.saved_model.load(str(run.servable.saved_model))
    answer = loaded.signatures["serve_tf_example"](examples=tf.constant([example]))
    run.frame, kept = pl.concat([row] * 150), run.frame
    wanted = _expected(run)[0, 0]
    run.frame = kept
    assert answer["score"].numpy()[0] == pytest.approx(wanted, abs=1e-5)
    classified = loaded.signatures["classify"](inputs=tf.constant([example, example]))
    assert classified["classes"].numpy().tolist() == [[b"no", b"yes"]] * 2
    np.testing.assert_allclose(classified["scores"].numpy()[1], [1 - wanted, wanted], atol=1e-5)
    assert loaded.signatures["regress"](inputs=tf.constant([example]))["outputs"].shape == (1,)


@slow
def test_method_names_are_those_of_the_serving_apis(exported):
    methods = {n: s["method"] for n, s in exported("binary").servable.description["signatures"].items()}
    assert methods["classify"] == "tensorflow/serving/classify"
    assert methods["regress"] == "tensorflow/serving/regress"


@slow
def test_the_warmup_file_holds_real_requests_of_every_signature(exported):
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    run = exported("binary")
    path = run.servable.saved_model / "assets.extra" / "tf_serving_warmup_requests"
    logs = [PredictionLog.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    kinds = [log.WhichOneof("log_type") for log in logs]
    assert kinds == ["predict_log"] * 4 + ["classify_log"] * 2 + ["regress_log"] * 2
    assert [log.predict_log.request.model_spec.signature_name for log in logs[:4]] == [
        "serving_default", "serving_default", "serve_tf_example", "serve_tf_example"]  # fmt: skip
    big = logs[1].predict_log.request.inputs
    assert tf.make_ndarray(big["shop"]).tolist() == [s.encode() for s in run.frame["shop"].head(8)]
    assert len(logs[5].classify_log.request.input.example_list.examples) == 8
    loaded = tf.saved_model.load(str(run.servable.saved_model))
    raw = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in big.items()}
    assert loaded.signatures["serving_default"](**raw)["score"].shape == (8,)


@slow
def test_the_servers_loader_runs_every_warmup_request(exported):
    from kilnworks.components.serving.loading.saved_model import load_saved_model

    run = exported("multiclass")
    loaded = load_saved_model(str(run.servable.saved_model))
    try:
        assert {n for n in loaded.signatures if not n.startswith("__")} == SIGNATURES["multiclass"]
    finally:
        loaded.close()


@slow
def test_a_model_that_is_not_the_one_that_was_trained_is_refused(exported, tmp_path):
    import shutil

    import keras

    from kilnworks.components.exporting.skew import check_skew
    from kilnworks.components.features.raw import raw_arrays
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.predict import forward, outputs

    run = exported("binary")
    other = tmp_path / "other"
    shutil.copytree(run.model.path, other)
    model = keras.saving.load_model(other / "model.keras", compile=False)
    model.layers[-1].bias.assign_add([0.01])
    encoded = FeatureTransform.load(run.model.transform).encode(run.frame)
    output, task = outputs(forward(model), encoded), task_of(run.model)
    raw = raw_arrays(run.contract, run.frame)
    with pytest.raises(SkewDetected, match=r"output '\w+' of signature 'serving_default', row \d+") as caught:
        check_skew(run.servable.saved_model, task, run.contract, raw, output, 1e-5)
    assert 1e-4 < float(caught.value.details["max_difference"]) < 0.01
    row = caught.value.details["row"]
    assert np.abs(_expected(run)[row, 0] - output[row, 0]) > 1e-4
    assert check_skew(run.servable.saved_model, task, run.contract, raw, output, 0.01).rows == 150


@slow
def test_what_rounding_alone_does_is_no_skew(exported):
    """A model of columns that are nearly alike was refused, by luck: its answers to a row alone differed as much."""
    from kilnworks.components.exporting.skew import check_skew, rounding_of
    from kilnworks.components.features.raw import raw_arrays

    run = exported("multiclass")
    task, raw, good = task_of(run.model), raw_arrays(run.contract, run.frame), _expected(run)
    shifted = good + np.float32([3e-5, -3e-5, 0])

    def check(output, least):
        return check_skew(run.servable.saved_model, task, run.contract, raw, output, 1e-5, None, lambda: least)

    assert check(good, 1.0).tolerance == 1e-5, "not asked where nothing differs"
    assert check(shifted, 1e-5).tolerance == 4e-5
    with pytest.raises(SkewDetected, match="answers"):
        check(shifted, 5e-6)
    with pytest.raises(SkewDetected, match="answers"):
        check(good + np.float32([3e-3, -3e-3, 0]), 1.0)  # a hundred times the tolerance and no more

    def sensitive(arrays):
        first = np.float32(0.5) + np.float32(2**10) * (arrays["x"] - 1)
        return np.stack([first, 1 - first, 0 * first], axis=1)

    ones = {"x": np.ones(4, np.float32), "code": np.arange(4, dtype=np.int32)}
    assert rounding_of(task, sensitive, ones, sensitive(ones)) == pytest.approx(2**10 * 2**-23, rel=1e-3)


@slow
def test_skew_of_one_row_or_of_a_wrong_class_or_of_nan_is_found(exported):
    from kilnworks.components.exporting.skew import check_skew
    from kilnworks.components.features.raw import raw_arrays

    run = exported("multiclass")
    task = task_of(run.model)
    raw = raw_arrays(run.contract, run.frame)
    good = _expected(run)
    assert check_skew(run.servable.saved_model, task, run.contract, raw, good, 1e-5).max_difference <= 1e-5
    shifted = good.copy()
    shifted[149] += [3e-5, -3e-5, 0]
    with pytest.raises(SkewDetected, match="row 149"):
        check_skew(run.servable.saved_model, task, run.contract, raw, shifted, 1e-5)
    broken = good.copy()
    broken[7, 1] = np.nan
    with pytest.raises(SkewDetected, match="row 7"):
        check_skew(run.servable.saved_model, task, run.contract, raw, broken, 1e-5)
    both = np.array([[np.nan, 1.0], [np.inf, 2.0]], np.float32)
    assert of_numbers(both, both).tolist() == [0.0, 0.0]
    assert of_numbers(both, np.array([[np.nan, np.inf], [-np.inf, 2.0]], np.float32)).tolist() == [np.inf, np.inf]
    assert of_numbers(np.array([1e6 + 5]), np.array([1e6])).tolist() == [pytest.approx(5e-6)]
    renamed = task.updated({"label.classes": [1, 3, 2]})
    with pytest.raises(SkewDetected, match="output 'class'"):
        check_skew(run.servable.saved_model, renamed, run.contract, raw, good, 1e-5)


@slow
def test_a_preprocessing_that_differs_is_skew(tmp_path):
    """The served graph is built from the transform; a transform that was changed after training is caught."""
    import shutil

    from kilnworks.schemas.artifacts import Model
    from kilnworks.schemas.files import write_json

    run = Exported(tmp_path / "run", "binary", ("age", "class"))
    changed = tmp_path / "model"
    shutil.copytree(run.model.path, changed)
    plan = read_json(changed / "transform" / "transform.json")
    plan["features"]["age"]["mean"] += 5.0
    write_json(changed / "transform" / "transform.json", plan)
    servable = export(
        ExportConfig(keras_file=False), Model(changed), run.examples, run.evaluation, tmp_path / "servable"
    )
    from kilnworks.components.exporting.skew import check_skew
    from kilnworks.components.features.raw import raw_arrays

    raw = raw_arrays(run.contract, run.frame)
    with pytest.raises(SkewDetected, match="serving_default"):
        check_skew(servable.saved_model, task_of(run.model), run.contract, raw, _expected(run), 1e-5)


@slow
def test_what_the_check_needs_must_be_there(exported, tmp_path):
    run = exported("binary")
    with pytest.raises(UnknownName, match="no split 'tset'"):
        export(ExportConfig(split="tset"), run.model, run.examples, run.evaluation, tmp_path)
    empty = tabular.examples(tmp_path / "e", run.contract, {"test": [run.frame.head(0)]})
    with pytest.raises(DataUnreadable, match="no rows to check"):
        export(ExportConfig(), run.model, empty, run.evaluation, tmp_path)
