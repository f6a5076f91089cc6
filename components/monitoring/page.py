"""The facts of a store in Prometheus' text format.

One gauge a fact, ``kilnworks_*``, with the pipeline as label; times are seconds since 1970, so that a rule can say how
long ago they were. What is not known is left out: no run, no line.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kilnworks.components.monitoring.facts import OUTCOMES, ChampionFacts, DriftFacts, PipelineFacts, RunFacts
from kilnworks.components.serving.inference.metrics import labels_text

PREFIX = "kilnworks_"
PIPELINES = f"{PREFIX}pipelines"
"""The one metric without labels: it is there for an empty store, too."""
MAX_SERIES = 4096
"""Lines of one metric; a contract of more features does not fill a Prometheus."""

Sample = tuple[tuple[str, ...], float | None]
"""Label values, and the number; None is left out."""


@dataclass(frozen=True)
class Gauge:
    """One metric: its name behind ``PREFIX``, what it means, and its labels behind ``pipeline``."""

    name: str
    text: str
    labels: tuple[str, ...] = ()

    def lines(self, samples: Iterable[Sample]) -> Iterator[str]:
        """Its exposition; nothing where there is no sample."""
        known = [(values, number) for values, number in samples if number is not None][:MAX_SERIES]
        if known:
            yield f"# HELP {PREFIX}{self.name} {self.text}"
            yield f"# TYPE {PREFIX}{self.name} gauge"
        for values, number in known:
            yield f"{PREFIX}{self.name}{{{labels_text(('pipeline', *self.labels), values)}}} {float(number)!r}"


RUNS = Gauge("runs", "Runs by what they have come to, of those that were looked at.", ("outcome",))
LAST_OUTCOME = Gauge("last_run_outcome", "1 for what the newest run has come to, 0 for all else.", ("outcome",))
LAST_STARTED = Gauge("last_run_started_timestamp_seconds", "When the newest run began.")
LAST_SECONDS = Gauge("last_run_duration_seconds", "Wall time of the steps of the newest run.")
SUCCEEDED = Gauge("last_success_timestamp_seconds", "When the last run ended that was done through to its end.")
METRIC = Gauge("last_run_metric", "Metrics of the newest run that has measured its model.", ("metric",))
DATA_ROWS = Gauge("data_rows", "Rows of the newest run that has checked its data.")
DATA_BROKEN = Gauge("data_rules_broken", "Rules of the contract that these rows break.")
DATA_ASIDE = Gauge("data_set_aside_ratio", "Share of rows that were set aside, 0 to 1.")
DRIFT_CHECKED = Gauge("drift_checked_timestamp_seconds", "When two sets of rows were last compared.", ("new", "old"))
DRIFT_FEATURES = Gauge("drift_features", "Features that were compared.", ("new", "old"))
DRIFT_MOVED = Gauge("drift_features_moved", "Features beyond a threshold of the contract.", ("new", "old"))
DRIFT_SCORE = Gauge(
    "drift_score", "Worst statistic of a feature as a multiple of its threshold.", ("new", "old", "feature")
)
DRIFT_AUC = Gauge("drift_classifier_auc", "How well a small model tells both sets apart, 0.5 to 1.", ("new", "old"))
CHAMPION = Gauge("champion_version", "Version that is live.", ("model",))
CHAMPION_INFO = Gauge("champion_info", "1 for the run that made the live model.", ("model", "version", "run_id"))
CHAMPION_SINCE = Gauge("champion_live_timestamp_seconds", "When the live model went live.", ("model",))
CHAMPION_TRAINED = Gauge("champion_trained_timestamp_seconds", "When the run of the live model began.", ("model",))
CHAMPION_METRIC = Gauge("champion_metric", "Metrics of the live model, as its run measured them.", ("model", "metric"))

ORDER = (
    *(RUNS, LAST_OUTCOME, LAST_STARTED, LAST_SECONDS, SUCCEEDED, METRIC),
    *(DATA_ROWS, DATA_BROKEN, DATA_ASIDE),
    *(DRIFT_CHECKED, DRIFT_FEATURES, DRIFT_MOVED, DRIFT_SCORE, DRIFT_AUC),
    *(CHAMPION, CHAMPION_INFO, CHAMPION_SINCE, CHAMPION_TRAINED, CHAMPION_METRIC),
)
"""Every metric, in the order of the page."""


def facts_page(facts: Sequence[PipelineFacts]) -> str:
    """The text that Prometheus reads; a metric's lines stand together, as the format wants."""
    found: dict[str, list[Sample]] = {gauge.name: [] for gauge in ORDER}
    for one in facts:
        for gauge, labels, number in _samples(one):
            found[gauge.name].append(((one.name, *labels), number))
    head = (f"# HELP {PIPELINES} Pipelines that have runs in the store.", f"# TYPE {PIPELINES} gauge")
    lines = (line for gauge in ORDER for line in gauge.lines(found[gauge.name]))
    return "".join(f"{line}\n" for line in (*head, f"{PIPELINES} {len(facts)}", *lines))


def _samples(facts: PipelineFacts) -> Iterator[tuple[Gauge, tuple[str, ...], float | None]]:
    for outcome in OUTCOMES:
        yield RUNS, (outcome,), facts.outcomes.get(outcome, 0)
    if facts.newest is not None:
        yield from _run(facts.newest)
    yield SUCCEEDED, (), facts.succeeded
    for name, value in facts.metrics.items():
        yield METRIC, (name,), value
    if facts.quality is not None:
        yield DATA_ROWS, (), facts.quality.rows
        yield DATA_BROKEN, (), facts.quality.broken
        yield DATA_ASIDE, (), facts.quality.aside
    for compared in facts.drift:
        yield from _drift(compared)
    if facts.champion is not None:
        yield from _champion(facts.champion)


def _run(run: RunFacts) -> Iterator[tuple[Gauge, tuple[str, ...], float | None]]:
    for outcome in OUTCOMES:
        yield LAST_OUTCOME, (outcome,), float(run.outcome == outcome)
    yield LAST_STARTED, (), run.started
    yield LAST_SECONDS, (), run.seconds


def _drift(found: DriftFacts) -> Iterator[tuple[Gauge, tuple[str, ...], float | None]]:
    pair = (found.new, found.reference)
    yield DRIFT_CHECKED, pair, found.checked
    yield DRIFT_FEATURES, pair, len(found.scores)
    yield DRIFT_MOVED, pair, found.moved
    for feature, score in found.scores.items():
        yield DRIFT_SCORE, (*pair, feature), score
    yield DRIFT_AUC, pair, found.auc


def _champion(found: ChampionFacts) -> Iterator[tuple[Gauge, tuple[str, ...], float | None]]:
    yield CHAMPION, (found.model,), found.version
    yield CHAMPION_INFO, (found.model, str(found.version), found.run_id), 1
    yield CHAMPION_SINCE, (found.model,), found.since
    yield CHAMPION_TRAINED, (found.model,), found.trained
    for name, value in found.metrics.items():
        yield CHAMPION_METRIC, (found.model, name), value
