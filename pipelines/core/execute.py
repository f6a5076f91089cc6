"""The one way a step is ever run. The local runner loops over it; an orchestrator calls it a step at a time.

::

    for each step, inputs first:
        inputs      = finished artifacts of this run, of the champion's, or of the latest      StoreError, UnknownName
        fingerprint = hash(code, libraries, config, fingerprints of inputs)
        hold the lock of that fingerprint:
            an earlier artifact of the same fingerprint, whole?      -> link it here            cached
            component(config, inputs, scratch) -> manifest -> rename                            done
            StepSkipped  -> keep what it wrote, skip all that hangs on it                       skipped
            other errors -> keep what it wrote, stop                                            failed
"""

import resource
import time
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

from kilnworks.pipelines.core.cache import FORMAT, step_code, step_fingerprint
from kilnworks.pipelines.core.events import Listener, Status, StepEvent, nobody
from kilnworks.pipelines.core.gates import skip_blocked
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.inputs import inputs_of, translate
from kilnworks.pipelines.core.made_again import why_again
from kilnworks.pipelines.core.os_errors import explained
from kilnworks.pipelines.core.owner import require_owner
from kilnworks.pipelines.core.promotion import permit
from kilnworks.pipelines.core.store import Run, locked
from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.closure.remembered import remembered_imports
from kilnworks.schemas.collecting import without_collection
from kilnworks.schemas.context import Progress, RunContext
from kilnworks.schemas.defaults import not_default
from kilnworks.schemas.errors import KilnworksError, StepFailed, StepSkipped, StoreError
from kilnworks.schemas.masking import masked_tree


def run_step(
    pipeline: Pipeline,
    name: str,
    run: Run,
    *,
    fresh: bool = False,
    only_cached: bool = False,
    listener: Listener = nobody,
) -> Status:
    """Make the artifact of one step in ``run``, or take an equal one that exists.

    Args:
        pipeline: the definition, already configured.
        name: the step.
        run: where the result belongs; the inputs of the step have finished there.
        fresh: make it again even where an equal artifact exists.
        only_cached: take an equal artifact, or fail; never run the component.
        listener: told of every change.

    Returns:
        ``"done"`` or ``"cached"``.

    Raises:
        StepSkipped: the step closed a gate.
        KilnworksError: the step failed; an unforeseen error arrives as ``StepFailed`` with its cause.
    """
    step = pipeline[name]
    attempt = _Attempt(run, step, listener)
    try:
        with explained(run.store.root):
            return _make_or_take(pipeline, step, run, attempt, fresh, only_cached)
    except StepSkipped as error:
        attempt.ended("skipped", error)
        raise
    except KilnworksError as error:
        attempt.ended("failed", error)
        raise
    except KeyboardInterrupt:
        attempt.ended("failed", StepFailed("interrupted", "the step to finish", "run the same command again to resume"))
        raise
    except SystemExit:
        raise
    except BaseException as error:  # a panic of Polars is no Exception
        foreseen = translate(error, step)
        attempt.ended("failed", foreseen)
        raise foreseen from error


def run_all(
    pipeline: Pipeline,
    run: Run,
    *,
    fresh: bool = False,
    selected: Collection[str] | None = None,
    listener: Listener = nobody,
) -> dict[str, Status]:
    """Run every step in order, here.

    Args:
        pipeline: the definition, already configured.
        run: where the results belong.
        fresh: make the selected steps again even where equal artifacts exist.
        selected: names of the steps to run, all by default. Steps that these need and that are not selected
            are taken from this run or from the cache.
        listener: told of every change.

    Returns:
        Step name -> how it ended; steps not reached are absent.

    Raises:
        KilnworksError: the first failure; what had finished stays finished.
    """
    chosen = {s.name for s in pipeline.steps} if selected is None else set(selected)
    needed = set().union(*(pipeline.between(None, name) for name in chosen)) if chosen else set()
    for name in chosen:
        if pipeline[name].signature.result.outside:
            require_owner(run.store, f"{name} of {pipeline.name}")
    return _run_each(pipeline, run, needed, taken=needed - chosen, fresh=fresh, listener=listener)


