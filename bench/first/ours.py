"""The first model of ``kilnworks new``, as a user has it made: by commands, in processes of their own."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.measure import run


def first_answers(
    project: Path, train: str, tests: Sequence[str], words: Sequence[str], seed: int, changed: Sequence[str] = ()
) -> tuple[list[pd.DataFrame], tuple[float, float]]:
    """Predictions of the first model for each file, and the wall and processor seconds that new and run took together.

    Args:
        project: the folder of the files; definition, store and logs are written there.
        train: the file or folder that it learns from.
        tests: files or folders that it answers for, without the label.
        words: further words for ``new``.
        seed: of the training.
        changed: settings of the run beside those of the definition, as ``--set`` takes them.
    """
    env = {"KILNWORKS_ROOT": str(project), "KILNWORKS_STORE": str(project / "store")}
    first = [sys.executable, "-m", "kilnworks"]
    settings = ["--set", f"model.seed={seed}", "--set", "evaluation.better_than=[]"]
    settings += [word for setting in changed for word in ("--set", setting)]
    commands = [
        ["new", "first", "--data", str(project / train), *words],
        ["run", "first", "--run-id", "one", *settings],
        ["promote", "first", "--run", "one"],  # a run with other settings than the definition's is a trial
    ]
    spent = [run([*first, *command], project / f"{command[0]}.log", env) for command in commands][:2]
    found = []
    for test in tests:
        output = project / f"answers-{Path(test).stem}.csv"
        run([*first, "predict", "first", str(project / test), "--output", str(output)], project / "predict.log", env)
        found.append(pd.read_csv(output))
    return found, (sum(one.wall for one in spent), sum(one.cpu for one in spent))
