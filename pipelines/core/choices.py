"""What a person can choose to make live: runs to promote and versions to go back to, each with a line about it.

For a form, so it only looks at what lies on this host, and leaves out what cannot be read.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kilnworks.components.reporting.summary import run_summary
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.store import Run, Store
from kilnworks.schemas.artifacts import Deployment
from kilnworks.schemas.champion import ChampionRecord, moves, read_champion
from kilnworks.schemas.errors import KilnworksError, UnknownName
from kilnworks.schemas.published import ledger, published

NEWEST = 20
"""Most choices."""
LOOKED_AT = 100
"""Most runs that are looked at: the newest."""
METRICS = 2
"""Most metrics in a line."""
LOG = logging.getLogger(__name__)


def promotable(pipeline: Pipeline, store: Store) -> dict[str, str]:
    """Run id -> a line: the newest runs that have all that the deployment takes, but for the one that is live."""
    found: dict[str, str] = {}
    for run in _newest(pipeline.name, store):
        line = _about(pipeline, run)
        if line is not None:
            found[run.run_id] = line
        if len(found) == NEWEST:
            break
    return found


def earlier_versions(pipeline: Pipeline, store: Store) -> dict[int, str]:
    """Version -> a line: the newest that are still published, but for the one that is live."""
    try:
        champion = read_champion(store.root, pipeline.name)
        makers = _makers(champion, store)
        base = Path(champion.path).parent
        versions = [v for v in reversed(published(base)) if v in makers and v != champion.version]
    except UnknownName:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        LOG.warning("the versions of %s cannot be read: %s", pipeline.name, error)
        return {}
    return {version: f"version {version} of run {makers[version]}" for version in versions[:NEWEST]}


def _newest(pipeline: str, store: Store) -> Iterator[Run]:
    try:
        yield from reversed(Store(store.root).runs(pipeline)[-LOOKED_AT:])
    except (OSError, ValueError, KeyError, TypeError) as error:
        LOG.warning("the runs of %s cannot be read: %s", pipeline, error)


def _about(pipeline: Pipeline, run: Run) -> str | None:
    """A line about a run; None where its model cannot be promoted, or is live."""
    wanted = {name for step in pipeline.steps if _publishes(step.signature.result) for name in step.upstream()}
    try:
        if not wanted or any(run.manifest(name) is None for name in wanted):
            return None
        summary = run_summary(run.path)
    except (OSError, ValueError, KeyError, TypeError, KilnworksError) as error:
        LOG.warning("run %s of %s cannot be read: %s", run.run_id, pipeline.name, error)
        return None
    return None if summary["champion"] else _line(run.run_id, summary)


def _publishes(result: type) -> bool:
    return issubclass(result, Deployment)


def _line(run_id: str, summary: Mapping[str, Any]) -> str:
    metrics = [f"{name} {value:.4f}" for name, value in list(summary["metrics"].items())[:METRICS]]
    version = [] if summary["version"] is None else [f"was version {summary['version']}"]
    started = f"{summary['started'][:16].replace('T', ' ')} UTC"
    return ", ".join([started, *metrics, *version, run_id])


def _makers(champion: ChampionRecord, store: Store) -> dict[int, str]:
    """Version -> the run that made it, of this pipeline alone."""
    entries = [e for e in ledger(Path(champion.path).parent)["published"] if e["pipeline"] == champion.pipeline]
    return {int(e["version"]): str(e["run_id"]) for e in [*entries, *moves(store.root, champion.pipeline)]}
