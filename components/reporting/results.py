"""The numbers that matter of a run, in a few lines for a terminal, a pipe or a log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kilnworks.components.reporting.reading import read_run
from kilnworks.components.reporting.sections.wording import budget_words, metric_label
from kilnworks.components.tasks.choose import task_named
from kilnworks.schemas.json_values import as_dict, as_number
from kilnworks.schemas.words import figure, signed


def result_lines(run_dir: Path) -> list[tuple[str, str]]:
    """A word and what it is about: ``result``, ``against`` simple models, ``gate``; nothing before an evaluation.

    ``budget`` comes before them where a budget of time kept the training from something.

    Args:
        run_dir: of a run in any state.
    """
    run = read_run(run_dir)
    results = run.find("evaluation.json")
    if not results:
        return []
    cut = budget_words(run.find("training.json"))
    return [*([("budget", cut)] if cut else []), *_measured(results), *_against(results), *_gate(results)]


def headlines(results: dict[str, Any]) -> tuple[str, ...]:
    """The metrics that an evaluation is told by, the most telling first."""
    task = task_named(str(results.get("task")))
    return task.headlines(results) if task else tuple(as_dict(results.get("metrics")))[:2]


def _measured(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    parts = []
    for name in dict.fromkeys((*headlines(results), *_compared(results))):
        metric = as_dict(as_dict(results.get("metrics")).get(name))
        value, low, high = (as_number(metric.get(key)) for key in ("value", "low", "high"))
        within = "" if low is None or high is None else f" ({figure(low)} to {figure(high)})"
        parts.append(f"{metric_label(name)} {'undefined' if value is None else f'{figure(value)}{within}'}")
    rows = as_number(results.get("rows"))
    share, positive = as_number(results.get("prevalence")), results.get("positive")
    of = f", of which {share:.1%} are {positive}" if share is not None and positive else ""
    unit = results.get("unit") or f"{results.get('split') or 'judged'} rows"
    on = "" if rows is None else f" on {rows:,.0f} {unit}{of}"
    yield "result", f"{', '.join(parts)}{on}"


def _compared(results: dict[str, Any]) -> Iterator[str]:
    """The metric that the gain over each simple model is told by: nobody can hold it against another one."""
    for one in as_dict(results.get("simple")).values():
        yield from [*as_dict(as_dict(one).get("gains"))][:1]


def _against(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    parts = []
    for name, one in as_dict(results.get("simple")).items():
        measured = as_dict(as_dict(one).get("metrics"))
        gains = as_dict(as_dict(one).get("gains"))
        for metric in [*gains][:1]:
            value, gain = as_number(measured.get(metric)), as_dict(gains[metric])
            low, high = (as_number(gain.get(key)) for key in ("low", "high"))
            if value is not None and low is not None and high is not None:
                parts.append(f"{name} {metric_label(metric)} {figure(value)} (gain {signed(low)} to {signed(high)})")
    if parts:
        yield "against", "; ".join(parts)


def _gate(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The rule of the evaluation's gate where it is open; a closed one is told with its reasons elsewhere."""
    gate = as_dict(results.get("gate"))
    if gate and gate.get("passed"):
        yield "gate", f"open: {gate.get('rule') or ''}"
