"""For each pipeline that publishes, the DAG that moves its champion by hand.

Its form offers the runs whose model can go live and the versions to go back to, and asks for the reason. Who triggered
it is who decided; both stand in the record of the move. The same by ``kilnworks promote`` and ``kilnworks rollback``.
"""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException

from kilnworks.dags.factory import companion, where_published
from kilnworks.dags.names import CHAMPION
from kilnworks.dags.operators import PipelineOperator
from kilnworks.pipelines.core.choices import earlier_versions, promotable
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.artifacts import Deployment
from kilnworks.schemas.errors import ConfigError

PROMOTE, ROLLBACK = "promote", "roll back"
BY_NAME = "What is not in the lists"
"""Section of the form for what has just been made, or is too old to be listed."""


class ChampionOperator(PipelineOperator):
    """Runs ``promote`` or ``rollback`` with what was typed into the form."""

    def execute(self, context: Context) -> None:
        """Run the command. Raises the Airflow exception that fits how it ended."""
        try:
            self.arguments = arguments(self.pipeline, dict(context["params"]))
        except ConfigError as error:
            raise AirflowFailException(str(error)) from None
        super().execute(context)


def arguments(pipeline: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """The command for a filled form; one word a value, so that nothing typed is taken for an option.

    Raises ``ConfigError`` where the fields contradict one another, or no run is named.
    """
    run, version = _one(params, "known_run", "run"), _one(params, "known_version", "version")
    reason = f"--reason={params['reason']}"
    if params["action"] == PROMOTE:
        _unused(PROMOTE, "version", version)
        if run is None:
            raise ConfigError("no run is named", "the run whose model goes live", "choose it in the form")
        return ("promote", pipeline, f"--run={run}", reason)
    _unused(ROLLBACK, "run", run)
    to = () if version is None else (f"--to={version}",)
    return ("rollback", pipeline, *to, reason)


def _one(params: Mapping[str, Any], chosen: str, typed: str) -> Any:
    """The value of the list, or the one that was typed; None for neither."""
    given = {name: params.get(name) for name in (chosen, typed) if params.get(name) not in (None, "")}
    if len(set(given.values())) > 1:
        said = " and ".join(f"{name} {value}" for name, value in given.items())
        raise ConfigError(said, "one of them", f"choose from the list or fill in {typed}, not both")
    return next(iter(given.values()), None)


def _unused(action: str, name: str, value: Any) -> None:
    if value is not None:
        other = ROLLBACK if action == PROMOTE else PROMOTE
        raise ConfigError(f"{action} with {name} {value}", f"no {name}", f"leave {name} empty, or choose {other!r}")


def build_champion_dag(pipeline: Pipeline, store: Store | None = None) -> DAG:
    """The DAG that moves the champion of ``pipeline``.

    Args:
        pipeline: the definition.
        store: what its form lists lies here; None: a form without lists, for the process of a task, to which what was
            chosen before is given and may have left the list since.
    """
    with companion(
        pipeline,
        CHAMPION,
        f"Promotes a run of {pipeline.name}, or rolls its champion back.",
        __doc__ or "",
        "release",
        where_published(pipeline),
        schedule=None,
        params=_params(pipeline, store),
    ) as dag:
        ChampionOperator(
            task_id="move",
            task_display_name="move: promote or roll back",
            pipeline=pipeline.name,
            arguments=(),
            env={"KILNWORKS_BY": "{{ dag_run.triggering_user_name or 'Airflow' }}"},
        )
    return dag


def _params(pipeline: Pipeline, store: Store | None) -> dict[str, Param]:
    runs = None if store is None else promotable(pipeline, store)
    versions = None if store is None else earlier_versions(pipeline, store)
    return {
        "action": Param(PROMOTE, enum=[PROMOTE, ROLLBACK], type="string", title="what to do"),
        "known_run": Param(
            None,
            type=["string", "null"],
            title="run to promote",
            description="promote: the run whose model goes live.",
            **_list(runs, "none" if runs else "no run can be promoted"),
        ),
        "known_version": Param(
            None,
            type=["integer", "null"],
            title="version to go back to",
            description="roll back: the version to go back to.",
            **_list(versions, "the one that was live before"),
        ),
        "reason": _reason(),
        "run": Param(
            None,
            type=["string", "null"],
            title="run",
            description="promote: a run by its id.",
            section=BY_NAME,
        ),
        "version": Param(
            None,
            type=["integer", "null"],
            allOf=[{"minimum": 1}],  # ``minimum`` itself would be applied by the form without a word
            title="version",
            description="roll back: a version by its number.",
            section=BY_NAME,
        ),
    }


def _list(choices: Mapping[Any, str] | None, empty: str) -> dict[str, Any]:
    """The rules of a field with choices, each shown by its line; none where they are not known."""
    if choices is None:
        return {}
    return {"enum": [None, *choices], "values_display": {"null": empty, **{str(k): v for k, v in choices.items()}}}


def _reason() -> Param:
    """A text that must be given; it may be nothing by its type, or the form would show it as wrong when it opens."""
    return Param(
        None,
        type=["string", "null"],
        pattern=r"\S",
        title="reason",
        description="Why; must be given, and is kept in the record of the move.",
        **{"not": {"type": "null", "description": "a reason is asked for"}},
    )


def publishes(pipeline: Pipeline) -> bool:
    """Whether a pipeline has a champion to move."""
    return any(issubclass(step.signature.result, Deployment) for step in pipeline.steps)
