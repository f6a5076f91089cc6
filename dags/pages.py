"""Pages of the plugin: what ran, what was decided and why. Plain HTML; Airflow frames it, no DAG is read for it."""

import datetime as dt
import html
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from components.reporting.summary import run_summary
from pipelines.core.records import newest_runs
from pipelines.core.store import Run, Store
from schemas.files import read_json

RUNS_SHOWN = 15
DECISIONS_SHOWN = 20
ALERTS_SHOWN = 20
ALERTS_OPEN = 5
"""How many alerts are seen without a click."""
LOOKED_AT = 200
"""Most decisions of a pipeline that are read."""

STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d9d4cc, #46413a); --dim: light-dark(#6b645a, #a79f93);
  --good: light-dark(#2f6b3a, #8fcf9a); --bad: light-dark(#a1322b, #f0938b); --wait: light-dark(#8a5a00, #e0b25a); }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; background: light-dark(#fff, #1b1917); }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 500; color: var(--dim) }
td, th { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
.done, .retrain { color: var(--good) } .failed { color: var(--bad) } .skipped, .wait { color: var(--wait) }
summary { cursor: pointer; color: var(--dim); padding: .35rem 0 }
.dim, .nothing { color: var(--dim) } td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
"""


def overview(store: Store, pipelines: Iterable[str]) -> str:
    """Every pipeline: its newest runs, and what was decided on new data."""
    parts = [f"<h2>{_text(name)}</h2>{_runs(store, name)}{_decisions(store, name)}" for name in pipelines]
    alerts = _alerts(store)
    return page("Pipelines", alerts + ("".join(parts) or "<p class=dim>No run yet.</p>"))


def waiting(pipeline: str, run_id: str) -> str:
    """A page for a run that has not begun; it loads itself again."""
    return page(pipeline, f"<p>Run <code>{_text(run_id)}</code> has not started a step yet.</p>", refresh_seconds=3)


def page(title: str, body: str, refresh_seconds: int = 0) -> str:
    """A whole page around ``body``, which is HTML already."""
    refresh = f"<meta http-equiv=refresh content={refresh_seconds}>" if refresh_seconds else ""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8>{refresh}<title>{_text(title)}</title>"
        f"<style>{STYLE}</style><body><h1>{_text(title)}</h1>{body}</body></html>"
    )


def report_path(run: Run) -> str:
    """Address of a run's report below the plugin."""
    return f"/kilnworks/files/{quote(run.pipeline)}/{quote(run.folder)}/report.html"


def _runs(store: Store, pipeline: str) -> str:
    with newest_runs(store, pipeline, RUNS_SHOWN) as newest:
        rows = "".join(_run_row(run, run_summary(run.path)) for run in newest)
    if not rows:
        return "<p class=dim>No run yet.</p>"
    return f"<table><tr><th>run<th>started<th>outcome<th>seconds<th>metrics<th>reason</tr>{rows}</table>"


def _run_row(run: Run, summary: Mapping[str, Any]) -> str:
    metrics = "  ".join(f"{name} {value:.4f}" for name, value in list(summary["metrics"].items())[:3])
    live = " <b>live</b>" if summary["champion"] else ""
    return (
        f"<tr><td><a href='{report_path(run)}'>{_text(run.run_id)}</a>{live}"
        f"<td class=number>{_text(summary['started'][:19])}<td class={summary['outcome']}>{summary['outcome']}"
        f"<td class=number>{summary['seconds']:.1f}<td class=number>{_text(metrics)}<td>{_text(summary['reason'])}</tr>"
    )


def _decisions(store: Store, pipeline: str) -> str:
    """The newest decision on retraining; those before it folded, equal ones in a row as one line."""
    records = _newest(store.root / "retraining" / pipeline / "decisions", LOOKED_AT)
    if not records:
        return ""
    lines = [_decision_row(list(alike)) for _, alike in groupby(records, lambda r: str(r["verdict"]))]
    return f"<h3>Decisions on new data</h3>{_folded(lines[:DECISIONS_SHOWN], 1, 'time<th>verdict<th>why')}"


def _decision_row(alike: list[dict[str, Any]]) -> str:
    """One line for decisions of the same verdict that follow one another, newest first: the newest, and how many."""
    newest, count = alike[0], len(alike)
    before = f" <span class=dim>({count} times since {_time(alike[-1]['at'])})</span>" if count > 1 else ""
    return (
        f"<tr><td class=number>{_time(newest['at'])}<td class={newest['verdict']}>{newest['verdict']}"
        f"<td>{_text(newest['headline'])}{before}</tr>"
    )


def _alerts(store: Store) -> str:
    records = _newest(store.root / "alerts", ALERTS_SHOWN)
    if not records:
        return ""
    lines = [
        f"<tr><td class=number>{_time(r['at'])}<td>{_run_link(r)}<td>{_text(r['kind'])}<td>{_text(r['text'])}</tr>"
        for r in records
    ]
    return f"<h2>Alerts</h2>{_folded(lines, ALERTS_OPEN, 'time<th>run<th>kind<th>what happened')}"


def _folded(rows: list[str], shown: int, head: str) -> str:
    """A table of the first rows; the others are seen by a click."""
    table = f"<table><tr><th>{head}</tr>{{}}</table>"
    rest = rows[shown:]
    more = f"<details><summary>{len(rest)} earlier</summary>{table.format(''.join(rest))}</details>" if rest else ""
    return table.format("".join(rows[:shown])) + more


def _run_link(record: Mapping[str, Any]) -> str:
    query = urlencode({"dag_id": record["pipeline"], "run_id": record["run_id"]})
    return f"<a href='/kilnworks/run?{query}'>{_text(record['pipeline'])}</a>"


def _newest(folder: Path, count: int) -> list[dict[str, Any]]:
    return [read_json(path) for path in sorted(folder.glob("*.json"))[::-1][:count]]


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _text(value: object) -> str:
    return html.escape(str(value))
