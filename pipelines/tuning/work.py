"""Working on a search: trial after trial in this process, or in several beside one another.

Processes share nothing but the study. One that dies takes nothing with it: those that are left, or the next command
with ``--resume``, take its trial up.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from kilnworks.pipelines.core.space import Space
from kilnworks.pipelines.tuning.study import Study
from kilnworks.pipelines.tuning.trial import TrialOutcome, run_trial

THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
"""What says how many threads the arithmetic of a process takes."""


def work(study: Study, space: Space, trials: int, heard: Callable[[TrialOutcome], None]) -> None:
    """Run trials until that many count.

    Raises:
        KilnworksError: the settings of the definition do not train, or the store is broken.
    """
    while (outcome := work_once(study, space, trials)) is not None:
        heard(outcome)
        _forget_models()


def work_once(study: Study, space: Space, trials: int) -> TrialOutcome | None:
    """Run the next trial; None where ``trials`` count already. Raises as ``work`` does."""
    taken = study.take(trials)
    if taken is None:
        return None
    with taken.lock:
        return run_trial(study, taken, space)


def shared_threads(workers: int) -> dict[str, str]:
    """Environment variables by which so many processes share the processors; those that are set stay as they are."""
    share = str(max(1, (os.cpu_count() or 1) // workers))
    return {name: os.environ.get(name, share) for name in THREADS}


def work_beside(words: Sequence[str], workers: int) -> list[int]:
    """Start processes that work on the same search, and wait for them.

    Args:
        words: of the command that works, without the program.
        workers: how many; they share the processors.

    Returns:
        The exit code of each.
    """
    environment = {**os.environ, **shared_threads(workers)}
    command = [sys.executable, "-m", "kilnworks", *words]
    started = [subprocess.Popen(command, env=environment) for _ in range(workers)]
    try:
        return [process.wait() for process in started]
    except KeyboardInterrupt:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()
        raise


def _forget_models() -> None:
    """Free what Keras holds of the models of a trial."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()
