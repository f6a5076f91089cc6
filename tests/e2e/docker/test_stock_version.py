"""The TensorFlow of the image of TensorFlow Serving loads what this one has exported, and answers the same."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.champion import read_champion
from tests.docker.written import service

OLDEST_WITHOUT = (3, 13)
"""TensorFlow 2.19 has no wheels for this Python and later ones."""
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.nightly,
    pytest.mark.skipif(sys.version_info[:2] >= OLDEST_WITHOUT, reason="no TensorFlow 2.19 for this Python"),
]
ASK = """
import json, sys
import tensorflow as tf

asked = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
texts, numbers = [b"Month-to-month", b"", b"Two year"], [0, 3, 7]
inputs = {
    name: tf.constant(texts) if spec.dtype == tf.string else tf.constant(numbers, spec.dtype)
    for name, spec in asked.structured_input_signature[1].items()
}
answers = {name: value.numpy().tolist() for name, value in asked(**inputs).items() if value.dtype != tf.string}
print(json.dumps({"version": tf.__version__, "answers": answers}))
"""


def said(python, path):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""}
    done = subprocess.run([python, "-c", ASK, path], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_model_of_today_answers_the_same_in_the_tensorflow_of_the_image(tmp_path):
    version = service("tensorflow-serving")["image"].partition(":")[2]
    store = tmp_path / "store"
    assert main(["run", "churn", "--set", "model.epochs=1", "--promote", "--store", str(store)]) == 0
    path = read_champion(store, "churn").path
    uv, old = [sys.executable, "-m", "uv"], tmp_path / "old"
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, old], check=True)
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", old, f"tensorflow=={version}"], check=True)
    there, here = said(old / "bin" / "python", path), said(sys.executable, path)
    assert there["version"] == version != here["version"]
    assert set(there["answers"]) == set(here["answers"]) >= {"probabilities"}
    for name, values in here["answers"].items():
        np.testing.assert_allclose(there["answers"][name], values, atol=1e-6)
