"""Quality over the last runs: what is missing and what breaks rules, this run at the end."""

from typing import Any

from kilnworks.components.charts.sparkline import sparkline
from kilnworks.components.quality.expectations.history import RunQuality, earlier_runs, quality_of, worst_failed
from kilnworks.components.reporting.reading import RunRecord

COLUMNS = 60


def history(run: RunRecord) -> dict[str, Any] | None:
    """By column, missing and failed shares of the last runs; None where no earlier run has checked its data."""
    checked = next((path.parent for _, path in run.holding("validation.json")), None)
    now = quality_of(run.path.name, checked) if checked else None
    if now is None:
        return None
    runs = [*earlier_runs(run.path.parent, run.path.name), now]
    if len(runs) < 2:
        return None
    names = [one.run_id for one in runs]
    known = dict.fromkeys([*now.missing, *(column for column, _, _ in now.failed if column)])
    rows = [_row(column, runs, names) for column in known]
    changed = [row for row in rows if row["moved"]]
    whole = [run.broken / max(1, len(run.failed)) for run in runs]
    return {
        "runs": len(runs),
        "broken": sparkline(whole, names, "rules that are broken"),
        "broken_now": f"{now.broken} of {len(now.failed)}",
        "aside": sparkline([one.aside for one in runs], names, "bad rows") if any(one.aside for one in runs) else "",
        "rows": changed[:COLUMNS],
        "steady": len(rows) - len(changed),
    }


def _row(column: str, runs: list[RunQuality], names: list[str]) -> dict[str, Any]:
    missing, failed = [one.missing.get(column) for one in runs], worst_failed(runs, column)
    return {
        "name": column,
        "missing": sparkline(missing, names, f"missing in {column}"),
        "failed": sparkline(failed, names, f"rows of {column} that break a rule"),
        "missing_now": "" if missing[-1] is None else f"{missing[-1]:.2%}",
        "failed_now": "" if failed[-1] is None else f"{failed[-1]:.2%}",
        "worse": bool(failed[-1] and failed[-1] > max((f for f in failed[:-1] if f is not None), default=0)),
        "moved": any(failed) or len({m for m in missing if m is not None}) > 1,
    }
