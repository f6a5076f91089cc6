"""The challenge of the champion by the model of a run, before the pointer moves: measured once, kept in the run.

``challenges/<step>.json`` is a decision record, with what it holds for as ``key``: this champion, this evaluation, this
model and these settings. Whatever asks (the deployment, an approval, the report) reads the same one.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.challenging.verdict import Verdict, rule_words, unmeasured
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.pipelines.core.evaluated import champion_of, evaluation_of, fingerprint
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.inputs import inputs_of
from kilnworks.pipelines.core.seen import may_have_seen
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.artifacts import CheckedExamples, Deployment, Servable
from kilnworks.schemas.champion import ChampionRecord
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.decision import DecisionRecord
from kilnworks.schemas.errors import UnknownName
from kilnworks.schemas.files import read_json, write_json

FOLDER = "challenges"
NOT_ASKED = Verdict("not asked", True, "not compared with the champion: a person asked for it by name")


def asks_models(step: Step) -> bool:
    """Whether a step compares a new model with the champion, for which it needs TensorFlow."""
    return isinstance(getattr(step.config, "challenge", None), Challenge)


def check_challenge(pipeline: Pipeline) -> None:
    """Hold what models are to be compared by against the tasks, the evaluation and the contract of the definition.

    Raises:
        UnknownName: a metric that no task and no evaluation here has, or a column to slice by that there is not.
        ConfigError: a column that has no few values to slice by.
    """
    from kilnworks.components.tasks.choose import metric_named, metric_names

    own = [name for step in pipeline.steps if isinstance(step.config, JudgeSettings) for name in step.config.metrics]
    for step in pipeline.steps:
        settings = getattr(step.config, "challenge", None)
        name = settings.metric if isinstance(settings, Challenge) else None
        if name is not None and name not in own and metric_named(name) is None:
            raise UnknownName(
                f"metric to compare models by in {pipeline.name}.{step.name}", name, [*own, *metric_names()]
            )
        if isinstance(settings, Challenge) and settings.slices:
            _check_slices(pipeline, settings.slices)


def _check_slices(pipeline: Pipeline, columns: tuple[str, ...]) -> None:
    from kilnworks.components.judging.slices import check_columns

    contracts = (getattr(step.config, "contract", None) for step in pipeline.steps)
    for contract in contracts:
        if isinstance(contract, Contract):
            check_columns(columns, contract)


def challenge(pipeline: Pipeline, step: Step, run: Run) -> Verdict:
    """Whether the rule of a step that publishes lets the model of a run take the champion's place.

    Args:
        pipeline: the definition, with the settings of the run.
        step: the one that publishes; what feeds it has finished.
        run: whose model it is.

    Raises:
        KilnworksError: the new model does not answer, or ``metric`` is none that its task has.
    """
    settings = getattr(step.config, "challenge", None)
    if not isinstance(settings, Challenge):
        return Verdict("off", True, "not compared with the champion: the definition does not want it")
    champion = champion_of(run)
    if champion is None:
        return Verdict("first", True, "there was no champion to compare with")
    if champion.run_id == run.run_id or same_model(step, run, run.store.run(run.pipeline, champion.run_id)):
        return Verdict("same model", True, "it is the champion's own model")
    found = known(pipeline, step, run)
    if found is not None and found.verdict != "unmeasured":
        return found
    against = {"run_id": champion.run_id, "version": champion.version}
    found = replace(_measured(settings, pipeline, step, run, champion), against=against)
    _keep(pipeline, step, run, champion, found)
    return found


def known(pipeline: Pipeline, step: Step, run: Run) -> Verdict | None:
    """What was found before, for the champion, the evaluation, the model and the settings of now; None if nothing."""
    path = run.path / FOLDER / f"{step.name}.json"
    run.store.pull(path.relative_to(run.store.root).as_posix())
    champion = champion_of(run)
    if champion is None or not path.is_file():
        return None
    content = read_json(path)
    return Verdict(**content["details"]) if content["key"] == _key(pipeline, step, run, champion) else None


def challenged_step(pipeline: Pipeline, run: Run) -> Step | None:
    """The step that would publish the model of a run, where that is made and is to be compared with a champion."""
    steps = [step for step in pipeline.steps if asks_models(step)]
    ready = [s for s in steps if all(run.manifest(name) is not None for name in s.upstream())]
    return ready[-1] if ready and champion_of(run) is not None else None


def gate(step: Step, run: Run, found: Verdict) -> DecisionRecord:
    """The decision record of a verdict."""
    return DecisionRecord(
        gate="challenge",
        passed=found.live,
        rule=rule_words(found.rule, found.metric, found.margin, found.level),
        reason=_against(found),
        next_action="" if found.live else f"kilnworks promote {run.pipeline} --run {run.run_id}",
        details=found.record(),
    )


def same_model(step: Step, run: Run, theirs: Run) -> bool:
    """Whether two runs publish the same artifacts."""
    pairs = [(run.manifest(name), theirs.manifest(name)) for name in step.upstream()]
    return bool(pairs) and all(a and b and a["fingerprint"] == b["fingerprint"] for a, b in pairs)


def _against(found: Verdict) -> str:
    """The line, with the champion's version and run."""
    if found.against is None:
        return found.text
    return f"{found.text}; the champion is version {found.against['version']} of run {found.against['run_id']}"


def _measured(settings: Challenge, pipeline: Pipeline, step: Step, run: Run, champion: ChampionRecord) -> Verdict:
    from kilnworks.components.challenging.both import challenged

    evaluation = evaluation_of(pipeline, run)
    if evaluation is None:
        return unmeasured(settings, "the run has no evaluation, and so no rows to compare on")
    given = [*inputs_of(step, run)[0].values(), *inputs_of(evaluation, run)[0].values()]
    servables = [artifact for artifact in given if isinstance(artifact, Servable)]
    examples = [artifact for artifact in given if isinstance(artifact, CheckedExamples)]
    if not servables or not examples:
        return unmeasured(settings, "the run has no served model, or no checked rows")
    split = str(getattr(evaluation.config, "split", "test"))
    seen = may_have_seen(evaluation, run, run.store.run(run.pipeline, champion.run_id), split)
    if seen:
        return unmeasured(settings, seen)
    if run.store.remote is not None:
        Deployment.fetch_outside(run.store.remote, run.pipeline)
    judged = evaluation.config if isinstance(evaluation.config, JudgeSettings) else JudgeSettings()
    return challenged(settings, judged, examples[-1], split, Path(champion.path), servables[0].saved_model)


def _keep(pipeline: Pipeline, step: Step, run: Run, champion: ChampionRecord, found: Verdict) -> None:
    path = run.path / FOLDER / f"{step.name}.json"
    content = {"key": _key(pipeline, step, run, champion), **gate(step, run, found).record()}
    write_json(path, content, durable=True)
    run.store.push(path.relative_to(run.store.root).as_posix())


def _key(pipeline: Pipeline, step: Step, run: Run, champion: ChampionRecord) -> dict[str, Any]:
    """What a verdict holds for."""
    evaluation = evaluation_of(pipeline, run)
    return {
        "champion": {"run_id": champion.run_id, "version": champion.version},
        "evaluation": "" if evaluation is None else fingerprint(run, evaluation),
        "given": {name: str((run.manifest(name) or {}).get("fingerprint", "")) for name in step.upstream()},
        "settings": step.config.model_dump(mode="json").get("challenge"),
    }
