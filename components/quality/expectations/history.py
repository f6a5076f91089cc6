"""Is quality getting worse? Missing and failed shares of the runs before, read from their reports in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUNS = 12
"""Most runs that are looked at, the newest."""
FIRST_SPLIT = "train"


@dataclass(frozen=True)
class RunQuality:
    """What one run said of its data.

    Attributes:
        run_id: of the run.
        rows: over all splits; rows set aside left out.
        missing: by feature, share of the training split, 0 to 1.
        failed: by (column, rule, split), 0 where the rule holds, else the share of the rows that break it; 1 for a rule
            that is not about single rows.
        broken: rules that do not hold.
        aside: share of the rows that were bad, 0 to 1.
    """

    run_id: str
    rows: int
    missing: dict[str, float] = field(default_factory=dict)
    failed: dict[tuple[str, str, str], float] = field(default_factory=dict)
    broken: int = 0
    aside: float = 0.0


def earlier_runs(pipeline_dir: Path, run_id: str, limit: int = RUNS) -> list[RunQuality]:
    """Runs of a pipeline that began before ``run_id`` and checked their data, the oldest first.

    Args:
        pipeline_dir: ``STORE/runs/<pipeline>``.
        run_id: the run that looks back; runs that began after it do not count.
        limit: most runs.
    """
    now = _order(pipeline_dir / run_id)
    began = {p.parent: _order(p.parent) for p in pipeline_dir.glob("*/run.json") if p.parent.name != run_id}
    known = {path: at for path, at in began.items() if any(at)}
    earlier = sorted((path for path, at in known.items() if not any(now) or at <= now), key=lambda p: began[p])
    found: list[RunQuality] = []
    for path in reversed(earlier):
        quality = run_quality(path)
        if quality is not None:
            found.append(quality)
        if len(found) == limit:
            break
    return found[::-1]


def run_quality(run_dir: Path) -> RunQuality | None:
    """What a run, finished or failed, said of its data; None where it did not come to that."""
    step = next((p.parent for p in sorted(run_dir.glob("*/validation.json"))), None)
    return None if step is None else quality_of(run_dir.name, step)


def quality_of(run_id: str, checked: Path) -> RunQuality | None:
    """The same from the directory that holds ``validation.json`` and ``profile.json``."""
    report, profile = _read(checked / "validation.json"), _read(checked / "profile.json")
    if not report:
        return None
    outcomes = [o for o in report.get("outcomes") or () if isinstance(o, dict)]
    failed = {_key(o): _share(o) for o in outcomes}
    columns = (profile.get(FIRST_SPLIT) or next(iter(profile.values()), None) or {}).get("features") or {}
    missing = {n: float(c["missing_share"]) for n, c in columns.items() if c.get("missing_share") is not None}
    rows = sum(int(n) for n in (report.get("rows") or {}).values())
    broken = sum(not o.get("success") for o in outcomes)
    return RunQuality(run_id, rows, missing, failed, broken, float((report.get("quarantine") or {}).get("share") or 0))


def worst_failed(runs: Sequence[RunQuality], column: str) -> list[float | None]:
    """By run, the largest failed share of any rule of a column; None where the run knew none."""
    found = []
    for run in runs:
        shares = [share for (name, _, _), share in run.failed.items() if name == column]
        found.append(max(shares) if shares else None)
    return found


def _key(outcome: dict[str, Any]) -> tuple[str, str, str]:
    return str(outcome.get("column") or ""), str(outcome.get("text") or ""), str(outcome.get("split") or "")


def _share(outcome: dict[str, Any]) -> float:
    if outcome.get("success"):
        return 0.0
    return 1.0 if outcome.get("share") is None else float(outcome["share"])


def _order(run_dir: Path) -> tuple[int, str]:
    """What runs are ordered by, as in ``kilnworks.pipelines.core.store.order_of``; ``(0, "")`` where unknown."""
    record = _read(run_dir / "run.json")
    return int(record.get("number") or 0), str(record.get("started") or "")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
