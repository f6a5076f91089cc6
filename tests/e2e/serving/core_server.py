"""A model server in its own process, and the official stubs to ask it with."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.forked import Forked
from tests.served import announced
from tests.waiting import LONG_SECONDS

ROOT = Path(__file__).parents[3]
SERVING = "tensorflow/serving/"
Process = subprocess.Popen[str] | Forked


@dataclass
class Running:
    """A server that answers."""

    process: Process
    ports: dict[str, Any]
    channel: grpc.Channel
    log: Path

    @property
    def prediction(self) -> prediction_service_pb2_grpc.PredictionServiceStub:
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @property
    def models(self) -> model_service_pb2_grpc.ModelServiceStub:
        return model_service_pb2_grpc.ModelServiceStub(self.channel)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports['grpc_port']}"

    def predict(
        self, request: predict_pb2.PredictRequest, timeout: float | None = LONG_SECONDS
    ) -> dict[str, np.ndarray]:
        answer = self.prediction.Predict(request, timeout=timeout)
        return {alias: tf.make_ndarray(proto) for alias, proto in answer.outputs.items()}

    def status(self, model: str) -> dict[int, str]:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        answer = self.models.GetModelStatus(request, timeout=LONG_SECONDS)
        names = get_model_status_pb2.ModelVersionStatus.State.Name
        return {status.version: names(status.state) for status in answer.model_version_status}

    def wait_for(self, model: str, wanted: Mapping[int, str], seconds: float = LONG_SECONDS) -> None:
        """Wait until these versions are in these states."""
        wait_until(lambda: wanted.items() <= self.status(model).items(), seconds, lambda: self.status(model))

    def memory_mb(self) -> float:
        """Resident memory of the process."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * 4096 / 2**20

    def open_files(self) -> int:
        """Files and connections that the process holds."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def cpu_seconds(self) -> float:
        """Processor time that the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


def wait_until(
    condition: Callable[[], bool], seconds: float = LONG_SECONDS, shown: Callable[[], object] = lambda: None
) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {shown()}")
        time.sleep(0.05)


@contextlib.contextmanager
def server(folder: Path, *flags: str, env: Mapping[str, str] | None = None, name: str = "stderr") -> Iterator[Running]:
    """``core_models.py`` as a server on free ports; it is asked to stop at the end and must exit with 0."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with (
        launched(folder, *flags, env=env, name=name) as (process, log),
        announced(process, log) as ports,
        grpc.insecure_channel(f"127.0.0.1:{ports['grpc_port']}", options) as channel,
    ):
        yield Running(process, ports, channel, log)


def dims(*sizes: int) -> Any:
    """A shape as a request holds it; any whole numbers."""
    return tf.TensorShape([]).as_proto().__class__(dim=[{"size": size} for size in sizes])


@contextlib.contextmanager
def conformance_server(folder: Path) -> Iterator[Running]:
    """A server with the models ``m`` (versions 1 and 2, labelled) and ``live``."""
    (folder / "models.config").write_text(
        f"""model_config_list {{
            config {{
                name: "m" base_path: "{folder}/m" model_platform: "tensorflow"
                model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
                version_labels {{ key: "stable" value: 1 }} version_labels {{ key: "gone" value: 7 }}
            }}
            config {{ name: "live" base_path: "{folder}/live" model_platform: "tensorflow" }}
        }}"""
    )
    flags = [f"--model_config_file={folder}/models.config", "--allow_version_labels_for_unavailable_models"]
    with server(folder, *flags, "--enable_grpc_healthcheck_service") as running:
        running.wait_for("m", {1: "AVAILABLE", 2: "AVAILABLE"})  # the server answers as soon as one of them is
        yield running


@contextlib.contextmanager
def launched(
    folder: Path, *flags: str, env: Mapping[str, str] | None = None, name: str = "stderr"
) -> Iterator[tuple[Process, Path]]:
    """The process alone, whatever becomes of it."""
    log = folder / name
    ports = [f for f in ("--port=0",) if not any(flag.startswith("--port") for flag in flags)]
    with log.open("w") as errors:
        words = ["tests.e2e.serving.core_models", str(folder), *ports, *flags]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
        process: Process
        if env is None:
            process = Forked(words, cwd=ROOT, env=environment, stderr=errors)
        else:  # some of it is read when TensorFlow is imported
            command = [sys.executable, "-m", *words]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, env={**environment, **env}
            )
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def example(**features: float) -> tf.train.Example:
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(float_list=tf.train.FloatList(value=[value])) for name, value in features.items()
            }
        )
    )


def predict_request(model: str, signature: str = "", version: int | None = None, label: str = "", **inputs: Any):
    """A PredictRequest; an input is a TensorProto, or what ``tf.make_tensor_proto`` takes (numbers are float32)."""
    request = predict_pb2.PredictRequest()
    fill_spec(request.model_spec, model, signature, version, label)
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(value if isinstance(value, TensorProto) else tensor(value))
    return request


def tensor(value: Any) -> Any:
    """A TensorProto; lists and numbers become float32, arrays keep their type."""
    return tf.make_tensor_proto(value if isinstance(value, np.ndarray) else np.asarray(value, np.float32))


def fill_spec(spec: Any, model: str, signature: str = "", version: int | None = None, label: str = "") -> None:
    spec.SetInParent()
    spec.name, spec.signature_name = model, signature
    if version is not None:
        spec.version.SetInParent()
        spec.version.value = version
    if label:
        spec.version_label = label


def example_request(kind: str, model: str, signature: str, examples: list[Any], **spec: Any):
    """A ClassificationRequest or RegressionRequest."""
    request = {"Classify": classification_pb2.ClassificationRequest, "Regress": regression_pb2.RegressionRequest}[
        kind
    ]()
    fill_spec(request.model_spec, model, signature, **spec)
    request.input.example_list.examples.extend(examples)
    return request


def multi_request(tasks: list[tuple[str, str, str]], examples: list[Any]):
    """A MultiInferenceRequest; a task is (model, signature, method)."""
    request = inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=SERVING + method)
        fill_spec(task.model_spec, model, signature)
    request.input.example_list.examples.extend(examples)
    return request


def metadata_request(model: str, fields: list[str], **spec: Any):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    fill_spec(request.model_spec, model, **spec)
    return request


def status_request(model: str, **spec: Any):
    request = get_model_status_pb2.GetModelStatusRequest()
    fill_spec(request.model_spec, model, **spec)
    return request


def reload_request(*configs: dict[str, Any]):
    """A ReloadConfigRequest; a config is the fields of ModelConfig, ``specific`` a list of versions."""
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for config in configs:
        fields = {"model_platform": "tensorflow", **config}
        specific, labels = fields.pop("specific", None), fields.pop("version_labels", {})
        latest = fields.pop("latest", None)
        proto = request.config.model_config_list.config.add(**fields)
        proto.version_labels.update(labels)
        if specific is not None:
            proto.model_version_policy.specific.versions.extend(specific)
        if latest is not None:
            proto.model_version_policy.latest.num_versions = latest
    return request


def failure(call: Callable[[], object]) -> tuple[str, str]:
    """Code and text of the error that a call must give."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError(f"no error but {answer}")
