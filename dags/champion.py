"""For each pipeline that publishes, the DAG that moves its champion by hand.

Its form asks for a run whose model is to go live, or for a version to go back to, and for the reason. Who triggered it
is who decided; both stand in the record of the move. The same by ``kilnworks promote`` and ``kilnworks rollback``.
"""

from typing import Any

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.context import Context

from dags.factory import START
from dags.operators import PipelineOperator
from pipelines.core.graph import Pipeline
from schemas.artifacts import Deployment

SUFFIX = "_champion"
PROMOTE, ROLLBACK = "promote", "roll back"


class ChampionOperator(PipelineOperator):
    """Runs ``promote`` or ``rollback`` with what was typed into the form."""

    def execute(self, context: Context) -> None:
        """Run the command. Raises the Airflow exception that fits how it ended."""
        self.arguments = arguments(self.pipeline, dict(context["params"]))
        super().execute(context)


def arguments(pipeline: str, params: dict[str, Any]) -> tuple[str, ...]:
    """The command for a filled form; one word a value, so that nothing typed is taken for an option."""
    reason = f"--reason={params['reason']}"
    if params["action"] == PROMOTE:
        return ("promote", pipeline, f"--run={params['run'] or ''}", reason)
    to = () if params["version"] is None else (f"--to={params['version']}",)
    return ("rollback", pipeline, *to, reason)


def build_champion_dag(pipeline: Pipeline) -> DAG:
    """The DAG that moves the champion of ``pipeline``."""
    with DAG(
        f"{pipeline.name}{SUFFIX}",
        description=f"Promotes a run of {pipeline.name}, or rolls its champion back.",
        doc_md=__doc__,
        schedule=None,
        start_date=START,
        catchup=False,
        max_active_runs=1,
        auto_register=False,
        tags=["kilnworks", "release"],
        default_args={"owner": pipeline.owner},
        params={
            "action": Param(PROMOTE, enum=[PROMOTE, ROLLBACK], type="string", description="What to do."),
            "run": Param(None, type=["string", "null"], description="promote: the run whose model goes live."),
            "version": Param(
                None,
                type=["integer", "null"],
                minimum=1,
                description="roll back: the version to go back to; empty: the one that was live before.",
            ),
            "reason": Param("", type="string", minLength=1, description="Why; kept in the record of the move."),
        },
    ) as dag:
        ChampionOperator(
            task_id="move",
            pipeline=pipeline.name,
            arguments=(),
            env={"KILNWORKS_BY": "{{ dag_run.triggering_user_name or 'Airflow' }}"},
        )
    return dag


def publishes(pipeline: Pipeline) -> bool:
    """Whether a pipeline has a champion to move."""
    return any(issubclass(step.signature.result, Deployment) for step in pipeline.steps)