def run_together(
    pipeline: Pipeline, names: Collection[str], run: Run, *, fresh: bool = False, listener: Listener = nobody
) -> dict[str, Status]:
    """Run the named steps in this process, one or several, so that heavy libraries are imported once.

    This is what a task of an orchestrator calls. What the steps need has ended in ``run`` before.

    Args:
        pipeline: the definition, already configured.
        names: steps of it, in any order.
        run: where the results belong.
        fresh: make them again even where equal artifacts exist.
        listener: told of every change.

    Returns:
        Step name -> how it ended.

    Raises:
        UnknownName: no such step; nothing has run.
        KilnworksError: the first failure; what had finished stays finished and is taken from there next time.
    """
    return _run_each(pipeline, run, {pipeline[name].name for name in names}, fresh=fresh, listener=listener)


def _run_each(
    pipeline: Pipeline,
    run: Run,
    names: Collection[str],
    *,
    fresh: bool,
    listener: Listener,
    taken: Collection[str] = (),
) -> dict[str, Status]:
    """The one loop over steps, in the order of the pipeline; those in ``taken`` must exist and are never made."""
    remember_code(pipeline, names, run.store.root)
    outcome: dict[str, Status] = {}
    for step in pipeline.steps:
        if step.name not in names:
            continue
        outcome[step.name] = "skipped"
        how = {"only_cached": True} if step.name in taken else {"fresh": fresh}
        with suppress(StepSkipped):
            if not skip_blocked(pipeline, step.name, run, listener):
                outcome[step.name] = run_step(pipeline, step.name, run, listener=listener, **how)
    return outcome


def remember_code(pipeline: Pipeline, names: Collection[str], store: Path) -> None:
    """Look at the code of the steps now: what somebody edits while they run belongs to the next run."""
    with without_collection(), remembered_imports(store / "imports.json"):  # syntax trees are many small objects
        for name in names:
            step_code(pipeline[name].run, pipeline[name].config)


def _make_or_take(
    pipeline: Pipeline, step: Step, run: Run, attempt: "_Attempt", fresh: bool, only_cached: bool
) -> Status:
    attempt.started()
    inputs, lineage = inputs_of(step, run)
    fingerprint = step_fingerprint(step.run, step.config, {p: i["fingerprint"] for p, i in lineage.items()})
    kind = step.signature.result
    if run.store.remote is not None:
        kind.fetch_outside(run.store.remote, run.pipeline)
    with locked(run.store.root / "locks" / fingerprint[:32]), locked(run.path / f".{step.name}.lock"):
        if not fresh:
            found = _finished_here(run, step, fingerprint, kind) or _made_before(run, fingerprint, kind)
            if found is not None:
                origin = found.path.parent.name
                run.link(step.name, found)
                attempt.ended("cached", origin=origin)
                return "cached"
        if only_cached:
            raise StoreError(
                f"step {step.name!r} has no finished artifact for these settings",
                "one in this run or in the cache",
                "leave out --from, or choose an earlier step",
            )
        if not fresh:
            attempt.why = why_again(run, step.name, step.config, step_code(step.run, step.config), lineage)
        _make(pipeline, step, run, attempt, inputs, lineage, fingerprint)
        return "done"


def _made_before(run: Run, fingerprint: str, kind: type[Artifact]) -> Artifact | None:
    """The artifact of another run with that fingerprint; what changes something outside counts for its pipeline alone.

    Two pipelines may publish equal models: each has a champion of its own.
    """
    found = run.store.lookup(fingerprint, kind)
    return None if found is not None and kind.outside and found.path.parents[1] != run.path.parent else found


