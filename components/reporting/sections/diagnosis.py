"""What ails a training, as far as a run tells it: the losses of both splits, and the verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import nice_domain
from kilnworks.components.diagnosing.facts import Facts
from kilnworks.components.diagnosing.sides import Mean, Side, Sides
from kilnworks.components.diagnosing.verdicts import looked_for, verdicts
from kilnworks.components.reporting.reading import RunRecord, read_history, read_object
from kilnworks.components.tasks.choose import metric_named
from kilnworks.schemas.json_values import as_dict, as_list, as_number
from kilnworks.schemas.words import figure

MEASURED = "diagnosis.json"


def diagnosis(run: RunRecord) -> dict[str, Any] | None:
    """Losses and verdicts; None where they were not measured."""
    found = next(run.holding(MEASURED), None)
    sides = Sides.read(read_object(found[1])) if found else None
    if found is None or sides is None:
        return None
    history = next((read_history(path) for _, path in run.holding("history.csv")), {})
    facts = Facts(
        str(run.run.get("pipeline") or run.path.parent.name),
        found[0].name,
        run.find("training.json"),
        as_dict(run.run.get("overrides")),
        history,
        sides,
        [as_dict(one) for one in as_list(run.find("health.json").get("findings"))],
        leans=leaning(run.find("evaluation.json"), as_dict(run.find("training.json").get("contract"))),
    )
    return {
        "verdicts": [one.record() for one in verdicts(facts)],
        "nothing": nothing_seen(looked_for(facts)),
        "losses": losses(sides),
        "rows": loss_rows(sides),
        "pipeline": facts.pipeline,
    }


def nothing_seen(faults: Sequence[str]) -> str:
    """That none of these was found, as a sentence; one at least."""
    return f"{'Neither' if len(faults) > 1 else 'No'} {' nor '.join(faults)} can be seen."


def leaning(results: Mapping[str, Any], contract: Mapping[str, Any]) -> dict[str, Any]:
    """``Facts.leans`` of an ``evaluation.json``; empty where it does not say enough, or the strongest is a text."""
    told = as_dict(results.get("explained"))
    metric = metric_named(str(told.get("metric")))
    constant = as_dict(as_dict(as_dict(results.get("simple")).get("constant")).get("metrics"))
    usual = as_number(constant.get(str(told.get("metric"))))
    value = as_number(as_dict(as_dict(results.get("metrics")).get(str(told.get("metric")))).get("value"))
    features = [as_dict(one) for one in as_list(told.get("features"))]
    if metric is None or usual is None or value is None or not features:
        return {}
    if as_dict(as_dict(contract.get("features")).get(str(features[0].get("name")))).get("text"):
        return {}
    perfect, sign = (1.0, 1) if metric.better == "max" else (0.0, -1)
    if perfect == usual or any(as_number(one.get("fall")) is None for one in features):
        return {}
    return {"features": features, "skill": sign * (value - usual) / abs(perfect - usual)}


def loss_rows(sides: Sides) -> list[tuple[str, str, str, str, str]]:
    """A row a split: its name, rows, loss, interval, and what a constant answer loses."""
    rows = []
    for name, side in _named(sides):
        mean = Mean.of(side.loss)
        usual = Mean.of(side.constant).value
        rows.append((name, f"{side.rows:,}", figure(mean.value), _interval(mean), figure(usual)))
    return rows


def losses(sides: Sides) -> str:
    """The loss of each split with its interval, beside what a constant answer loses."""
    named = _named(sides)
    means = [Mean.of(side.loss) for _, side in named]
    usual = Mean.of((sides.val or sides.train).constant).value
    ends = [end for mean in means for end in (mean.value, mean.low, mean.high) if abs(end) < 1e300]
    domain = nice_domain([*ends, usual, 0.0])
    words = "1: training rows, 2: validation rows" if len(means) > 1 else "1: training rows"
    plot = Plot("Loss at the best epoch, in inference mode", (0.4, len(means) + 0.6), domain, words, integer_x=True)
    plot.guide([(0.4, usual), (len(means) + 0.6, usual)], "a constant answer")
    for place, ((name, _), mean) in enumerate(zip(named, means, strict=True), 1):
        if abs(mean.low) < 1e300:
            plot.whiskers([float(place)], [mean.low], [mean.high], place)
        plot.points([(float(place), mean.value)], place, [f"{name}: {figure(mean.value)}"], [1.0])
    return plot.render()


def learning_curve(points: Sequence[tuple[int, Sides]]) -> str:
    """The loss of both splits by training rows, as shares of what a constant answer loses, with intervals."""
    able = [(rows, sides) for rows, sides in points if sides.comparable]
    if not able:
        return ""
    lines = {
        name: [(float(rows), Mean.of(side.shares())) for rows, side in _of(able, place)]
        for place, name in enumerate(("training rows", "validation rows"))
    }
    values = [end for line in lines.values() for _, m in line for end in (m.value, m.low, m.high) if abs(end) < 1e300]
    x = (0.0, max(rows for rows, _ in able) * 1.02)
    plot = Plot("Learning curve", x, nice_domain([*values, 0.0]), "training rows", "loss, 1 = constant answer")
    for place, (name, line) in enumerate(lines.items(), 1):
        plot.line([(rows, mean.value) for rows, mean in line], place, name)
        known = [(rows, mean) for rows, mean in line if abs(mean.low) < 1e300]
        plot.whiskers([r for r, _ in known], [m.low for _, m in known], [m.high for _, m in known], place)
        notes = [f"{rows:,.0f} rows, {name}: {mean.value:.3f}" for rows, mean in line]
        plot.points([(rows, mean.value) for rows, mean in line], place, notes, [0.3] * len(line))
    return plot.render()


def _of(points: Sequence[tuple[int, Sides]], place: int) -> list[tuple[int, Side]]:
    sides = [(rows, (one.train, one.val)[place]) for rows, one in points]
    return [(rows, side) for rows, side in sides if side is not None]


def _named(sides: Sides) -> list[tuple[str, Side]]:
    return [("training rows", sides.train), *([("validation rows", sides.val)] if sides.val else [])]


def _interval(mean: Mean) -> str:
    return f"{figure(mean.low)} – {figure(mean.high)}" if abs(mean.low) < 1e300 else ""
