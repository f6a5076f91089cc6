"""The two replicas of ``bench.soak``, and the models that they serve."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

MODELS = ("double", "triple", "square")
KEPT = 3
"""Versions of a model that stay on the disk."""
START_SECONDS = 300.0
_SAVE = """
import sys, tensorflow as tf
for name, answer in (("double", lambda x: x * 2), ("triple", lambda x: x * 3), ("square", lambda x: x * x)):
    call = tf.function(lambda x, answer=answer: {"y": answer(x)}, autograph=False)
    signature = call.get_concrete_function(x=tf.TensorSpec([None], tf.float32, name="x"))
    tf.saved_model.save(tf.Module(), f"{sys.argv[1]}/{name}/1", signatures={"serving_default": signature})
"""


def expected(model: str, x: list[float]) -> list[float]:
    """What a model answers; small whole numbers, which float32 holds exactly."""
    return [{"double": 2 * v, "triple": 3 * v, "square": v * v}[model] for v in x]


def write_models(folder: Path) -> None:
    """Version 1 of each model, and the configuration."""
    quiet = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", _SAVE, str(folder)], check=True, env=quiet, capture_output=True)
    listed = [f"config {{ name: '{n}' base_path: '{folder}/{n}' model_platform: 'tensorflow' }}" for n in MODELS]
    (folder / "models.config").write_text("model_config_list {\n" + "\n".join(listed) + "\n}\n")


def publish(folder: Path, model: str, version: int) -> None:
    """A new version of a model, complete at once; the oldest one goes."""
    base = folder / model
    present = sorted(int(path.name) for path in base.iterdir() if path.name.isdigit())
    shutil.copytree(base / str(present[-1]), base / ".new")
    (base / ".new").rename(base / str(max(version, present[-1] + 1)))
    for old in present[: 1 - KEPT]:
        shutil.rmtree(base / str(old))


def free_ports() -> tuple[int, int]:
    """Two ports that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        for sock in (one, other):
            sock.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


class Replica:
    """A server that can be killed and started again on the same ports."""

    def __init__(self, models: Path, grpc_port: int, rest_port: int, number: int) -> None:
        self.models, self.grpc_port, self.rest_port = models, grpc_port, rest_port
        self._log = models / f"replica-{number}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()

    def start(self) -> None:
        """Start; ``wait`` until it serves."""
        ports = (f"--port={self.grpc_port}", f"--rest_api_port={self.rest_port}")
        command = [sys.executable, "-m", "kilnworks", "serve", *ports]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, f"--model_config_file={self.models}/models.config"],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
            )
        self._ready = threading.Event()
        threading.Thread(target=self._listen, args=(self._process, self._ready), daemon=True).start()

    def _listen(self, process: "subprocess.Popen[bytes]", ready: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout as output:
            if output.readline().startswith(b"{"):
                ready.set()
            output.read()

    def wait(self) -> None:
        """Until it serves. Raises RuntimeError when it does not."""
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError(f"a replica did not start:\n{self._log.read_text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL; one that still starts is waited for first, so that there are always two or one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self._ready.is_set()

    def sample(self) -> tuple[float, int]:
        """Resident memory (MiB) and open descriptors."""
        assert self._process is not None
        proc = Path("/proc") / str(self._process.pid)
        resident = next(x for x in (proc / "status").read_text().splitlines() if x.startswith("VmRSS"))
        return int(resident.split()[1]) / 1024, len(list((proc / "fd").iterdir()))
