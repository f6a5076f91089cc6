"""A task that asks a person in Airflow's UI before a step runs, with the champion's figures beside those of the run.

Approve lets the step run, with the settings that the person changed; reject skips it and what hangs on it. Nobody in
time: what the definition says. Each way leaves a decision record in the run.
"""

import datetime as dt
import subprocess
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.providers.standard.triggers.hitl import HITLTrigger
from airflow.sdk import Param
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput
from airflow.sdk.timezone import utcnow

from kilnworks.dags import pages
from kilnworks.dags.fields import asked
from kilnworks.dags.project import command, environment, open_run
from kilnworks.pipelines.core.approval import NOBODY, record_answer, record_question
from kilnworks.pipelines.core.compare import unmeasured
from kilnworks.pipelines.core.form import changed, form
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.operations import Approval
from kilnworks.pipelines.core.owner import require_owner
from kilnworks.pipelines.core.question import question, require_evaluation
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.crashes import ending
from kilnworks.schemas.errors import ConfigError, StoreError
from kilnworks.schemas.places import project_root

APPROVE, REJECT = "Approve", "Reject"
COMMENT = "comment"


class ApprovalOperator(HITLOperator):
    """Waits for a person's answer.

    Args:
        pipeline: the definition.
        step: name of the step that waits.
        approval: how it is asked.
    """

    custom_operator_name = "a person decides"

    def __init__(self, *, pipeline: Pipeline, step: str, approval: Approval, **kwargs: Any) -> None:
        self.pipeline, self.step = pipeline, step
        kwargs.pop("params", None)  # those of the DAG, which Airflow hands to every operator; these are asked instead
        super().__init__(
            subject=f"{pipeline.name}: may {step} run?",
            body="The figures are read when the question is asked.",
            options=[APPROVE, REJECT],
            defaults=APPROVE if approval.default == "approve" else REJECT,
            response_timeout=dt.timedelta(seconds=approval.timeout_seconds),
            assigned_users=[{"id": name, "name": name} for name in approval.respondents] or None,
            params=self._form(approval),
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Put the figures into the question, ask it, and wait with a trigger that looks for the answer by itself.

        Waiting without one, as the operator wants to, loses an answer that comes while the task is put to rest.
        """
        run = open_run(self.pipeline.name, str(context["run_id"]))
        require_owner(run.store, f"asking for {self.step} of {self.pipeline.name}")
        self._require_evaluation(run)
        self.body = question(self.pipeline, run, pages.report_path, self._compare(run))
        record_question(run, self.step)
        try:
            return super().execute(context)
        except TaskAwaitingInput as waiting:
            trigger = HITLTrigger(
                ti_id=context["task_instance"].id,
                options=self.options,
                defaults=self.defaults,
                params=self.serialized_params,
                timeout_datetime=utcnow() + self.response_timeout,
            )
            self.defer(trigger=trigger, method_name=waiting.method_name)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the answer: keep its record, and skip what was rejected."""
        answer = super().execute_complete(context, event)
        values = dict(answer["params_input"])
        comment = str(values.pop(COMMENT, "") or "")
        user = answer["responded_by_user"]
        record = record_answer(
            open_run(self.pipeline.name, str(context["run_id"])),
            self.step,
            approved=answer["chosen_options"] == [APPROVE],
            by=user["name"] if user else NOBODY,
            comment=comment,
            settings=changed(self.pipeline, values),
        )
        self.log.info("%s", record.headline)
        if not record.passed:
            raise AirflowSkipException(record.headline)
        return None

    def _require_evaluation(self, run: Run) -> None:
        try:
            require_evaluation(self.pipeline, run, self.step)
        except StoreError as error:
            raise AirflowFailException(str(error)) from None

    def _compare(self, run: Run) -> str:
        """Have the champion measured on the rows of this run, in a process of its own; returns why that failed."""
        if not unmeasured(self.pipeline, run):
            return ""
        line = command(("compare", self.pipeline.name, "--run", run.run_id))
        self.log.info("$ %s", " ".join(line))
        done = subprocess.run(
            line, cwd=project_root(), env=environment(), capture_output=True, text=True, errors="replace", check=False
        )
        said = (done.stdout + done.stderr).strip()
        self.log.info("%s", said)
        if done.returncode < 0:
            return f"the command ended with {ending(done.returncode)}; the log says what came before"
        return "" if done.returncode == 0 else (said.splitlines() or [ending(done.returncode)])[0]

    def _form(self, approval: Approval) -> dict[str, Param]:
        """The settings that may be changed, and a comment."""
        fields = {field.name: field for field in form(self.pipeline)}
        names = [f"{self.step}.{name}" for name in approval.editable]
        for name in names:
            if name not in fields:
                have = ", ".join(n for n in fields if n.startswith(f"{self.step}."))
                raise ConfigError(
                    f"approval of {self.step}: no setting {name!r}", f"one of {have}", "correct `editable`"
                )
        settings = {name: asked(fields[name].default, fields[name].schema, fields[name].help) for name in names}
        return {
            **settings,
            COMMENT: asked("", {"type": "string"}, "Why; kept in the decision record."),
        }
