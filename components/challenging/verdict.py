"""From a measured difference to a decision, in words for a person and numbers for a machine."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from kilnworks.components.challenging.gain import Gain
from kilnworks.components.challenging.settings import Challenge, Rule
from kilnworks.components.judging.metric import Metric
from kilnworks.schemas.words import figure, signed

Word = Literal[
    "better", "not worse", "worse", "worse slice", "undecided", "unmeasured", "first", "same model", "off", "not asked"
]
SHARE_MARGIN = 0.005
"""Margin of a metric between 0 and 1, where none is given."""
OTHER_MARGIN = 0.01
"""Margin of other metrics, as a share of the champion's value."""
SLICES_TOLD = 3
"""Slices that are named in the line."""


@dataclass(frozen=True)
class Verdict:
    """What came of comparing a new model with the champion.

    Attributes:
        verdict: ``better``, ``not worse``, ``worse`` (by more than the margin), ``worse slice`` (so in a slice of the
            rows), ``undecided`` (too few rows to say); ``unmeasured``; or nothing was to compare: ``first``, ``same
            model``, ``off``, ``not asked`` (by hand).
        live: whether the rule lets the new model go live.
        text: all of it in one line.
        metric, better: what was compared, and whether ``max`` or ``min`` is better; empty where nothing was.
        champion, challenger: its values on the same rows.
        difference, low, high: challenger minus champion, and the bounds of that.
        margin, level, rule, rows, method: as asked for; how many were compared; how the bounds came about.
        unit: what was counted: ``rows``, ``windows`` of a series.
        against: ``{"run_id", "version"}`` of the champion.
        slices: what is shown of each, as ``per_slice.judged`` tells it.
    """

    verdict: Word
    live: bool
    text: str
    metric: str = ""
    better: str = ""
    champion: float | None = None
    challenger: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    level: float | None = None
    rule: str = ""
    rows: int | None = None
    unit: str = "rows"
    method: str = ""
    against: dict[str, Any] | None = None
    slices: tuple[dict[str, Any], ...] = ()

    def record(self) -> dict[str, Any]:
        """As JSON-serializable values."""
        return asdict(self)


def margin_of(challenge: Challenge, metric: Metric, champion: float) -> float:
    """The difference that does not matter, in the unit of the metric."""
    if challenge.margin is not None:
        return challenge.margin
    if challenge.rule == "better":
        return 0.0
    return SHARE_MARGIN if metric.share else OTHER_MARGIN * abs(champion)


def decided(
    challenge: Challenge,
    metric: Metric,
    values: tuple[float, float],
    gain: Gain,
    rows: int,
    split: str,
    unit: str = "rows",
) -> Verdict:
    """Hold a measured gain against the rule.

    Args:
        challenge: the rule, its margin and its level.
        metric: what was measured.
        values: of the champion and of the challenger.
        gain: of the challenger, positive = better.
        rows: how many were compared.
        split: of which they are.
        unit: what is counted, as ``Task.unit`` names it.
    """
    margin = margin_of(challenge, metric, values[0])
    word = _word(challenge.rule, gain, margin)
    live = {
        "not_worse": word != "worse",
        "non_inferior": word in ("better", "not worse"),
        "better": word == "better",
    }[challenge.rule]
    sign = 1 if metric.better == "max" else -1
    low, high = sorted((sign * gain.low, sign * gain.high))
    found = Verdict(
        verdict=word, live=live, text="", metric=metric.name, better=metric.better, champion=values[0],
        challenger=values[1], difference=values[1] - values[0], low=low, high=high, margin=margin,
        level=challenge.level, rule=challenge.rule, rows=rows, unit=unit, method=gain.method,
    )  # fmt: skip
    return replace(found, text=_text(found, split))


def with_slices(found: Verdict, slices: Sequence[dict[str, Any]]) -> Verdict:
    """The verdict on all rows and on slices of them: one that is served worse holds a model that would go live."""
    worse = [one for one in slices if one["verdict"] == "worse"]
    if not slices:
        return found
    told = "; ".join(_slice_text(one, found) for one in worse[:SLICES_TOLD])
    more = f"; and {len(worse) - SLICES_TOLD} more" if len(worse) > SLICES_TOLD else ""
    said = f"shown to be worse in {told}{more}" if worse else f"in none of {len(slices)} slices shown to be worse"
    word = "worse slice" if worse and found.live else found.verdict
    return replace(
        found, verdict=word, live=found.live and not worse, text=f"{found.text}; {said}", slices=tuple(slices)
    )


def _slice_text(one: Mapping[str, Any], found: Verdict) -> str:
    bounds = f"{signed(one['low'])} to {signed(one['high'])}"
    values = f"{found.metric} {figure(one['challenger'])} against {figure(one['champion'])}"
    return f"{one['column']} {one['value']} ({values} on {_counted(one['rows'], found.unit)}, bounds {bounds})"


def unmeasured(challenge: Challenge, why: str) -> Verdict:
    """The two could not be compared; the settings say what follows."""
    live = challenge.unmeasured == "promote"
    then = "goes live unmeasured" if live else "held, because nothing goes live unmeasured here"
    return Verdict("unmeasured", live, f"not compared with the champion: {why}; {then}", rule=challenge.rule)


def _word(rule: Rule, gain: Gain, margin: float) -> Word:
    if gain.low > (margin if rule == "better" else 0):
        return "better"
    if gain.high < (0 if rule == "better" else -margin):
        return "worse"
    return "not worse" if gain.low >= -margin else "undecided"


def rule_words(rule: str, metric: str, margin: float | None, level: float | None) -> str:
    """The rule as a clause."""
    by = f" by more than {figure(margin, 3)} of {metric}" if margin else f" in {metric}" if metric else ""
    sure = f", at {100 * level:g} % confidence" if level is not None else ""
    said = {
        "not_worse": "a new model goes live unless it is shown to be worse than the champion",
        "non_inferior": "a new model goes live once it is shown not to be worse than the champion",
        "better": "a new model goes live once it is shown to be better than the champion",
    }
    return f"{said[rule]}{by}{sure}"


def _text(found: Verdict, split: str) -> str:
    """Both values, what the rule makes of them, and the difference with its bounds and the margin."""
    assert found.rows is not None and found.level is not None and found.difference is not None
    assert found.low is not None and found.high is not None and found.margin is not None
    assert found.challenger is not None and found.champion is not None
    rows = f"the same {_counted(found.rows, found.unit, split)}"
    bounds = (
        f"{100 * found.level:g} % bounds {signed(found.low)} to {signed(found.high)}, margin {figure(found.margin, 2)}"
    )
    values = f"{found.metric} {figure(found.challenger)} against {figure(found.champion)} on {rows}"
    return f"{values}: {_means(found)} (difference {signed(found.difference)}, {bounds})"


def _counted(number: int, unit: str, split: str = "") -> str:
    """``1,708 test windows``, ``1 row``."""
    return " ".join(filter(None, (f"{number:,}", split, unit.removesuffix("s") if number == 1 else unit)))


def _means(found: Verdict) -> str:
    match found.verdict, found.rule:
        case "better", _:
            return "shown to be better"
        case "worse", _:
            return "shown to be worse"
        case _, "better":
            return "not shown to be better"
        case "not worse", _:
            return "not worse"
        case _, "non_inferior":
            return f"too few {found.unit} to show that it is not worse"
        case _:
            return "not shown to be worse"
