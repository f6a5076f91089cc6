"""What a person is asked before a step: the champion and the model of the run, side by side."""

from collections.abc import Callable, Mapping
from typing import Any

from kilnworks.components.tasks.choose import metric_named
from kilnworks.pipelines.core.challenge import challenged_step, known
from kilnworks.pipelines.core.compare import on_same_rows
from kilnworks.pipelines.core.evaluated import champion_of, evaluated, evaluates, evaluation_of
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.errors import StoreError
from kilnworks.schemas.markdown import cell, code, escaped


def question(pipeline: Pipeline, run: Run, report: Callable[[Run], str] | None = None, trouble: str = "") -> str:
    """What the person is shown, in Markdown: each metric of the champion beside that of this run, with its interval.

    Both are of the same rows where that could be had, see ``compare``; else the text says that they are not.

    Args:
        pipeline: the definition.
        run: whose step waits.
        report: address of the report of a run; None: where its file lies.
        trouble: why the champion could not be measured on the rows of this run.
    """
    step, champion = evaluation_of(pipeline, run), champion_of(run)
    mine = {} if step is None else evaluated(run, step)
    if champion is None:
        text = [f"There is no champion yet. This run: {_link(run, report)}."]
        return "\n".join([*text, "", *_table(step, {}, mine)])
    before = run.store.run(pipeline.name, champion.run_id)
    alike = on_same_rows(pipeline, run)
    theirs = _own_figures(pipeline, before) if alike is None else alike
    live = f"The champion is version {champion.version}, of run {code(champion.run_id)}: {_link(before, report)}. "
    text = [f"{live}This run: {_link(run, report)}.", "", *_verdict(pipeline, run), *_table(step, theirs, mine)]
    return "\n".join([*text, "", _about_rows(alike is not None, trouble)] if theirs and mine else text)


def _verdict(pipeline: Pipeline, run: Run) -> list[str]:
    """What came of the challenge, where the definition has one and it has been made."""
    step = challenged_step(pipeline, run)
    found = None if step is None else known(pipeline, step, run)
    if found is None:
        return []
    advice = "lets it go live" if found.live else "would **not** let it go live, and a yes overrules that"
    return [f"**Challenge**: {escaped(found.text)}. The rule {advice}.", ""]


def require_evaluation(pipeline: Pipeline, run: Run, step: str) -> None:
    """Refuse to let something go live unmeasured, where its definition measures.

    Raises:
        StoreError: ``step`` publishes, and the run has no finished evaluation.
    """
    if pipeline[step].signature.result.outside and evaluates(pipeline) and evaluation_of(pipeline, run) is None:
        raise StoreError(
            f"run {run.run_id} of {pipeline.name} has no evaluation, so nobody can say whether {step} may run",
            "a run whose evaluation has finished",
            f"kilnworks run {pipeline.name} --run-id {run.run_id}",
        )


def _own_figures(pipeline: Pipeline, run: Run) -> dict[str, dict[str, Any]]:
    """The metrics of a run's own evaluation; empty where it has none."""
    step = evaluation_of(pipeline, run)
    return {} if step is None else evaluated(run, step)


def _link(run: Run, report: Callable[[Run], str] | None) -> str:
    return code(str(run.path / "report.html")) if report is None else f"[report]({report(run)})"


def _about_rows(alike: bool, trouble: str) -> str:
    if alike:
        return "Both are measured on the same rows, those of this run's evaluation."
    why = f": {escaped(trouble)}" if trouble else "."
    return f"**Each on rows of its own**, so the figures do not say which is better{why}"


def _table(step: Step | None, theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> list[str]:
    names = list(dict.fromkeys([*mine, *theirs]))
    if step is None or not names:
        return ["This run has no evaluation."]
    rows = [_row(name, theirs.get(name), mine.get(name), _direction(step, name)) for name in names]
    return ["| metric | champion | this run | change |", "|---|---|---|---|", *rows]


def _direction(step: Step, name: str) -> int:
    """1 where a larger value of a metric is better, -1 where a smaller is, 0 where nobody has said."""
    own = getattr(step.config, "metrics", {}).get(name)
    metric = own or metric_named(name)
    return 0 if metric is None else {"max": 1, "min": -1}[metric.better]


def _row(name: str, theirs: Mapping[str, Any] | None, mine: Mapping[str, Any] | None, direction: int) -> str:
    return f"| {cell(name)} | {_figure(theirs)} | {_figure(mine)} | {_change(theirs, mine, direction)} |"


def _figure(metric: Mapping[str, Any] | None) -> str:
    if metric is None or metric.get("value") is None:
        return ""
    low, high = metric.get("low"), metric.get("high")
    return f"{metric['value']:.4f}" + (f" ({low:.4f} to {high:.4f})" if low is not None and high is not None else "")


def _change(theirs: Mapping[str, Any] | None, mine: Mapping[str, Any] | None, direction: int) -> str:
    """``+0.0300, better``; where the champion's value lies in the interval of this run's, that is said as well."""
    if theirs is None or mine is None or theirs.get("value") is None or mine.get("value") is None:
        return ""
    change = mine["value"] - theirs["value"]
    if not direction or not change:
        return f"{change:+.4f}"
    low, high = mine.get("low"), mine.get("high")
    within = low is not None and high is not None and low <= theirs["value"] <= high
    word = "better" if change * direction > 0 else "worse"
    return f"{change:+.4f}, {word}" + (" (within the interval)" if within else "")
