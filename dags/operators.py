"""The thin Airflow operators of the DAGs: run the command that a person would type, and say how it ended.

An error that a retry cannot mend (bad data, a wrong setting) fails the task for good; the others leave it to the
task's ``retries``. The log shows every line of the command as it comes, one at least for each epoch of a training.
"""

import os
import signal
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import chdir, contextmanager, nullcontext, suppress
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.log import mask_secret

from kilnworks.dags.handed import handed_secrets
from kilnworks.dags.links import LINKS
from kilnworks.dags.project import command, environment, open_run
from kilnworks.pipelines.core.reasons import LONGEST, result
from kilnworks.pipelines.core.store import now
from kilnworks.schemas.crashes import FATAL, ending, show_crashes
from kilnworks.schemas.errors import EXIT_SKIPPED, EXIT_USAGE, KilnworksError, StepSkipped
from kilnworks.schemas.masking import masked, tell_secrets
from kilnworks.schemas.places import project_root
from kilnworks.schemas.words import cut

RESULTS = ("evaluation.json", "deployment.json")
"""Files of what a run comes to."""
LAST_LINES = 3
"""How many lines of a command are told where no step says why it failed: got, wanted, to do. The log has the others."""
STOP_SECONDS = 10.0
"""How long a stopped command may take to tidy up before it is killed."""


class PipelineOperator(BaseOperator):
    """Runs ``kilnworks ARGUMENTS`` in a fresh process, which TensorFlow needs.

    Args:
        pipeline: name of the definition.
        arguments: what follows ``kilnworks``.
        steps: the steps that the command runs; their recorded outcomes explain how it ended.
        env: further environment variables; templated. Data reaches the command by these, never by shell text.
        executable: another Python; None for the one that Airflow runs on.
    """

    template_fields = ("env",)
    operator_extra_links = LINKS
    custom_operator_name = "kilnworks"
    ui_color = "#f3e3d3"

    def __init__(
        self,
        *,
        pipeline: str,
        arguments: Sequence[str],
        steps: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        executable: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline, self.arguments, self.steps = pipeline, tuple(arguments), tuple(steps)
        self.env, self.executable = dict(env or {}), executable
        self._process: subprocess.Popen[str] | None = None
        self._said: deque[str] = deque(maxlen=LAST_LINES)

    def execute(self, context: Context) -> Any:
        """Run the command. Raises the Airflow exception that fits how it ended."""
        began = now()
        code = self.run_command()
        if code != 0:
            raise self.failure(str(context["run_id"]), code, began, "; ".join(self._said))
        self.tell_result(str(context["run_id"]))

    def failure(self, run_id: str, code: int, began: str, said: str) -> AirflowException:
        """The exception that tells Airflow how the command ended; see ``verdict``."""
        return verdict(self.pipeline, run_id, self.steps, code, began, said)

    def tell_result(self, run_id: str) -> None:
        """Log verdict, version and metrics, where a step of the task has made some."""
        run = open_run(self.pipeline, run_id)
        if any((run.step_path(step) / name).is_file() for step in self.steps for name in RESULTS):
            self.log.info("Result: %s", result(run))

    def run_command(self) -> int:
        """Run it to its end, or stop it; returns the exit code, negative for the number of a signal."""
        line = command(self.arguments, self.executable)
        tell_secrets(mask_secret)
        self.log.info("$ %s", masked(" ".join(line)))
        self._process = subprocess.Popen(
            line,
            cwd=project_root(),
            env={**environment(), **self.handed(), **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            with self._process.stdout or nullcontext() as lines:
                for text in lines or ():
                    told = masked(text.rstrip())
                    self.log.info("%s", told)
                    crashed = any(line.startswith(FATAL) for line in self._said)  # stacks of all threads follow
                    if told.strip() and not crashed:
                        self._said.append(cut(told.strip(), LONGEST))
            return self._process.wait()
        finally:
            self.on_kill()

    def handed(self) -> dict[str, str]:
        """Connections and variables of Airflow that the settings of the steps refer to, for the process alone."""
        return handed_secrets(self.pipeline, self.steps, self.env.get("KILNWORKS_OVERRIDES", ""))

    def on_kill(self) -> None:
        """Stop the command and all that it started: first as Ctrl-C does, then for good."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


class InProcessOperator(PipelineOperator):
    """Runs the steps in Airflow's own task process: saves the start of an interpreter; never for TensorFlow."""

    def execute(self, context: Context) -> Any:
        """Run the steps here. Raises the Airflow exception that fits how they ended."""
        from kilnworks.pipelines.cli.running import step

        show_crashes()
        began = now()
        tell_secrets(mask_secret)
        try:
            with _environment({**environment(), **self.handed(), **self.env}), chdir(project_root()):
                code = step(self.pipeline, list(self.steps), run_id=self.env["KILNWORKS_RUN_ID"])
        except StepSkipped as error:
            raise AirflowSkipException(error.got) from None
        except KilnworksError as error:
            raise (AirflowException if error.retry_helps else AirflowFailException)(str(error)) from None
        if code != 0:
            raise verdict(self.pipeline, str(context["run_id"]), self.steps, code, began)
        self.tell_result(str(context["run_id"]))


def verdict(
    pipeline: str, run_id: str, steps: Sequence[str], code: int, began: str, said: str = ""
) -> AirflowException:
    """The exception that tells Airflow how a command ended.

    Args:
        pipeline: name of the definition.
        run_id: the run.
        steps: those that the command was to run; their recorded outcomes explain the end.
        code: exit code, not 0; negative for the number of a signal.
        began: time before the command started; older outcomes are those of an earlier attempt.
        said: its last lines, told where no step has left a reason.
    """
    run = open_run(pipeline, run_id)
    outcomes = [o for o in (run.outcome(step) for step in steps) if o is not None and o["at"] >= began]
    if code == EXIT_SKIPPED:
        reasons = [o["reason"] for o in outcomes if o["outcome"] == "skipped"]
        return AirflowSkipException("; ".join(reasons) or said or "skipped")
    failed = next((o for o in outcomes if o["outcome"] == "failed"), None)
    if failed is None:
        if code == EXIT_USAGE:
            return AirflowFailException(said or "a setting is wrong; the log says which")
        return AirflowException(f"the command ended with {ending(code)}; {said or 'the log says what came before'}")
    error = failed.get("error") or {}
    text = f"{failed['step']}: {failed['reason']}" + (f" | to do: {error['fix']}" if error.get("fix") else "")
    return AirflowException(text) if error.get("retry_helps") else AirflowFailException(text)


@contextmanager
def _environment(values: Mapping[str, str]) -> Any:
    """Environment variables for the length of a block."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
