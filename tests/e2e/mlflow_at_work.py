"""What ``test_mlflow_server.py`` has done in processes of their own: a published model is made, a run tracked and read.

``python -m tests.e2e.mlflow_at_work curve FOLDER``, and ``... read RUN URI EXPECTED``.
"""

import json
import sys
import warnings
from pathlib import Path


def curve(folder: str) -> None:
    """A published model; prints what Keras itself answers for 1 and -2.5, as JSON."""
    import keras
    import numpy as np
    import tensorflow as tf

    from kilnworks.components.exporting.mlflow_model import write_mlflow
    from kilnworks.schemas.files import write_json
    from kilnworks.schemas.wire import INPUTS_FILE

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
    answers = tf.function(lambda x: {"y": model(x[:, None])[:, 0]}, input_signature=[tf.TensorSpec([None], name="x")])
    module = tf.Module()
    module.model = model
    tf.saved_model.save(module, folder, signatures={"serving_default": answers.get_concrete_function()})
    write_json(Path(folder) / INPUTS_FILE, {"x": {"dtype": "float32", "shape": [-1]}})
    write_mlflow(Path(folder))
    print(json.dumps(model.predict(np.array([[1.0], [-2.5]]), verbose=0)[:, 0].tolist()))


def read(run: str, uri: str, expected: str) -> None:
    """Track a run twice, and read it back from the server; the model answers as Keras did."""
    warnings.simplefilter("ignore")
    from kilnworks.components.tracking.tracker import track_run

    ids = [track_run(Path(run)) for _ in range(2)]
    assert ids[0] and ids[0] == ids[1], ids
    import mlflow
    import pandas
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    found = client.get_run(ids[0])
    assert found.info.status == "FINISHED" and found.data.params["model.epochs"] == "12"
    assert len(client.get_metric_history(ids[0], "loss")) == 12
    assert any(a.path == "figures/roc.svg" for a in client.list_artifacts(ids[0], "figures"))
    version = client.get_model_version_by_alias("churn", "champion")
    assert version.run_id == ids[0] and version.tags["kilnworks.path"].endswith("serving/churn/3")
    assert len(client.search_model_versions("name = 'churn'")) == 1
    mlflow.set_tracking_uri(uri)
    served = Path(version.tags["kilnworks.path"])
    served.rename(served.with_name("gone"))
    model = mlflow.pyfunc.load_model("models:/churn@champion")
    answers = model.predict(pandas.DataFrame({"x": [1.0, -2.5]}))["y"].tolist()
    assert max(abs(a - b) for a, b in zip(answers, json.loads(expected), strict=True)) < 1e-6, answers
    wanted = "tags.kilnworks.champion = 'true' and metrics.test_auc > 0.5"
    [tagged] = client.search_runs([found.info.experiment_id], wanted)
    assert tagged.info.run_id == ids[0] and tagged.inputs.dataset_inputs[0].dataset.name == "churn"
    print("read back")


if __name__ == "__main__":
    {"curve": curve, "read": read}[sys.argv[1]](*sys.argv[2:])
