"""What a store says of a pipeline, as numbers: its runs, its data, drift, and the model that is live."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from kilnworks.components.quality.expectations.history import RunQuality, run_quality
from kilnworks.components.reporting.reading import RunRecord, read_object, read_run
from kilnworks.components.reporting.summary import metric_values
from kilnworks.schemas.json_values import as_dict, as_list, as_number

OUTCOMES = ("done", "skipped", "failed", "running", "unfinished", "empty")
"""What a run may have come to, see ``RunRecord.outcome``."""
DRIFT_FILE = "drift.json"


@dataclass(frozen=True)
class RunFacts:
    """One run.

    Attributes:
        run_id: its name.
        outcome: one of ``OUTCOMES``.
        started: when it began, in seconds since 1970; None where that is not known.
        ended: when the last of its steps ended; None while none has.
        seconds: wall time of its steps together.
        metrics: of its evaluation; empty where it has none.
        quality: what it said of its data; None where it did not come to that.
        drift: the comparisons that it made.
    """

    run_id: str
    outcome: str
    started: float | None
    ended: float | None
    seconds: float
    metrics: Mapping[str, float]
    quality: RunQuality | None
    drift: "tuple[DriftFacts, ...]"


@dataclass(frozen=True)
class DriftFacts:
    """One comparison of two sets of rows.

    Attributes:
        new, reference: what the two are called, e.g. ``requests`` and ``train of the baseline``.
        checked: when it was made, in seconds since 1970.
        scores: by feature, its worst statistic as a multiple of the threshold; it has moved from 1 on.
        moved: features beyond a threshold.
        auc: how well a small model tells the two apart, 0.5 to 1; None where none has tried.
    """

    new: str
    reference: str
    checked: float | None
    scores: Mapping[str, float]
    moved: int
    auc: float | None


@dataclass(frozen=True)
class ChampionFacts:
    """The live model.

    Attributes:
        model, version, run_id: which one it is.
        since: when it went live, in seconds since 1970.
        trained: when the run began that made it, which read its data; None where that run is gone.
        metrics: as that run measured them.
    """

    model: str
    version: int
    run_id: str
    since: float | None
    trained: float | None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PipelineFacts:
    """One pipeline of a store.

    Attributes:
        name: of the pipeline.
        outcomes: how many of the runs that were looked at came to what.
        newest: the run that began last.
        succeeded: when the last run that was done through to its end had ended, in seconds since 1970.
        metrics: of the newest run that measured its model.
        quality: what the newest run that checked its data said of them.
        drift: the newest comparisons.
        champion: the live model.
    """

    name: str
    outcomes: Mapping[str, int]
    newest: RunFacts | None = None
    succeeded: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    quality: RunQuality | None = None
    drift: Sequence[DriftFacts] = ()
    champion: ChampionFacts | None = None


def pipeline_facts(pipeline: str, runs: Sequence[Path], pointer: Path, made: Path | None = None) -> PipelineFacts:
    """The facts of one pipeline. A file that is half there or damaged is left out; nothing is raised for that.

    Args:
        pipeline: its name.
        runs: folders of its runs, the newest first.
        pointer: file that names its live model; one that is not there names none.
        made: folder of the run that made the live model, which may be none of ``runs``; it may be gone.
    """
    facts = [run_facts(path) for path in runs]
    return PipelineFacts(
        pipeline,
        Counter(run.outcome for run in facts),
        facts[0] if facts else None,
        next((run.ended for run in facts if run.outcome == "done"), None),
        next((run.metrics for run in facts if run.metrics), {}),
        next((run.quality for run in facts if run.quality is not None), None),
        next((run.drift for run in facts if run.drift), ()),
        _champion(read_object(pointer), run_facts(made) if made is not None else None),
    )


def run_facts(path: Path) -> RunFacts:
    """One run as numbers; read again only where it has changed, which costs three looks at the file system."""
    return _read(path, tuple(_changed(place) for place in (path, path / "run.json", path / "outcomes")))


@lru_cache(maxsize=4096)
def _read(path: Path, _: tuple[int, ...]) -> RunFacts:
    run = read_run(path)
    ends = [moment(step.record.get("at")) for step in run.steps]
    return RunFacts(
        str(run.run.get("run_id") or path.name),
        run.outcome,
        moment(run.run.get("started")),
        max((end for end in ends if end is not None), default=None),
        run.seconds,
        metric_values(run),
        run_quality(path),
        drift_facts(run),
    )


def _changed(path: Path) -> int:
    """When a file was last replaced, or the list of a folder's files changed; 0 where there is none.

    Whoever writes to a store replaces files by a rename, so the folder around one that has changed has changed, too.
    """
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def drift_facts(run: RunRecord) -> tuple[DriftFacts, ...]:
    """The comparisons of the last step of a run that made any."""
    for step, path in run.holding(DRIFT_FILE):
        compared = as_list(read_object(path).get("comparisons"))
        return tuple(_comparison(as_dict(one), moment(step.record.get("at"))) for one in compared)
    return ()


def moment(text: Any) -> float | None:
    """An ISO 8601 text in seconds since 1970-01-01 UTC; without an offset UTC is meant. None where it is none.

    >>> moment("2026-01-01T00:00:00+00:00"), moment("soon")
    (1767225600.0, None)
    """
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _comparison(found: Mapping[str, Any], checked: float | None) -> DriftFacts:
    features = map(as_dict, as_list(found.get("features")))
    scores = {str(one.get("feature")): as_number(one.get("score")) for one in features}
    return DriftFacts(
        str(found.get("new") or ""),
        str(found.get("reference") or ""),
        checked,
        {name: score for name, score in scores.items() if score is not None},
        len(as_list(found.get("drifted"))),
        as_number(as_dict(found.get("domain")).get("auc")),
    )


def _champion(pointer: Mapping[str, Any], made: RunFacts | None) -> ChampionFacts | None:
    """The live model; None where the pointer names none."""
    version = as_number(pointer.get("version"))
    if version is None:
        return None
    return ChampionFacts(
        str(pointer.get("model") or ""),
        int(version),
        str(pointer.get("run_id") or ""),
        moment(pointer.get("since")),
        made.started if made is not None else None,
        made.metrics if made is not None else {},
    )