def _make(
    pipeline: Pipeline,
    step: Step,
    run: Run,
    attempt: "_Attempt",
    inputs: dict[str, Artifact],
    lineage: dict[str, Any],
    fingerprint: str,
) -> None:
    work, code = run.store.work(fingerprint), step_code(step.run, step.config)
    if step.signature.result.outside:
        require_owner(run.store, f"{step.name} of {run.pipeline}")
    with run.scratch(step.name) as scratch:
        decide = partial(permit, pipeline, step, run, scratch)
        context = RunContext(run.store.root, run.pipeline, run.run_id, step.name, work, attempt.progressed, decide)
        cpu = time.process_time()
        try:
            decide()
            made = step.run(
                step.config, **inputs, out=scratch, **({"context": context} if step.signature.wants_context else {})
            )
        except StepSkipped as error:
            run.keep(step.name, scratch, "skipped", error.record())
            raise
        except Exception as error:
            with suppress(OSError):
                run.keep(step.name, scratch, "failed", translate(error, step).record())
            raise
        manifest = {
            "kind": type(made).__name__,
            "pipeline": run.pipeline,
            "run_id": run.run_id,
            "step": step.name,
            "component": step.component,
            "config": step.config.without_secrets(),
            "not_default": not_default(step.config),
            "inputs": lineage,
            "fingerprint": fingerprint,
            "format": FORMAT,
            "code": code.digest,
            "libraries": dict(code.libraries),
            "names": masked_tree(code.names),
            "seconds": round(attempt.seconds(), 4),
            "cpu_seconds": round(time.process_time() - cpu, 4),
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }
        run.publish(step.name, scratch, manifest)
    if run.store.remote is not None:
        type(made)(run.step_path(step.name)).send_outside(run.store.remote, run.pipeline)
    rmtree(work, ignore_errors=True)
    attempt.ended("done")


def _finished_here(run: Run, step: Step, fingerprint: str, kind: type[Artifact]) -> Artifact | None:
    """The artifact that this run already holds for the step, if it is the one wanted and whole."""
    manifest = run.manifest(step.name)
    if manifest is None or manifest["fingerprint"] != fingerprint:
        return None
    try:
        artifact = run.load(step.name, kind)
    except StoreError:
        return None
    return artifact if artifact.problem() is None else None


class _Attempt:
    """One try at one step: keeps its time, writes its outcome, tells the listener."""

    def __init__(self, run: Run, step: Step, listener: Listener) -> None:
        self._run, self._step, self._listener = run, step, listener
        self._begun = time.monotonic()
        self._last_written = 0.0
        self.why = ""
        """Why the step is made although it was made before."""

    def seconds(self) -> float:
        """Wall time since the attempt began."""
        return time.monotonic() - self._begun

    def started(self) -> None:
        """The step begins."""
        self._run.record(self._step.name, "running", seconds=0.0)
        self._listener(StepEvent(self._step.name, "running"))

    def progressed(self, progress: Progress) -> None:
        """The step has come further; written to disk at most once a second."""
        self._listener(StepEvent(self._step.name, "running", progress, self.seconds()))
        if time.monotonic() - self._last_written >= 1.0:
            self._last_written = time.monotonic()
            ahead = {} if progress.left is None else {"worked": progress.worked, "left": progress.left}
            values = {"done": progress.done, "total": progress.total, "note": progress.note, **ahead}
            self._run.record(self._step.name, "running", seconds=round(self.seconds(), 2), progress=values)

    def ended(self, status: Status, error: KilnworksError | None = None, origin: str | None = None) -> None:
        """The step ends; a store that takes no more writing does not hide the error that ended it."""
        seconds = round(self.seconds(), 4)
        reason = error.got if error else (f"from run {origin}" if origin else self.why)
        with suppress(OSError):
            self._run.record(
                self._step.name,
                status,
                seconds=seconds,
                reason=reason,
                error=error.record() if error else None,
                cached_from=origin,
            )
        self._listener(StepEvent(self._step.name, status, None, seconds, reason))


def artifact_path(run: Run, step: str) -> Path:
    """Where a reader finds what a step left: the finished artifact, or what a failed or skipped one kept."""
    for path in (run.step_path(step), run.path / f"{step}.failed", run.path / f"{step}.skipped"):
        if path.is_dir():
            return path
    return run.step_path(step)
