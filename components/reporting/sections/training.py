"""How the model was trained: the learning curves and the settings that were in force."""

from typing import Any

from kilnworks.components.charts.plot import Plot
from kilnworks.components.charts.scale import label, nice_domain, seconds_text
from kilnworks.components.charts.sheets import sheets
from kilnworks.components.charts.terms import terms
from kilnworks.components.reporting.reading import RunRecord, read_history
from kilnworks.components.reporting.sections.embedding import embedding
from kilnworks.components.reporting.sections.health import health
from kilnworks.components.reporting.sections.wording import budget_words, metric_label
from kilnworks.schemas.json_values import as_dict, as_list, as_number
from kilnworks.schemas.words import listed

FACTS = {
    "epochs_run": "Epochs",
    "best_epoch": "Best epoch",
    "monitor": "Best by",
    "stopped_early": "Stopped early",
    "resumed_after": "Resumed after epoch",
    "seconds": "Training time",
    "examples_per_second": "Rows per second",
    "parameters": "Parameters",
    "batch": "Batch",
    "steps_per_epoch": "Steps per epoch",
    "strategy": "Strategy",
    "replicas": "Replicas",
    "device": "Device",
    "placement": "Why these devices",
    "streamed": "Read anew in every epoch",
    "precision": "Precision",
    "seed": "Seed",
}

History = dict[str, list[float | None]]


def training(run: RunRecord) -> dict[str, Any] | None:
    """Curves and facts; None before a model was trained."""
    description = run.find("training.json")
    history: History = next((read_history(path) for _, path in run.holding("history.csv")), {})
    if not description and not history:
        return None
    best = as_number(description.get("best_epoch"))
    return {
        "charts": [picture for _, picture in learning_curves(history, best)],
        "health": health(run.find("health.json")),
        "filters": _filters(as_dict(description.get("filters"))),
        "samples": _samples(as_list(description.get("samples"))),
        "telling": [_telling(as_dict(one)) for one in as_list(description.get("telling")) if as_dict(one).get("terms")],
        "embedding": embedding(as_dict(description.get("embedding"))),
        "facts": [
            (name, _fact(key, description[key]))
            for key, name in FACTS.items()
            if description.get(key) is not None and (key, description[key]) != ("resumed_after", 0)
        ]
        + [("Budget", told) for told in [budget_words(description)] if told]
        + [_covered(as_dict(one)) for one in as_list(description.get("vectors"))]
        + [_derived(name, as_dict(one)) for name, one in as_dict(run.find("transform.json").get("derived")).items()],
    }


def _filters(found: dict[str, Any]) -> str:
    """What hidden units look at; empty where rows are no images."""
    units = as_number(found.get("units")) or 0
    title = f"What the strongest of {units:,.0f} hidden units look at"
    return sheets(title, [("", as_dict(found.get("strip")))], 300.0)


def _samples(found: list[Any]) -> str:
    """What a generator makes of the same seeds from epoch to epoch; empty where nothing is generated."""
    rows = [as_dict(one) for one in found]
    named = [
        (f"epoch {as_number(one.get('epoch')):.0f}" if as_number(one.get("epoch")) else "best", one) for one in rows
    ]
    return sheets("What is made of the same seeds", [(words, as_dict(one.get("strip"))) for words, one in named], 40.0)


def _covered(one: dict[str, Any]) -> tuple[str, str]:
    """How many words of a text have a pretrained vector."""
    share, words = as_number(one.get("coverage")) or 0.0, as_number(one.get("words")) or 0
    return f"Pretrained vectors, {one.get('feature')}", f"for {share:.0%} of {words:,.0f} words"


def _derived(name: str, plan: dict[str, Any]) -> tuple[str, str]:
    """What is made of several features, and how."""
    method, factors = plan.get("method"), as_list(plan.get("factors"))
    features = listed(list(dict.fromkeys(str(as_dict(one).get("feature")) for one in as_list(plan.get("inputs")))))
    title = f"Derived feature {name}"
    if method == "pca":
        axes = as_list(as_list(factors[0])[0]) if factors and as_list(factors[0]) else []
        return title, f"the {len(axes)} largest principal components of {features}"
    gives = "distances to" if plan.get("gives") == "distances" else "membership of"
    by = "k-means" if method == "kmeans" else "a mixture of Gaussians"
    return title, f"{gives} {len(as_list(plan.get('centres')))} clusters by {by} in {features}"


def _telling(one: dict[str, Any]) -> tuple[str, str]:
    """A title and the picture of the n-grams that speak for one side."""
    kind = "word n-grams" if one.get("of") == "words" else "n-grams of characters"
    title = f"{one.get('feature')}: {kind} that speak for {one.get('towards')}"
    pairs = [(str(term), as_number(effect) or 0.0) for term, effect in as_list(one.get("terms"))]
    return title, terms(pairs, title, 1 if all(effect >= 0 for _, effect in pairs) else 2)


def learning_curves(history: History, best: float | None) -> list[tuple[str, str]]:
    """A picture for each quantity of ``history``, (name, SVG): training and validation together, the loss first.

    A learning rate that never changed has no picture.
    """
    names = [n for n in history if n != "epoch" and any(v is not None for v in history[n])]
    names = [n for n in names if n != "learning_rate" or len(set(history[n])) > 1]
    bases = sorted({n.removeprefix("val_") for n in names}, key=lambda n: (n == "learning_rate", n != "loss", n))
    epochs = [v if v is not None else float(i) for i, v in enumerate(next(iter(history.values()), []))]
    if "epoch" in history:
        epochs = [v if v is not None else float(i) for i, v in enumerate(history["epoch"])]
    return [(base, _curve(base, history, epochs, best)) for base in bases]


def _curve(base: str, history: History, epochs: list[float], best: float | None) -> str:
    curves = {name: history[name] for name in (base, f"val_{base}") if name in history}
    values = [v for column in curves.values() for v in column if v is not None]
    title = {"loss": "Loss", "learning_rate": "Learning rate"}.get(base, metric_label(base))
    limits = (min(epochs), max(epochs) if len(epochs) > 1 else min(epochs) + 1)
    plot = Plot(title, limits, nice_domain(values), "epoch", integer_x=True)
    for name, column in curves.items():
        validation = name.startswith("val_")
        points = [(e, v) for e, v in zip(epochs, column, strict=False) if v is not None]
        if base == "learning_rate":
            points = [
                p
                for (x, y), (x1, _) in zip(points, [*points[1:], *points[-1:]], strict=True)
                for p in ((x, y), (x1, y))
            ]
        words = "" if base == "learning_rate" else "validation" if validation else "training"
        if points:
            plot.line(points, 2 if validation else 1, words)
    if best is not None and limits[0] <= best <= limits[1]:
        plot.mark_x(best, f"best epoch {label(best)}")
    return plot.render()


def _fact(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    number = as_number(value)
    if number is None or isinstance(value, str):
        return str(value)
    if key == "seed":
        return str(value)
    if key == "seconds":
        return seconds_text(number)
    return f"{number:,.0f}"
