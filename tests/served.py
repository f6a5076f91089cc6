"""A model server in a process of its own, as users start it; where it ends before it should, the test says why."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from kilnworks.schemas.crashes import ending
from tests.forked import Forked

ROOT = Path(__file__).parents[1]
ALONE = ("kilnworks.components.serving",)
COMMAND = ("kilnworks", "serve")
"""The server without and with the commands around it."""
END_SECONDS = 1.0
"""How long a server may take to end after a test has failed, for the test to say why."""


@contextmanager
def served(*flags: str, words: Sequence[str] = ALONE, env: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """What a server with these flags announces: its ports, free ones unless told otherwise, and models.

    ``words``: the module that is started, and what comes before the flags.
    """
    with tempfile.NamedTemporaryFile("w", prefix="kilnworks-served-") as log:
        command = [*words, "--port=0", "--rest_api_port=0", *flags]
        process = Forked(command, cwd=ROOT, env=os.environ if env is None else env, stderr=log)
        with announced(process, Path(log.name)) as told:
            yield told


@contextmanager
def announced(process: Popen[str] | Forked, log: Path) -> Iterator[dict[str, Any]]:
    """What a server prints once it answers; at the end it is asked to stop, and must exit with 0.

    ``log``: where its standard error goes, whose end is told where it ends otherwise.
    """
    try:
        line = process.stdout.readline()
        assert line, _end(process, log)
        try:
            yield json.loads(line)
        except Exception as error:
            with suppress(TimeoutExpired):
                process.wait(END_SECONDS)
                error.add_note(_end(process, log))
            raise
        process.terminate()
        assert process.wait(60) == 0, _end(process, log)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _end(process: Popen[str] | Forked, log: Path) -> str:
    said = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("Extension modules: ")]
    return "\n".join([f"the server ended with {ending(process.wait(60))}:", *said[-100:]])
