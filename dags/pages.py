"""Pages of the plugin: what ran, what was decided and why. Plain HTML; Airflow frames it, no DAG is read for it."""

import base64
import datetime as dt
import hashlib
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from kilnworks.components.charts.sparkline import trend
from kilnworks.components.charts.svg import theme
from kilnworks.components.reporting.reading import read_moves, read_object
from kilnworks.dags.summaries import SUMMARIES, Told
from kilnworks.pipelines.core.store import Run, Store
from kilnworks.schemas.json_values import as_number

RUNS_SHOWN = 15
DECISIONS_SHOWN = 20
ALERTS_SHOWN = 20
ALERTS_OPEN = 5
"""How many alerts are seen without a click."""
LOOKED_AT = 200
"""Most decisions of a pipeline, and alerts of all, that are read."""
LATEST = dt.datetime.max.replace(tzinfo=dt.UTC).timestamp()
"""The last moment that has a date."""

MOST_LOOKS = 40
"""How often a page of a run that does not begin loads itself again: for half an hour, ever more slowly."""
LEAVE = """
addEventListener("click", event => {
  const link = event.target.closest("a.airflow[href^='/dags/']");
  if (!link || parent === window || event.ctrlKey || event.metaKey) return;
  try {
    const way = parent.document.createElement("a");
    way.href = link.getAttribute("href");
    event.preventDefault();
    way.click();
  } catch { /* framed by another site: the link opens here */ }
});
"""
LEAVE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(LEAVE.encode()).digest()).decode()}'"
"""It as a policy names it."""
NOTHING_YET = """<p class=dim>No run yet. Choose a pipeline under
<a class=airflow href='/dags/?tags=kilnworks'>Dags</a> and click <i>Trigger</i>.</p>"""
LEAVING = f"<script>{LEAVE}</script>"
"""Airflow frames a page so that its links stay inside; those to Airflow's own pages are followed around it."""

STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d9d4cc, #46413a); --dim: light-dark(#6b645a, #a79f93);
  --good: light-dark(#2f6b3a, #8fcf9a); --bad: light-dark(#a1322b, #f0938b); --wait: light-dark(#8a5a00, #e0b25a); }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; background: light-dark(#fff, #1b1917); }
h1 { font-size: 1.4rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 500; color: var(--dim) }
td, th { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td { overflow-wrap: anywhere } td.words { overflow-wrap: normal }
.done, .retrain { color: var(--good) } .failed { color: var(--bad) } .skipped, .wait { color: var(--wait) }
summary { cursor: pointer; color: var(--dim); padding: .35rem 0 } td summary { padding: 0 }
.trend { display: flex; gap: .8rem; align-items: center; color: var(--dim) } .trend span { width: 160px }
.live { color: var(--good); font-weight: 600 } .running { color: var(--wait) } details ul { margin: .3rem 0 }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(380px, 100%), 1fr)); gap: 1rem }
.differs { background: light-dark(#fff6e0, #3a3017) }
.dim, .nothing { color: var(--dim) } td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
"""


def overview(store: Store, pipelines: Iterable[str], seen: Callable[[str], bool] = lambda _: True) -> str:
    """Every pipeline: its newest runs, and what was decided on new data; ``seen`` says whose alerts may be shown."""
    parts = [
        f"<h2>{text(name)}</h2>{_runs(store, name)}{_moves(store, name)}{_decisions(store, name)}" for name in pipelines
    ]
    body = _alerts(store, seen) + ("".join(parts) or NOTHING_YET)
    return page("Pipelines", body + LEAVING)


def waiting(pipeline: str, run_id: str, looks: int = 0, wanted: str = "run") -> str:
    """Stands in for a page (``run``, ``live``) of a run that has not begun; asks later each time, not for ever."""
    said = f"<p>Run <code>{text(run_id)}</code> has not started a step yet.</p>"
    address = f"{wanted}?{urlencode({'dag_id': pipeline, 'run_id': run_id, 'looks': looks + 1})}"
    if looks >= MOST_LOOKS:
        again = f"<p><a href='{text(address.partition('&looks')[0])}'>Look again</a></p>"
        return page(pipeline, said + again)
    pause = min(2 + looks, 60)
    return page(pipeline, said, f"<meta http-equiv=refresh content='{pause};url={text(address)}'>")


def said(title: str, words: str) -> str:
    """A page that says why there is nothing to show."""
    return page(title, f"<p>{text(words)}</p>")


def page(title: str, body: str, head: str = "") -> str:
    """A whole page around ``body``; both are HTML already, and so is what ``head`` adds."""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8>{head}<title>{text(title)}</title>"
        f"<style>{theme()}{STYLE}</style><body><h1>{text(title)}</h1>{body}</body></html>"
    )


def report_path(run: Run) -> str:
    """Address of a run's report below the plugin."""
    return f"/kilnworks/files/{quote(run.pipeline)}/{quote(run.folder)}/report.html"


def dag_run_link(pipeline: str, run_id: str, words: str) -> str:
    """A link to the run in Airflow's own pages, which stand around this one."""
    address = f"/dags/{quote(pipeline)}/runs/{quote(run_id, safe='')}"
    return f"<a class=airflow href='{text(address)}'>{text(words)}</a>"


def _runs(store: Store, pipeline: str) -> str:
    newest = SUMMARIES.newest(store, pipeline, RUNS_SHOWN)
    if not newest:
        return "<p class=dim>No run yet.</p>"
    head = "<th><th>run<th>started<th>verdict<th>version<th>metric<th>seconds<th>"
    rows = "".join(_run_row(told) for told in newest)
    return (
        f"{_trend(newest)}<form action=compare method=get><input type=hidden name=pipeline value='{text(pipeline)}'>"
        f"<table><tr>{head}</tr>{rows}</table><p><button>Compare the chosen runs</button></p></form>"
    )


def _trend(newest: Sequence[Told]) -> str:
    """The metric of the newest run over the runs that have it, from the oldest on."""
    name = next((told.summary["headline"] for told in newest if told.summary["headline"]), "")
    values = [told.summary["metrics"].get(name) for told in reversed(newest)]
    drawn = trend(values, [told.run.run_id for told in reversed(newest)], name)
    return f"<p class=trend>{text(name)} <span>{drawn}</span></p>" if drawn else ""


def _run_row(told: Told) -> str:
    run, summary = told.run, told.summary
    name, value = summary["headline"], told.headline
    metric = "" if value is None else f"{text(name)} {value:.4f}"
    version = "" if summary["version"] is None else text(summary["version"])
    more = "".join(f"<li>{text(n)} {v:.4f}" for n, v in summary["metrics"].items() if n != name)
    reason = f"<p>{text(summary['reason'])}</p>" if summary["reason"] else ""
    folded = f"<details><summary>more</summary>{reason}<ul>{more}</ul></details>" if reason or more else ""
    good = "live" if summary["champion"] else summary["outcome"]
    started = text(summary["started"][:19].replace("T", " "))
    address = f"live/{quote(run.pipeline)}/{quote(run.folder)}" if summary["outcome"] == "running" else report_path(run)
    return (
        f"<tr><td><input type=checkbox name=run value='{text(run.folder)}' aria-label='compare {text(run.run_id)}'>"
        f"<td>{dag_run_link(run.pipeline, run.run_id, run.run_id)} <a class=dim href='{address}'>report</a>"
        f"<td class=number>{started}<td class='{text(good)}'>{text(summary['verdict'])}"
        f"<td class=number>{version}<td class=number>{metric}<td class=number>{summary['seconds']:.1f}<td>{folded}</tr>"
    )


def _moves(store: Store, pipeline: str) -> str:
    """The newest move of the champion: who let what go live, and why; those before it folded."""
    lines = [_move_row(pipeline, move) for move in islice(read_moves(store.root, pipeline), DECISIONS_SHOWN)]
    return f"<h3>What went live</h3>{_folded(lines, 1, 'time<th>version<th>run<th>by<th>why')}" if lines else ""


def _move_row(pipeline: str, move: Mapping[str, Any]) -> str:
    since, back = text(str(move["since"])[:19].replace("T", " ")), " (rolled back)" * (move["action"] == "rollback")
    return (
        f"<tr><td class=number>{since}<td class=words>{text(move['version'])}{back}"
        f"<td>{dag_run_link(pipeline, str(move['run_id']), str(move['run_id']))}"
        f"<td class=words>{text(move['by'])}<td class=words>{text(move['reason'])}</tr>"
    )


def _decisions(store: Store, pipeline: str) -> str:
    """The newest decision on retraining; those before it folded, equal ones in a row as one line."""
    records = _newest(store.root / "retraining" / pipeline / "decisions", LOOKED_AT)
    if not records:
        return ""
    lines = [_decision_row(list(alike)) for _, alike in groupby(records, lambda r: str(r.get("verdict")))]
    return f"<h3>Decisions on new data</h3>{_folded(lines[:DECISIONS_SHOWN], 1, 'time<th>verdict<th>why')}"


def _decision_row(alike: list[dict[str, Any]]) -> str:
    """One line for decisions of the same verdict that follow one another, newest first: the newest, and how many."""
    newest, count = alike[0], len(alike)
    verdict, why = text(newest.get("verdict", "")), text(newest.get("headline", ""))
    before = f" <span class=dim>({count} times since {_time(alike[-1]['at'])})</span>" if count > 1 else ""
    return f"<tr><td class=number>{_time(newest['at'])}<td class='{verdict}'>{verdict}<td>{why}{before}</tr>"


def _alerts(store: Store, seen: Callable[[str], bool]) -> str:
    records = [r for r in _newest(store.root / "alerts", LOOKED_AT) if seen(str(r.get("pipeline")))]
    if not records:
        return ""
    lines = [_alert_row(record) for record in records[:ALERTS_SHOWN]]
    return f"<h2>Alerts</h2>{_folded(lines, ALERTS_OPEN, 'time<th>run<th>kind<th>what happened')}"


def _alert_row(alert: Mapping[str, Any]) -> str:
    kind, what = text(alert.get("kind", "")), text(alert.get("text", ""))
    run = f"<td class=words>{_run_link(alert)}<td class=words>{kind}"
    return f"<tr><td class=number>{_time(alert['at'])}{run}<td>{what}</tr>"


def _folded(rows: list[str], shown: int, head: str) -> str:
    """A table of the first rows; the others are seen by a click."""
    table = f"<table><tr><th>{head}</tr>{{}}</table>"
    rest = rows[shown:]
    more = f"<details><summary>{len(rest)} earlier</summary>{table.format(''.join(rest))}</details>" if rest else ""
    return table.format("".join(rows[:shown])) + more


def _run_link(record: Mapping[str, Any]) -> str:
    """The pipeline, with a link to the run's report, and the task, with one to the run itself."""
    pipeline, run_id = str(record.get("pipeline") or ""), str(record.get("run_id") or "")
    query = urlencode({"dag_id": pipeline, "run_id": run_id})
    report = f"<a href='/kilnworks/run?{query}'>{text(pipeline)}</a>"
    task = str(record.get("task") or "run")
    return f"{report} {dag_run_link(pipeline, run_id, task)}" if run_id else text(pipeline)


def _newest(folder: Path, count: int) -> list[dict[str, Any]]:
    """The newest records; one that is damaged is left out."""
    records = [read_object(path) for path in sorted(folder.glob("*.json"))[::-1][:count]]
    moments = [as_number(record.get("at")) for record in records]
    return [r for r, at in zip(records, moments, strict=True) if at is not None and 0 <= at < LATEST]


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(float(seconds), dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def text(value: object) -> str:
    """A value as it may stand in HTML."""
    return html.escape(str(value))
