"""For each pipeline that trains on rows in processes of its own, the DAG that says how good that is and what ails it.

Its form chooses what: ``crossval`` (how good it is on rows that it did not train on), ``diagnose`` (what ails it) or
``lr-find`` (a learning rate). One task runs the command of that name and writes the same records and page; one that is
killed is tried again and goes on where it was, but for a range test, which is short. Nothing goes live by it. The same
by ``kilnworks crossval NAME``, ``kilnworks diagnose NAME`` and ``kilnworks lr-find NAME``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from kilnworks.dags.factory import RESTARTS, companion, routed
from kilnworks.dags.fields import asked, settings_of
from kilnworks.dags.handed import handed_secrets
from kilnworks.dags.names import CRAFT
from kilnworks.dags.operators import PipelineOperator, verdict
from kilnworks.dags.tune import setting_lines, tunes
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.operations import Python
from kilnworks.pipelines.core.space import trained_step
from kilnworks.pipelines.core.store import clean, open_store
from kilnworks.pipelines.craft.cuts import CUT, with_cut_refused
from kilnworks.pipelines.craft.work import FOLDERS
from kilnworks.schemas.errors import ConfigError

CROSSVAL, DIAGNOSE, RATES = COMMANDS = tuple(FOLDERS)
WHAT = {
    CROSSVAL: "train on every fold of the training and validation rows, and tell mean and spread",
    DIAGNOSE: "say what ails the training, and what to try",
    RATES: "find a learning rate",
}


@dataclass(frozen=True)
class Option:
    """A field of the form.

    Attributes:
        of: the commands that have the option of that name.
        default: what the field shows; where it is left so, the option is not given.
        rules: JSON schema of a value.
        text: what it means.
    """

    of: tuple[str, ...]
    default: Any
    rules: Mapping[str, Any]
    text: str


OPTIONS = {
    "folds": Option((CROSSVAL,), 5, {"type": "integer", "minimum": 2, "maximum": 1000}, "Folds."),
    "by": Option(
        (CROSSVAL,), None, {"type": ["string", "null"], "enum": ["plain", "stratified", "grouped", "time", None]},
        "What folds follow; empty: the definition.",
    ),
    "column": Option((CROSSVAL,), None, {"type": ["string", "null"]}, "Column of the groups or of the time."),
    "outer": Option(
        (CROSSVAL,), None, {"type": ["integer", "null"], "minimum": 2, "maximum": 1000},
        "Outer folds, with a search in each; empty: none.",
    ),
    "trials": Option(
        (CROSSVAL,), None, {"type": ["integer", "null"], "minimum": 1}, "Of each search inside; needs outer folds."
    ),
    "shares": Option((DIAGNOSE,), "0.25,0.5,1", {"type": "string"}, "Shares of the training rows to train on."),
    "from": Option((RATES,), 1e-6, {"type": "number", "exclusiveMinimum": 0}, "Learning rate of the first step."),
    "to": Option((RATES,), 1.0, {"type": "number", "exclusiveMinimum": 0}, "Learning rate of the last step."),
    "steps": Option((RATES,), 300, {"type": "integer", "minimum": 20, "maximum": 100_000}, "Of a test, at most."),
    "batch-sizes": Option(
        (RATES,), None, {"type": ["string", "null"]}, "Batches to test, such as 32,64,128; empty: the definition's."
    ),
    "seed": Option(
        (CROSSVAL, DIAGNOSE), 0, {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}, "Of the draw of rows."
    ),
}  # fmt: skip
"""What a run may say, by name of the option of the command."""


class CraftOperator(PipelineOperator):
    """Runs the command that the form chose, on a piece of work that is named as this run."""

    typed = ""
    """Settings of every training, as they were typed into the form."""

    def execute(self, context: Context) -> Any:
        """Run the command. Raises the Airflow exception that fits how it ended."""
        params = dict(context["params"])
        try:
            options = words(params)
        except ConfigError as error:
            raise AirflowFailException(str(error)) from None
        self.arguments = (str(params["what"]), self.pipeline, *options, f"--work={context['run_id']}")
        self.typed = str(params.get("settings") or "")
        return super().execute(context)

    def handed(self) -> dict[str, str]:
        """See ``PipelineOperator.handed``; also what the settings of every training refer to."""
        return handed_secrets(self.pipeline, self.steps, self.typed)

    def failure(self, run_id: str, code: int, began: str, said: str) -> AirflowException:
        """See ``PipelineOperator.failure``; its trainings are runs of their own, of which the last one tells it."""
        outcomes = f"{FOLDERS[self.arguments[0]]}-{clean(run_id)}-*/outcomes/*.json"
        found = (open_store().root / "runs" / self.pipeline).glob(outcomes)
        newest = max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
        last = run_id if newest is None else newest.parents[1].name
        return verdict(self.pipeline, last, (*self.steps, CUT), code, began, said)


def words(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of the command for a filled form; one word a value, so that nothing typed is taken for an option.

    Raises:
        ConfigError: a field was filled that the chosen command does not have.
    """
    what, given = str(params["what"]), []
    for name, option in OPTIONS.items():
        value = params.get(name, option.default)
        if value in (option.default, None, ""):
            continue
        if what not in option.of:
            leave = "empty it" if option.default is None else f"leave it at {option.default}"
            raise ConfigError(
                f"{name} = {value} with {what}", f"fields of {what}, or of all", f"{leave}, or choose {option.of[0]}"
            )
        given.append(f"--{name}={value}")
    return (*given, *setting_lines(params))


def crafts(pipeline: Pipeline) -> bool:
    """Whether there is something to look at: one step trains, on rows that can be cut, in a process on the worker."""
    return tunes(pipeline) and with_cut_refused(pipeline) is None


def build_craft_dag(pipeline: Pipeline) -> DAG:
    """The DAG that looks at the training of ``pipeline``, which ``crafts``."""
    step = trained_step(pipeline)
    task = pipeline.operations.task(step.name)
    with companion(
        pipeline,
        CRAFT,
        f"Cross-validates {pipeline.name}, diagnoses its training, or finds a learning rate for it.",
        __doc__ or "",
        "craft",
        routed(task),
        schedule=None,
        params=_params(),
    ) as dag:
        CraftOperator(
            task_id="craft",
            task_display_name="craft: cross-validate, diagnose, or find a learning rate",
            pipeline=pipeline.name,
            arguments=(),
            steps=sorted(pipeline.between(None, step.name)),
            executable=task.where.executable if isinstance(task.where, Python) else None,
            pool=task.pool,
            retries=RESTARTS,
        )
    return dag


def _params() -> dict[str, Param]:
    """The form: what is done, settings of every training, and the options of each command in a section."""
    found = {
        "what": asked(
            CROSSVAL,
            {"type": "string", "enum": list(COMMANDS)},
            "; ".join(f"{name}: {text}" for name, text in WHAT.items()) + ".",
            title="what is done",
        )
    }
    for name, one in OPTIONS.items():
        section = " and ".join(one.of)
        found[name] = asked(one.default, one.rules, one.text, title=name.replace("-", " "), section=section)
    found["settings"] = settings_of("training")
    return found
