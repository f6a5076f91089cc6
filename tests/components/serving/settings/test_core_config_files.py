"""Flags, text protos, channel arguments and the configuration for the real image."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from kilnworks.components.serving.batching.parameters import (
    BatchSettings,
    batch_settings,
    common_settings,
    model_settings,
)
from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.grpc.options import GrpcOptions
from kilnworks.components.serving.settings.flags import Flags, channel_arguments, parse_flags
from kilnworks.components.serving.settings.text_protos import (
    message_class,
    read_monitoring_path,
    read_text_proto,
    read_tls,
)
from kilnworks.components.serving.versions.model_config import read_config_file, served_models
from kilnworks.components.serving.versions.serving_config import update_serving_config, write_serving_config
from kilnworks.schemas.errors import ConfigError

ROOT = Path(__file__).parents[3]


def test_flags_in_every_spelling() -> None:
    flags = parse_flags(
        [
            "--port=0",
            "--rest_api_port",
            "8501",
            "--enable_batching",
            "--enable_model_warmup=false",
            "--rest_api_enable_cors_support",
            "TRUE",
            "--model_name=a=b",
            "--load_retry_interval_micros=-1",
            "--port=7",
        ]
    )
    assert (flags.port, flags.rest_api_port, flags.model_name) == (7, 8501, "a=b")
    assert flags.enable_batching
    assert not flags.enable_model_warmup
    assert flags.rest_api_enable_cors_support
    assert flags.load_retry_interval_micros == -1


def test_the_flags_of_the_contract_exist_with_their_defaults() -> None:
    flags = Flags()
    assert flags.rest_api_timeout_in_ms == 30_000
    assert flags.model_name == "default"
    assert flags.file_system_poll_wait_seconds == 1
    assert flags.model_config_file_poll_wait_seconds == 0
    assert (flags.max_num_load_retries, flags.load_retry_interval_micros) == (5, 60_000_000)
    assert flags.enable_model_warmup
    assert not flags.enable_batching
    assert not flags.contract_check


def test_a_channel_argument_replaces_ours() -> None:
    given = channel_arguments("grpc.max_receive_message_length=1000,grpc.x=a")
    options = GrpcOptions(channel_arguments=given).channel_options()
    assert dict(options)["grpc.max_receive_message_length"] == 1000
    assert dict(options)["grpc.x"] == "a"
    assert len(options) == len(dict(options))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--prot=1"], "did you mean --port"),
        (["port=1"], "unknown flag"),
        (["--port"], "no value"),
        (["--port=x"], "type int"),
        (["--enable_batching=maybe"], "type bool"),
        (["--prediction_log_sampling_rate=much"], "type float"),
        (["--batching_parameters_file=x"], "enable_batching to true"),
        (["--grpc_max_threads=0"], "at least 1"),
        (["--rest_api_num_threads=0"], "at least 1"),
        (["--num_load_threads=-1"], "at least 0"),
        (["--port=-1"], "0 to 65535"),
        (["--port=65536"], "0 to 65535"),
        (["--rest_api_port=70000"], "0 to 65535"),
    ],
)
def test_wrong_flags_say_what_is_wrong(argv: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_flags(argv)


def test_channel_arguments() -> None:
    assert channel_arguments("grpc.max_connection_age_ms=2000,grpc.x=y") == [
        ("grpc.max_connection_age_ms", 2000),
        ("grpc.x", "y"),
    ]
    with pytest.raises(ConfigError):
        channel_arguments("grpc.x")


def test_batching_parameters(tmp_path: Path) -> None:
    path = tmp_path / "batching.config"
    path.write_text(
        """max_batch_size { value: 16 } batch_timeout_micros { value: 1500 } max_enqueued_batches { value: 3 }
        num_batch_threads { value: 2 } thread_pool_name { value: "x" } allowed_batch_sizes: 4 allowed_batch_sizes: 16
        pad_variable_length_inputs: true"""
    )
    found = common_settings(str(path))
    assert found == BatchSettings(16, 0.0015, 3, 2, (4, 16), True, False, 16)
    assert [found.padded_size(rows) for rows in (1, 4, 5, 16)] == [4, 4, 16, 16]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_batch_size { value: 0 }", "input_batch_size_limit must be positive; was 0"),
        ("batch_timeout_micros { value: -5 }", "batch_timeout_micros must be non-negative; was -5"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "last entry was 4; expected 8"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 8 allowed_batch_sizes: 8", "increasing"),
        (
            "max_batch_size { value: 8 } enable_large_batch_splitting { value: true } "
            "max_execution_batch_size { value: 9 }",
            "greater than or equal",
        ),
    ],
)
def test_batching_parameters_that_do_not_fit(text: str, words: str) -> None:
    proto = text_format.Parse(text, message_class("BatchingParameters")())
    with pytest.raises(ServingError, match=words):
        batch_settings(proto)


def test_a_models_own_batching_parameters(tmp_path: Path) -> None:
    assert model_settings(str(tmp_path)) is None
    (tmp_path / "batching_params.pbtxt").write_text("max_batch_size { value: 3 }")
    found = model_settings(str(tmp_path))
    assert found is not None
    assert found.max_batch_size == 3
    (tmp_path / "batching_params.pbtxt").write_text("max_batch_size: 3")
    with pytest.raises(ServingError, match="BatchingParameters"):
        model_settings(str(tmp_path))


def test_monitoring_and_tls_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("prometheus_config { enable: true }")
    assert read_monitoring_path(path) == "/monitoring/prometheus/metrics"
    path.write_text('prometheus_config { enable: true path: "/m" }')
    assert read_monitoring_path(path) == "/m"
    path.write_text('prometheus_config { path: "/m" }')
    assert read_monitoring_path(path) is None
    path.write_text('server_key: "k" server_cert: "c" client_verify: true')
    assert (read_tls(path).server_key, read_tls(path).client_verify) == ("k", True)
    path.write_text('server_key: "k"')
    with pytest.raises(ConfigError, match="server_cert"):
        read_tls(path)
    path.write_text("server_key 5")
    with pytest.raises(ConfigError, match="1:"):
        read_text_proto("SSLConfig", path)


def test_a_broken_model_config_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    path.write_text("model_config_list { config { nam: 'x' } }")
    with pytest.raises(ConfigError, match="nam"):
        read_config_file(path)
    with pytest.raises(ConfigError, match="models2"):
        read_config_file(tmp_path / "models2.config")


def test_the_files_for_the_image_parse_with_the_official_messages(tmp_path: Path) -> None:
    for model in ("churn", "digits"):
        (tmp_path / "store" / "serving" / model / "1").mkdir(parents=True)
    files = write_serving_config(tmp_path / "store", tmp_path / "out")
    assert [path.name for path in files] == ["models.config", "batching.config", "monitoring.config"]
    config = text_format.Parse(files[0].read_text(), model_server_config_pb2.ModelServerConfig())
    assert [(m.name, m.base_path, m.model_platform) for m in config.model_config_list.config] == [
        ("churn", "/models/churn", "tensorflow"),
        ("digits", "/models/digits", "tensorflow"),
    ]
    assert len(served_models(config)) == 2
    assert common_settings(str(files[1])).max_batch_size == 64
    assert read_monitoring_path(files[2]) == "/monitoring/prometheus/metrics"


def test_the_files_for_the_image_need_a_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no published model"):
        write_serving_config(tmp_path, tmp_path / "out")


def test_files_that_a_server_reads_are_written_when_they_change_alone(tmp_path: Path) -> None:
    (tmp_path / "store" / "serving" / "churn" / "1").mkdir(parents=True)
    store, out = tmp_path / "store", tmp_path / "out"
    assert len(update_serving_config(store, out)) == 3
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert update_serving_config(store, out) == ()
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    (store / "serving" / "digits" / "1").mkdir(parents=True)
    assert update_serving_config(store, out) == (out / "models.config",)
    assert 'name: "digits"' in (out / "models.config").read_text()


def test_docker_is_no_package() -> None:
    assert not (ROOT / "docker" / "__init__.py").exists()
