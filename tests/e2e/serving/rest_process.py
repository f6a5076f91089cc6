"""The server of ``rest_models.py`` as a process."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.forked import Forked
from tests.served import announced

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Served:
    """A running server."""

    grpc: str
    rest: str
    process: Forked
    log: Path

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, object]:
        """HTTP status and JSON of the answer."""
        client = http.client.HTTPConnection(self.rest, timeout=30)
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        client.request(method, path, raw, headers)
        answer = client.getresponse()
        text = answer.read()
        client.close()
        return answer.status, json.loads(text) if text[:1] == b"{" else text.decode()

    def predict(self, body: object, path: str = "/v1/models/half:predict") -> tuple[int, object]:
        return self.ask("POST", path, body)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A server of version 1 and 2 of ``half``, with a prediction log and the check of contracts."""
    flags = [
        "--port=0",
        "--rest_api_port=0",
        "--host=127.0.0.1",
        f"--model_config_file={folder}/models.config",
        f"--monitoring_config_file={folder}/monitoring.config",
        "--allow_version_labels_for_unavailable_models",
        "--rest_api_timeout_in_ms=6000",
        "--rest_api_enable_cors_support=true",
        "--contract_check",
        f"--prediction_log_dir={folder}/log",
        "--prediction_log_sampling_rate=1",
    ]
    with (folder / "stderr").open("w") as errors:
        words = ["tests.e2e.serving.rest_models", str(folder), *flags]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
        process = Forked(words, cwd=ROOT, env=environment, stderr=errors)
    with announced(process, folder / "stderr") as ports:
        yield Served(f"127.0.0.1:{ports['grpc_port']}", f"127.0.0.1:{ports['rest_api_port']}", process, folder / "log")
