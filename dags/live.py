"""A run of a DAG while it goes on, in Airflow: its steps, epochs and curves.

The page asks for news, and stops by itself.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain, seconds_text
from kilnworks.components.reporting.reading import RunRecord, StepRecord, read_run
from kilnworks.dags.pages import page, report_path
from kilnworks.dags.pages import text as _text
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.json_values import as_dict, as_number

EPOCHS_SHOWN = 12
ENDED = "ended"
"""Class of the content of a page whose run has ended."""

NEWS = """
let pause = 2000, failed = 0, before = "";
async function look() {
  if (document.hidden) return later();
  try {
    const answer = await fetch(location.pathname + "?part=1", {credentials: "same-origin"});
    if (!answer.ok) throw new Error(answer.status);
    const news = await answer.text();
    failed = 0;
    pause = news === before ? Math.min(pause * 1.3, 30000) : 2000;
    if (news !== before) document.getElementById("live").innerHTML = before = news;
    if (document.querySelector("#live > .ended")) return;
  } catch { if (++failed > 5) return; }
  later();
}
function later() { setTimeout(look, pause); }
later();
"""
"""Asks for the content anew, ever more seldom where nothing changes, and no more once the run has ended."""


def live(run: Run, nonce: str) -> str:
    """The whole page."""
    return page(
        f"{run.pipeline}: {run.run_id}", f"<div id=live>{content(run)}</div><script nonce={nonce}>{NEWS}</script>"
    )


def content(run: Run) -> str:
    """What changes of it."""
    record = read_run(run.path)
    ended = record.outcome not in ("running", "unfinished", "empty")
    steps = "".join(_step(step, run) for step in record.steps)
    report = f"<p><a href='{report_path(run)}'>{'Report' if ended else 'Report so far'}</a></p>"
    table = f"<table><tr><th>step<th>state<th>progress<th>time</tr>{steps}</table>"
    return f"<div class={ENDED if ended else 'goes-on'}>{table}{_epochs(record, run)}{report}</div>"


def _step(step: StepRecord, run: Run) -> str:
    took = "" if step.seconds is None else seconds_text(step.seconds)
    outcome, note = _text(step.outcome), _text(step.reason.partition("\n")[0])
    if step.outcome == "running":
        note = _progress(as_dict(step.record.get("progress")), len(_rows_so_far(run, step)))
    told = f"<td class=words>{_text(step.name)}<td class='words {outcome}'>{outcome}<td>{note}"
    return f"<tr>{told}<td class=number>{took}</tr>"


def _progress(progress: Mapping[str, Any], epochs: int) -> str:
    """A bar and a note. Progress is written once a second at most; the history of quicker epochs is ahead of it."""
    done, total, note = as_number(progress.get("done")), as_number(progress.get("total")), progress.get("note") or ""
    if done is not None and total and done < epochs <= total:
        done, note = epochs, f"epoch {epochs}/{total:g}"
    bar = f"<progress value='{done:g}' max='{total:g}'></progress> " if done is not None and total else ""
    return bar + _text(note)


def _epochs(record: RunRecord, run: Run) -> str:
    """Curves and a table of the newest training of the run."""
    for step in reversed(record.steps):
        rows = history(run, step)
        if rows:
            return f"<h2>{_text(step.name)}: {len(rows)} epochs</h2>{curves(rows)}{_table(rows)}"
    return ""


def history(run: Run, step: StepRecord) -> list[dict[str, str]]:
    """Lines of ``history.csv`` of a step, also of one that still runs; empty where it writes none."""
    kept = [] if step.folder is None else [step.folder / "history.csv"]
    return _rows_so_far(run, step) or _first(kept)


def _rows_so_far(run: Run, step: StepRecord) -> list[dict[str, str]]:
    """Lines of the history that a running step has written."""
    return _first(sorted(run.path.glob(f".{step.name}.*.partial/history.csv"), key=_changed)[::-1])


def _first(paths: list[Path]) -> list[dict[str, str]]:
    """Lines of the first file that can be read."""
    for path in paths:
        try:
            with path.open(newline="", encoding="utf-8") as lines:
                return [row for row in csv.DictReader(lines) if as_number(row.get("epoch")) is not None]
        except (OSError, ValueError, csv.Error):
            continue
    return []


def curves(rows: list[dict[str, str]]) -> str:
    """A chart for each number, that of the validation beside that of the training."""
    return f"<div class=charts>{''.join(_charts(rows))}</div>"


def _charts(rows: list[dict[str, str]]) -> Iterator[str]:
    names = [name for name in rows[-1] if name not in ("epoch", "phase") and not name.startswith("learning_rate")]
    for name in dict.fromkeys(name.removeprefix("val_") for name in names):
        lines = [(n, points(rows, n)) for n in (name, f"val_{name}") if points(rows, n)]
        if not lines:
            continue
        last = max(x for _, line in lines for x, _ in line)
        plot = Plot(
            name,
            (1, max(last, 2)),
            nice_domain([y for _, line in lines for _, y in line]),
            "epoch",
            name,
            integer_x=True,
        )
        for series, (title, line) in enumerate(lines, 1):
            plot.line(line, series, title)
        yield plot.render()


def points(rows: list[Mapping[str, Any]] | list[dict[str, str]], name: str) -> list[tuple[float, float]]:
    """Epoch and value, where there is one."""
    found = [(as_number(row.get("epoch")), as_number(row.get(name))) for row in rows]
    return [(x, y) for x, y in found if x is not None and y is not None]


def _table(rows: list[dict[str, str]]) -> str:
    head = "".join(f"<th>{_text(name)}" for name in rows[-1])
    lines = "".join(
        f"<tr>{''.join(f'<td class=number>{_text(_short(value))}' for value in row.values())}</tr>"
        for row in rows[::-1][:EPOCHS_SHOWN]
    )
    return f"<table><tr>{head}</tr>{lines}</table>"


def _short(value: str | None) -> str:
    number = as_number(value)
    return str(value or "") if number is None else f"{number:.4g}"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
