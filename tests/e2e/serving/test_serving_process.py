"""The server as a process: TLS, unix socket, batching, warm-up, the store, configuration files, stopping, refusals."""

import datetime
import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2, prediction_service_pb2_grpc

from kilnworks.components.serving.client import Client
from tests import preloaded
from tests.e2e.serving.core_models import build
from tests.e2e.serving.core_server import (
    ROOT,
    Running,
    example,
    example_request,
    failure,
    launched,
    multi_request,
    predict_request,
    server,
    wait_until,
)
from tests.forked import Forked
from tests.ports import held_port
from tests.served import announced
from tests.waiting import LONG_SECONDS, until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("process")
    build(folder)
    return folder


def pem_pair(name: str, issuer: tuple[object, object] | None = None) -> tuple[object, object, str, str]:
    """Key and certificate of a name (or of a certification authority), as objects and as PEM texts."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer[0] if issuer else key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    return key, certificate, private, certificate.public_bytes(pem).decode()


def quoted(text: str) -> str:
    return json.dumps(text)


@pytest.fixture(scope="module")
def secured(models: Path) -> Iterator[tuple[Running, dict[str, str]]]:
    """Mutual TLS, a unix socket, and batching by each model's own file, in one server."""
    authority = pem_pair("authority")
    _, _, server_key, server_cert = pem_pair("localhost", authority[:2])
    _, _, client_key, client_cert = pem_pair("client", authority[:2])
    ssl = models / "ssl.config"
    ssl.write_text(
        f"server_key: {quoted(server_key)} server_cert: {quoted(server_cert)} custom_ca: {quoted(authority[3])} "
        "client_verify: true"
    )
    (models / "m" / "2" / "batching_params.pbtxt").write_text(
        "max_batch_size { value: 4 } batch_timeout_micros { value: 400000 } allowed_batch_sizes: 4"
    )
    flags = [
        "--model_name=m",
        f"--model_base_path={models}/m",
        f"--ssl_config_file={ssl}",
        f"--grpc_socket_path={models}/s",
        "--enable_batching",
        "--enable_per_model_batching_parameters",
    ]
    with held_port() as port, server(models, *flags, f"--port={port}", name="secured") as running:
        yield running, {"ca": authority[3], "key": client_key, "cert": client_cert}


def secure_stub(address: str, pems: dict[str, str], with_certificate: bool = True) -> object:
    pair = {"private_key": pems["key"].encode(), "certificate_chain": pems["cert"].encode()} if with_certificate else {}
    credentials = grpc.ssl_channel_credentials(pems["ca"].encode(), **pair)
    options = [("grpc.ssl_target_name_override", "localhost")]
    return prediction_service_pb2_grpc.PredictionServiceStub(grpc.secure_channel(address, credentials, options))


def test_mutual_tls_on_tcp_and_on_the_unix_socket(secured: tuple[Running, dict[str, str]], models: Path) -> None:
    running, pems = secured
    for address in (running.address, f"unix:{models}/s"):
        answer = secure_stub(address, pems).Predict(predict_request("m", x=[2.0]), timeout=20)
        assert list(answer.outputs["y"].float_val) == [3.0]
    stranger = secure_stub(running.address, pems, with_certificate=False)
    assert failure(lambda: stranger.Predict(predict_request("m", x=[2.0]), timeout=LONG_SECONDS))[0] == "UNAVAILABLE"
    assert failure(lambda: running.predict(predict_request("m", x=[2.0])))[0] == "UNAVAILABLE"


def test_batching_puts_requests_together(secured: tuple[Running, dict[str, str]]) -> None:
    running, pems = secured
    stub = secure_stub(running.address, pems)
    futures = [stub.Predict.future(predict_request("m", "rows", x=[float(i)]), timeout=20) for i in range(4)]
    seen = [list(future.result().outputs["rows"].int_val) for future in futures]
    assert seen == [[4]] * 4
    alone = stub.Predict(predict_request("m", "rows", x=[1.0, 2.0, 3.0]), timeout=20)
    assert list(alone.outputs["rows"].int_val) == [4, 4, 4], "filled up to the allowed size, and cut off again"
    code, text = failure(lambda: stub.Predict(predict_request("m", x=[0.0] * 5), timeout=20))
    assert (code, text) == ("INVALID_ARGUMENT", "Task size 5 is larger than maximum input batch size 4")
    code, text = failure(lambda: stub.Predict(predict_request("m", "one_number", x=[1.0, 2.0, 3.0, 4.0]), timeout=20))
    assert (code, text) == ("FAILED_PRECONDITION", "Batched output tensor has 0 dimensions")
    shapes = [np.zeros((1, 2), np.float32), np.zeros((1, 3), np.float32)]

    def codes() -> set[grpc.StatusCode]:
        requests = [predict_request("m", "inner", x=shape) for shape in shapes]
        return {future.code() for future in [stub.Predict.future(one, timeout=20) for one in requests]}

    assert until(lambda: codes() == {grpc.StatusCode.FAILED_PRECONDITION}), "once both are in one batch"


