"""The Spark engine in a process of its own.

Great Expectations decides at its import whether it knows PySpark, and this process may have imported it without (see
``gx``). A fresh interpreter asks nothing of what ran here before, and its Java machine ends with it. The job goes there
on standard input, what came of it comes back in a file; Spark's own notes are shown where nothing comes back.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kilnworks.components.quality.engines.spark import check_splits_on_spark, parts_on_spark, session
from kilnworks.components.quality.expectations.gx import load_gx
from kilnworks.components.quality.expectations.run_gx import Checked
from kilnworks.components.quality.profile.profile import describe
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.crashes import ending, show_crashes
from kilnworks.schemas.errors import KilnworksError, StepFailed

Judged = tuple[list[Checked], dict[str, Any]]
"""Results of the rules by split, and the profile."""
SHOWN = 5


@dataclass(frozen=True)
class Job:
    """What is to be judged: shards and their rows by split, the contract as JSON, and where Spark is."""

    master: str
    files: Mapping[str, Sequence[Path]]
    heights: Mapping[str, int]
    contract: str


def judge_on_spark(
    master: str, files: Mapping[str, Sequence[Path]], heights: Mapping[str, int], contract: Contract
) -> Judged:
    """Check every rule and make the profile on Spark.

    Args:
        master: ``local[CORES]`` or ``spark://HOST:7077``.
        files: Parquet shards by split; the workers read them.
        heights: rows by split.
        contract: what they should look like.

    Raises:
        ConfigError: there is no Java, or no session comes about.
        StepFailed: Spark gave up.
    """
    job = Job(master, files, heights, contract.model_dump_json())
    with TemporaryDirectory(prefix="kilnworks-spark-") as folder:
        answer, log = Path(folder) / "answer", Path(folder) / "log"
        command = [sys.executable, "-m", __name__, str(answer)]
        with log.open("wb") as notes:
            done = subprocess.run(command, input=pickle.dumps(job), stderr=notes, env=_environment(), check=False)
        if not answer.is_file():
            raise _no_answer(done.returncode, log)
        load_gx()  # as everywhere without PySpark, which may end a process that merely imports it
        came = pickle.loads(answer.read_bytes())
    if isinstance(came, KilnworksError):
        raise came
    judged: Judged = came
    return judged


def _no_answer(code: int, log: Path) -> StepFailed:
    """The error for a process that died, with the end of what it wrote."""
    last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-SHOWN:]
    return StepFailed(
        "\n    ".join([f"the process that runs Spark ended with {ending(code)} and without an answer:", *last]),
        "a process that ends by itself",
        "see these lines; a process that is short of memory ends like this too",
    )


def main(answer: Path) -> None:
    """Read a job from standard input, do it, and write what came of it."""
    show_crashes()
    job: Job = pickle.load(sys.stdin.buffer)
    scratch = answer.with_suffix(".part")
    scratch.write_bytes(pickle.dumps(_outcome(job)))
    scratch.replace(answer)


def _outcome(job: Job) -> Judged | KilnworksError:
    """What the job gives, or the error that it ends with."""
    contract = Contract.model_validate_json(job.contract)
    try:
        with session(job.master) as spark:
            checked = check_splits_on_spark(spark, job.files, job.heights, contract)
            return checked, describe(parts_on_spark(spark, job.files, contract), job.heights, contract)
    except KilnworksError as error:
        return error


def _environment() -> dict[str, str]:
    """The environment with the packages of this process on the path of the next, and names of files in UTF-8.

    Java reads names in the encoding of the locale: under ``LC_ALL=C`` it finds no file below a folder ``Z\u00fcrich``.
    """
    paths = [path or str(Path.cwd()) for path in sys.path]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    locale = next(filter(None, (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    return found if locale.lower().endswith(("utf-8", "utf8")) else {**found, "LC_ALL": "C.UTF-8"}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
