"""Runs of a DAG side by side, in Airflow: settings that differ, metrics, metrics over time, curves together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.components.reporting.reading import read_run
from kilnworks.dags.live import history, points
from kilnworks.dags.pages import LEAVING, dag_run_link, page, report_path
from kilnworks.dags.pages import text as _text
from kilnworks.dags.summaries import Told
from kilnworks.schemas.json_values import as_dict

CURVES = ("val_loss", "loss")
"""Of these numbers the first that a run reports is drawn."""
MOST = 8
"""Most runs side by side, as there are colours."""


def side_by_side(chosen: Sequence[Told], every: Sequence[Told]) -> str:
    """The page for ``chosen``, oldest first; metrics go over ``every``, the runs of the pipeline, newest first."""
    name = chosen[0].run.pipeline
    heads = "".join(
        f"<th>{dag_run_link(name, t.run.run_id, t.run.run_id)} <a class=dim href='{report_path(t.run)}'>report</a>"
        for t in chosen
    )
    body = (
        f"<table><tr><th>{heads}</tr>{''.join(_facts(chosen))}</table>"
        f"<h2>Settings that differ</h2>{_settings(chosen, heads)}"
        f"<h2>Metrics over time</h2><div class=charts>{''.join(_over_time(chosen, every))}</div>"
        f"<h2>Training</h2><div class=charts>{_curves(chosen)}</div>{LEAVING}"
    )
    return page(f"{name}: {len(chosen)} runs side by side", body)


def settings(told: Told) -> dict[str, Any]:
    """Setting -> value of all steps that have finished, by dotted name; those that were not reached are left out."""
    steps = read_run(told.run.path).steps
    return dict(_flat({step.name: as_dict(step.manifest["config"]) for step in steps if "config" in step.manifest}, ""))


def _facts(chosen: Sequence[Told]) -> Iterator[str]:
    yield _row("started", [t.summary["started"][:19].replace("T", " ") for t in chosen], marked=False)
    yield _row("verdict", [t.summary["verdict"] for t in chosen])
    yield _row("version", ["" if t.summary["version"] is None else str(t.summary["version"]) for t in chosen])
    yield _row("seconds", [f"{t.summary['seconds']:.1f}" for t in chosen], marked=False)
    for name in dict.fromkeys(name for t in chosen for name in t.summary["metrics"]):
        values = [t.summary["metrics"].get(name) for t in chosen]
        yield _row(name, ["" if v is None else f"{v:.4f}" for v in values])


def _settings(chosen: Sequence[Told], heads: str) -> str:
    found = [settings(told) for told in chosen]
    reached = set.intersection(*({name.partition(".")[0] for name in values} for values in found))
    names = [n for n in dict.fromkeys(n for values in found for n in values) if n.partition(".")[0] in reached]
    differ = [name for name in names if any(v.get(name, _NONE) != found[0].get(name, _NONE) for v in found)]
    if not differ:
        return "<p class=dim>None, in the steps that all of them have finished.</p>"
    rows = "".join(_row(name, [_shown(v.get(name, _NONE)) for v in found]) for name in differ)
    return f"<table><tr><th>{heads}</tr>{rows}</table>"


_NONE = object()


def _shown(value: Any) -> str:
    return "" if value is _NONE else str(value)


def _row(name: str, values: Sequence[str], *, marked: bool = True) -> str:
    class_ = " class=differs" if marked and len(set(values)) > 1 else ""
    return f"<tr><th>{_text(name)}{''.join(f'<td{class_}>{_text(value)}' for value in values)}</tr>"


def _flat(values: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        where = f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping) and value and where.rpartition(".")[2] != "contract":
            yield from _flat(value, where)
        elif where.rpartition(".")[2] != "contract":
            yield where, value


def _over_time(chosen: Sequence[Told], every: Sequence[Told]) -> Iterator[str]:
    """A chart a metric: all runs from the oldest on, the chosen ones as dots."""
    ordered = every[::-1]
    marked = {t.run.folder for t in chosen}
    for name in dict.fromkeys(name for t in chosen for name in t.summary["metrics"]):
        have = [(i, t) for i, t in enumerate(ordered, 1) if name in t.summary["metrics"]]
        values = [(float(i), float(t.summary["metrics"][name])) for i, t in have]
        dots = [(p, t) for p, (_, t) in zip(values, have, strict=True) if t.run.folder in marked]
        plot = Plot(
            name,
            (1, max(len(ordered), 2)),
            nice_domain([v for _, v in values]),
            "run, oldest first",
            name,
            integer_x=True,
        )
        plot.line(values, 1)
        plot.points([p for p, _ in dots], 2, [t.run.run_id for _, t in dots], [1.0] * len(dots))
        yield plot.render()


def _curves(chosen: Sequence[Told]) -> str:
    """The loss of each run by epoch, in one chart."""
    lines: list[tuple[str, str, list[tuple[float, float]]]] = []
    for told in chosen:
        rows = next((r for step in read_run(told.run.path).steps if (r := history(told.run, step))), [])
        name = next((name for name in CURVES if points(rows, name)), "")
        if name:
            lines.append((told.run.run_id, name, points(rows, name)))
    if not lines:
        return "<p class=dim>No run reports epochs.</p>"
    last = max(x for *_, line in lines for x, _ in line)
    plot = Plot(
        lines[0][1],
        (1, max(last, 2)),
        nice_domain([y for *_, line in lines for _, y in line]),
        "epoch",
        lines[0][1],
        integer_x=True,
    )
    for series, (run_id, _, line) in enumerate(lines, 1):
        plot.line(line, series, run_id)
    return plot.render()