def warm_up_file(version: Path, *logs: prediction_log_pb2.PredictionLog, raw: bytes | None = None) -> None:
    (version / "assets.extra").mkdir(exist_ok=True)
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    if raw is not None:
        path.write_bytes(raw)
        return
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def predict_log(signature: str = "", **inputs: object) -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(predict_request("any name", signature, version=77, **inputs))
    return log


def test_warm_up_files_decide_whether_a_version_loads(models: Path, tmp_path: Path) -> None:
    base = tmp_path / "m"
    versions = {number: shutil.copytree(models / "m" / "2", base / str(number)) for number in range(1, 7)}
    examples = [example(x=1.0)]
    good = [predict_log(x=[1.0]), prediction_log_pb2.PredictionLog(), prediction_log_pb2.PredictionLog()]
    good[1].classify_log.request.CopyFrom(example_request("Classify", "a", "classify", examples))
    good[2].multi_inference_log.request.CopyFrom(multi_request([("a", "regress", "regress")], examples))
    session_run = prediction_log_pb2.PredictionLog()
    session_run.session_run_log.SetInParent()
    session_run_number = session_run.DESCRIPTOR.fields_by_name["session_run_log"].number
    warm_up_file(versions[1], *good)
    warm_up_file(versions[2], predict_log("nope", x=[1.0]))
    warm_up_file(versions[3], session_run)
    warm_up_file(versions[4], raw=b"this is no record file at all")
    warm_up_file(versions[5], *[predict_log(x=[1.0])] * 1001)
    warm_up_file(versions[6], predict_log(wrong=[1.0]))
    config = tmp_path / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{base}" model_platform: "tensorflow" '
        "model_version_policy { specific { versions: 1 } } } }"
    )
    everything = config.read_text().replace("specific { versions: 1 }", "all {}")
    flags = [f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1", "--max_num_load_retries=0"]
    with server(models, *flags, name="warmed") as running:
        assert running.status("m") == {1: "AVAILABLE"}
        config.write_text(everything)
        running.wait_for("m", {1: "AVAILABLE", **dict.fromkeys(range(2, 7), "END")})
        errors = {
            number: (status.status.error_code, status.status.error_message)
            for number in range(2, 7)
            for status in [one_status(running, number)]
        }
        assert errors[2] == (9, 'Serving signature key "nope" not found.')
        assert errors[3] == (12, f"Unsupported log_type for warmup: {session_run_number}")
        assert errors[4][0] == 15
        assert errors[4][1].endswith("Please verify your warmup data is in TFRecord format.")
        assert "Number of warmup records exceeds the maximum (1000)" in errors[5][1]
        assert errors[6][0] == 3
        assert running.predict(predict_request("m", x=[2.0]))["y"].tolist() == [3.0]


def one_status(running: Running, version: int) -> object:
    from tests.e2e.serving.core_server import status_request

    [status] = running.models.GetModelStatus(status_request("m", version=version), timeout=20).model_version_status
    return status


def test_the_store_is_served_and_a_stop_lets_requests_finish(models: Path, tmp_path: Path) -> None:
    serving = tmp_path / "store" / "serving"
    shutil.copytree(models / "live" / "1", serving / "first" / "1")
    (tmp_path / "monitoring.config").write_text("prometheus_config { enable: true }")
    flags = [f"--store={tmp_path}/store", "--port=0", "--rest_api_port=0"]
    flags.append(f"--monitoring_config_file={tmp_path}/monitoring.config")
    log = tmp_path / "stderr"
    with log.open("w") as errors:
        process = Forked(["kilnworks.components.serving", *flags], cwd=ROOT, env=os.environ, stderr=errors)
    with announced(process, log) as ports:
        assert ports["models"] == ["first"]
        assert ports["rest_api_port"] > 0
        channel = grpc.insecure_channel(f"127.0.0.1:{ports['grpc_port']}")
        running = Running(process, ports, channel, log)
        assert running.predict(predict_request("first", x=[0.0]))["y"].tolist() == [1.0]
        shutil.copytree(models / "live" / "2", tmp_path / "staged" / "2")
        (tmp_path / "staged").rename(serving / "second")
        with Client(running.address) as client:
            client.wait_until_available("second", timeout_seconds=LONG_SECONDS)
        assert running.predict(predict_request("second", x=[0.0]))["y"].tolist() == [2.0]
        slow = running.prediction.Predict.future(predict_request("first", "loop", turns=np.array(150_000)))
        page = f"http://127.0.0.1:{ports['rest_api_port']}/monitoring/prometheus/metrics"
        assert until(lambda: b':model_runs{model_name="first"} 1' in urllib.request.urlopen(page).read())
        process.terminate()
        assert slow.result(LONG_SECONDS).outputs["y"].tensor_shape.dim[0].size == 64
        assert process.wait(LONG_SECONDS) == 0
        channel.close()


def test_a_request_without_end_does_not_hold_the_process(models: Path) -> None:
    flags = ["--model_name=m", f"--model_base_path={models}/m", "--drain_seconds=1"]
    with server(models, *flags, name="endless") as running:
        running.prediction.Predict.future(predict_request("m", "endless", x=[1.0]))
        time.sleep(0.5)


def test_a_server_that_crashes_leaves_the_stacks_of_its_threads_in_its_log(models: Path) -> None:
    flags = ["--model_name=m", f"--model_base_path={models}/m"]
    with launched(models, *flags, name="crashed") as (process, log):
        assert process.stdout.readline()
        os.kill(process.pid, signal.SIGSEGV)
        assert process.wait(LONG_SECONDS) == -signal.SIGSEGV
        said = log.read_text()
    assert "Fatal Python error: Segmentation fault" in said
    assert re.search(r'process/main\.py", line \d+ in serve$', said, re.MULTILINE)
    assert re.search(r'leader_followers\.py", line \d+ in _work$', said, re.MULTILINE)


def test_rest_on_the_port_of_grpc_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    from kilnworks.components.serving.process.assembly import rest_options
    from kilnworks.components.serving.settings.flags import Flags

    assert rest_options(Flags(rest_api_port=8500), None) is None
    assert rest_options(Flags(port=7, rest_api_port=7), None) is None
    assert caplog.messages == ["--rest_api_port is the port of gRPC: REST is not served"] * 2
    assert rest_options(Flags(port=0, rest_api_port=0), None) is not None


def test_a_client_that_asks_again_at_once_is_within_the_thread_quota(models: Path) -> None:
    flags = ("--model_name=m", f"--model_base_path={models}/m", "--grpc_max_threads=1")
    with server(models, *flags, name="quota") as running:
        for _ in range(2000):
            assert running.predict(predict_request("m", x=[2.0]))["y"] == [3.0]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model_base_path=/m", "--nope"], "unknown flag '--nope'"),
        (["--model_base_path=relative"], "to have an absolute path or URI; got base_path()=relative"),
        (["--model_config_file=/nowhere/x"], "is not a model config file"),
        (["--model_base_path=/m", "--batching_parameters_file=/x"], "enable_batching"),
        (["--model_base_path={models}/broken", "--max_num_load_retries=0"], "1 model(s) did not become available"),
        (
            ["--model_base_path={models}/nowhere", "--ssl_config_file={models}/junk.ssl"],
            "TLS files that cannot be used",
        ),
    ],
)
def test_a_server_that_cannot_start_says_why(models: Path, flags: list[str], words: str) -> None:
    broken = models / "broken" / "1"
    broken.mkdir(parents=True, exist_ok=True)
    (models / "junk.ssl").write_text('server_key: "k" server_cert: "c"')
    given = [f.format(models=models) for f in flags]
    command = [*preloaded.python(), "-m", "kilnworks.components.serving", "--port=0", *given]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=LONG_SECONDS, check=False)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stop_before_the_first_model_is_there(models: Path, tmp_path: Path) -> None:
    (tmp_path / "hollow").mkdir()
    with launched(models, "--model_name=h", f"--model_base_path={tmp_path}/hollow", name="hollow") as (process, log):
        wait_until(lambda: "no versions of model h" in log.read_text(), shown=log.read_text)
        process.terminate()
        assert process.wait(LONG_SECONDS) == 0


