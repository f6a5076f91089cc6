"""The champion measured by a run's own evaluation: the same component, settings and rows, only the model is another.

What is found lies in the run as ``comparison.json``::

    {"step", "fingerprint": of the run's evaluation, "champion": {"run_id", "version"}, "metrics": {name: {...}}}
"""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kilnworks.pipelines.core.challenge import challenge, challenged_step, known
from kilnworks.pipelines.core.evaluated import champion_of, evaluated, evaluation_of, fingerprint
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.inputs import inputs_of, translate
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.artifacts import Evaluation, Model
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.errors import StepSkipped, StoreError, UnknownName
from kilnworks.schemas.files import read_json, write_json

FILE = "comparison.json"


def compare(pipeline: Pipeline, run: Run) -> dict[str, Any]:
    """Measure the champion on the rows that the model of ``run`` was measured on, and keep the result in the run.

    Args:
        pipeline: the definition with the settings of the run.
        run: its evaluation must have finished.

    Raises:
        StoreError: the run has no evaluation; the champion's run has no model.
        UnknownName: there is no champion.
        KilnworksError: the champion cannot be measured on these rows, e.g. because they have other columns.
    """
    step = evaluation_of(pipeline, run)
    if step is None:
        raise StoreError(
            f"run {run.run_id} of {run.pipeline} has no evaluation",
            "a run whose evaluation has finished",
            f"kilnworks run {run.pipeline} --run-id {run.run_id}",
        )
    champion = champion_of(run)
    if champion is None:
        raise UnknownName("champion of pipeline", run.pipeline, [])
    theirs = run.store.run(run.pipeline, champion.run_id)
    alike = _measured_alike(step, run, theirs)
    metrics = evaluated(theirs, step) if alike else _measure(step, run, theirs)
    record = {
        "step": step.name,
        "fingerprint": fingerprint(run, step),
        "champion": {"run_id": champion.run_id, "version": champion.version},
        "metrics": metrics,
    }
    write_json(run.path / FILE, record, durable=True)
    run.store.push((run.path / FILE).relative_to(run.store.root).as_posix())
    return record


def compare_and_challenge(pipeline: Pipeline, run: Run) -> None:
    """Make the challenge of the champion, where the definition has one, and ``compare``. Raises as both."""
    step = challenged_step(pipeline, run)
    if step is not None:
        challenge(pipeline, step, run)
    compare(pipeline, run)


def on_same_rows(pipeline: Pipeline, run: Run) -> dict[str, Any] | None:
    """The champion's metrics on the rows of the run's evaluation.

    None where nothing was evaluated or is live, or where this champion was not measured for this evaluation.
    """
    step, champion = evaluation_of(pipeline, run), champion_of(run)
    if step is None or champion is None:
        return None
    theirs = run.store.run(run.pipeline, champion.run_id)
    if _measured_alike(step, run, theirs):
        return evaluated(theirs, step)
    run.store.pull((run.path / FILE).relative_to(run.store.root).as_posix())
    if not (run.path / FILE).is_file():
        return None
    record = read_json(run.path / FILE)
    now = {"run_id": champion.run_id, "version": champion.version}
    current = (record["fingerprint"], record["champion"]) == (fingerprint(run, step), now)
    return dict(record["metrics"]) if current else None


def unmeasured(pipeline: Pipeline, run: Run) -> bool:
    """Whether there is a champion to measure for a run, and ``compare_and_challenge`` has not done so."""
    there = evaluation_of(pipeline, run) is not None and champion_of(run) is not None
    step = challenged_step(pipeline, run)
    unchallenged = step is not None and known(pipeline, step, run) is None
    return there and (unchallenged or on_same_rows(pipeline, run) is None)


def _models(step: Step) -> dict[str, str]:
    """Parameter -> step of this pipeline, for the inputs that are the model."""
    kinds = step.signature.inputs
    return {p: source for p, source in step.inputs.items() if isinstance(source, str) and issubclass(kinds[p], Model)}


def _measured_alike(step: Step, run: Run, theirs: Run) -> bool:
    """Whether the champion's own evaluation was of the same rows, code and settings."""
    mine, other = run.manifest(step.name), theirs.manifest(step.name)
    if mine is None or other is None:
        return False
    models = _models(step)
    same = ("component", "config", "code")
    inputs = [
        {p: origin["fingerprint"] for p, origin in manifest["inputs"].items() if p not in models}
        for manifest in (mine, other)
    ]
    return all(mine.get(key) == other.get(key) for key in same) and inputs[0] == inputs[1]


def _measure(step: Step, run: Run, theirs: Run) -> dict[str, Any]:
    """The metrics of the champion's model in this run's evaluation; a gate that it would not pass closes nothing."""
    models = _models(step)
    if not models:
        raise StoreError(
            f"{step.component} takes no model", "an evaluation that is given one", "the champion's own figures stand"
        )
    inputs, _ = inputs_of(step, run)
    inputs |= {p: theirs.load(source, step.signature.inputs[p]) for p, source in models.items()}
    with TemporaryDirectory(prefix="kilnworks-compare-") as folder:
        out = Path(folder) / step.name
        out.mkdir()
        context = RunContext(run.store.root, run.pipeline, run.run_id, step.name, Path(folder) / "work")
        more = {"context": context} if step.signature.wants_context else {}
        try:
            with suppress(StepSkipped):
                step.run(step.config, **inputs, out=out, **more)
        except Exception as error:
            raise translate(error, step) from error
        return dict(Evaluation(out).results.get("metrics", {}))
