"""deploy: publish a checked SavedModel where a model server takes it up, and move the champion to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.deploying.availability import wait_available
from kilnworks.components.deploying.publish import clean, publish, withdraw
from kilnworks.components.deploying.retention import labelled, surplus
from kilnworks.components.deploying.settings import Publishing
from kilnworks.components.deploying.versions import locked, reserve
from kilnworks.schemas.artifacts import Deployment, Servable
from kilnworks.schemas.champion import ChampionRecord, Decided, champion_path, read_champion, write_champion
from kilnworks.schemas.context import Progress, RunContext
from kilnworks.schemas.decision import Comparand, DecisionRecord
from kilnworks.schemas.errors import DeployFailed, ServerUnavailable, StoreError
from kilnworks.schemas.files import read_json, write_json
from kilnworks.schemas.published import LOCK, champions

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class DeployConfig(Publishing):
    """Where a model is published and what has to be true before it is the champion."""

    model: str | None = Field(default=None, pattern=NAME)
    """Name of the served model; the name of the pipeline by default."""
    base_path: Path | None = None
    """Directory that holds the versions; ``STORE/serving/<model>`` by default."""
    challenge: Challenge | None = Challenge()
    """What a new model has to show against the champion, on the same rows; None: nothing."""


def deploy(config: DeployConfig, servable: Servable, out: Path, context: RunContext) -> Deployment:
    """Publish, wait for the server, delete what is too old, move the champion; in this order.

    A version number is never used twice and a version never changed. Where the server does not have the new version
    AVAILABLE in time it is withdrawn and the champion stays. Killed at any point, this leaves whole versions only.

    Raises:
        StepSkipped: meanwhile something newer has gone live; nothing was published.
        DeployFailed: the version did not become AVAILABLE, or another deployment held the base path too long.
        StoreError: the base path cannot be written or the disk is full; nothing was published.
    """
    model = config.model or context.pipeline
    base = (config.base_path or context.store / "serving" / model).resolve()
    with _writing(base):
        base.mkdir(parents=True, exist_ok=True)
        (base / LOCK).touch()
    with locked(base, config.lock_seconds):
        with _writing(base):
            clean(base)
            decided = context.decide()
            version = reserve(
                base, {"pipeline": context.pipeline, "run_id": context.run_id, "store": str(context.store)}
            )
            publish(servable.saved_model, base, version)
        try:
            _promote(config, servable, out, context, model, base, version, decided)
        except BaseException:
            if version not in champions(context.store, base):
                withdraw(base, version)
            raise
    return Deployment(out)


@contextmanager
def _writing(base: Path) -> Iterator[None]:
    """Say what to do where the base path cannot be written."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot publish under {base}: {error.strerror or error}",
            "a directory that can be written, with room for the model",
            "correct its permissions or free some space; the champion has not changed",
        ) from error


def _promote(
    config: DeployConfig,
    servable: Servable,
    out: Path,
    context: RunContext,
    model: str,
    base: Path,
    version: int,
    decided: Decided,
) -> None:
    """From a published version to the champion: wait, delete what is too old, write the record, move the pointer."""
    checks = _await_server(config, servable, out, context, model, version)
    retention = _retire(config, context, base, model)
    path = str(base / str(version))
    pointer = str(champion_path(context.store, context.pipeline))
    description = {
        "model": model,
        "version": version,
        "path": path,
        "champion": pointer,
        "store": str(context.store),
        "previous": _previous(context),
    }
    write_json(out / "deployment.json", description)
    facts = {
        **description,
        "retention": retention,
        "metrics": servable.description.get("metrics", {}),
        "challenge": decided.challenge,
    }
    _decision(config, servable, context, checks, _reason(context, description, decided), facts).write(out)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    record = ChampionRecord(context.pipeline, context.run_id, model, version, path, since, str(context.store))
    write_champion(context.store, record, decided)


def _await_server(
    config: DeployConfig, servable: Servable, out: Path, context: RunContext, model: str, version: int
) -> tuple[Comparand, ...]:
    """Wait until the server has the version AVAILABLE. Raises ``DeployFailed``, its decision record written."""
    if config.server is None:
        return ()
    name = f"state of {model} version {version} at {config.server}"
    context.progress(Progress(0, None, f"waiting for {config.server}"))
    try:
        wait_available(config, model, version)
    except DeployFailed as error:
        state = str(error.details["state"])
        check = Comparand(name=name, measured=None, comparison="is", wanted="AVAILABLE", passed=False, note=state)
        _decision(config, servable, context, (check,), "", {"error": error.record()}).write(out)
        raise
    return (Comparand(name=name, measured="AVAILABLE", comparison="is", wanted="AVAILABLE", passed=True),)


def _previous(context: RunContext) -> dict[str, Any] | None:
    """The champion until now."""
    if not champion_path(context.store, context.pipeline).is_file():
        return None
    return asdict(read_champion(context.store, context.pipeline))


def _reason(context: RunContext, description: dict[str, Any], decided: Decided) -> str:
    """What is the champion now, and what was before."""
    previous = description["previous"]
    instead = f"in place of version {previous['version']} (run {previous['run_id']})" if previous else "the first one"
    version = f"version {description['version']} of {description['model']} (run {context.run_id})"
    compared = f"; {decided.challenge['text']}" if previous and decided.challenge else ""
    return f"{version} is the champion, {instead}; decided by {decided.by}: {decided.reason}{compared}"


def _retire(config: DeployConfig, context: RunContext, base: Path, model: str) -> dict[str, Any]:
    """Delete versions that are too old. What stands in the way is recorded: it is no reason not to deploy."""
    removed: list[int] = []
    try:
        protected = champions(context.store, base)
        if config.server is not None:
            protected |= labelled(config.server, model, config.labels)
        for version in surplus(base, config.keep, protected):
            withdraw(base, version)
            removed.append(version)
    except (OSError, ServerUnavailable) as error:
        return {"removed": removed, "problem": str(error)}
    return {"removed": removed, "problem": None}


def _decision(
    config: DeployConfig,
    servable: Servable,
    context: RunContext,
    checks: tuple[Comparand, ...],
    reason: str,
    details: dict[str, Any],
) -> DecisionRecord:
    """What was deployed, from which run, and why."""
    passed = all(check.passed for check in checks)
    server = f"the server at {config.server} has it AVAILABLE" if config.server else "it is published whole"
    manifest = servable.path / "manifest.json"
    return DecisionRecord(
        gate="deployment",
        passed=passed,
        rule=f"a version becomes the champion once its gates are open and {server}",
        checks=checks,
        reason=reason,
        next_action="" if passed else "look at the server's log, then run the step again",
        inputs={"servable": str(read_json(manifest)["fingerprint"])} if manifest.is_file() else {},
        details={"pipeline": context.pipeline, "run_id": context.run_id, **details},
    )