def test_the_portable_server_answers_alike(models: Path) -> None:
    from kilnworks.components.serving.grpc.methods import methods
    from kilnworks.components.serving.grpc.options import GrpcOptions
    from kilnworks.components.serving.grpc.portable import PortableServer
    from kilnworks.components.serving.grpc.server import start_grpc
    from kilnworks.components.serving.process.assembly import make_engine
    from kilnworks.components.serving.settings.flags import Flags
    from kilnworks.components.serving.versions.model_config import config_of

    engine = make_engine(Flags())
    engine.core.reload(config_of({"m": str(models / "m")}), 60)
    answers = []
    for portable in (False, True):
        running = start_grpc(methods(engine), GrpcOptions(port=0, health=True), engine.batches, portable)
        assert isinstance(running, PortableServer) == portable
        with grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            good = stub.Predict(predict_request("m", x=[1.0]), timeout=20).SerializeToString(deterministic=True)
            bad = failure(lambda stub=stub: stub.Predict(predict_request("m", "nope"), timeout=20))
            late = failure(lambda stub=stub: stub.Predict(predict_request("m", "endless", x=[1.0]), timeout=0.3))
            unknown = failure(lambda channel=channel: channel.unary_unary("/a/B")(b"", timeout=20))[0]
            health = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=20)
            answers.append((good, bad, late[0], unknown, next(health)))
            health.cancel()
        done = threading.Thread(target=running.stop, args=(5,))
        done.start()
        done.join(LONG_SECONDS)
        assert not done.is_alive()
    assert answers[0] == answers[1]
    engine.core.close()
