"""From numbers to what ails a training, each with what to try. Plain numbers; imports nothing heavy.

Losses count as shares of what a constant answer loses (``sides.Side.skill``), so that the bounds are the same for every
task. A verdict is ``sure`` where its number lies beyond the bound by more than chance, and a hint otherwise.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from kilnworks.components.diagnosing.facts import Facts
from kilnworks.components.diagnosing.remedies import Remedy, less_free, longer, more_able, other, run_with
from kilnworks.components.diagnosing.sides import Mean
from kilnworks.schemas.json_values import as_number

LEARNED = 0.05
"""Share of a constant answer's loss that a training has to take away to have learned anything."""
GAP, GAP_OF_LEARNED = 0.1, 1 / 3
"""Share that validation rows lose more than training rows, and the part of what was learned that this is."""
MISSED = 0.05
"""Share of what a constant answer lacks by which another model is better."""
MORE = 0.03
"""Share that twice the rows took away from the loss."""
PERFECT, ALONE, BESIDE = 0.95, 0.9, 0.1
"""Skill that is too good; part of it that one feature has alone; part of its fall that the next feature may have."""
WRONG, FLAT = 0.03, 0.5
"""Share of the most confident answers that is wrong, and how little it may lie below that of all answers."""
FALLING = 0.02
"""Share that the last third of the epochs took away from the loss of the validation."""


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        kind: its name for programs.
        title: in words.
        sure: whether the number lies beyond its bound by more than chance.
        said: what was found, with the numbers.
        remedies: what to try, the most promising first.
    """

    kind: str
    title: str
    sure: bool
    said: str
    remedies: tuple[Remedy, ...]

    def record(self) -> dict[str, object]:
        """As JSON-serializable values."""
        return asdict(self)


def verdicts(facts: Facts) -> list[Verdict]:
    """What ails a training, the gravest first; empty where nothing was found."""
    found = [verdict for check in CHECKS for verdict in check(facts)]
    kinds = {verdict.kind for verdict in found}
    return [one for one in found if not kinds & HIDDEN_BY.get(one.kind, frozenset())]


def looked_for(facts: Facts) -> list[str]:
    """Faults that these facts could have shown, in words: what "nothing found" speaks of."""
    sides = facts.sides
    both = sides is not None and sides.comparable
    able = {
        "high bias": sides is not None and sides.train.scale is not None,
        "high variance": both,
        "lack of rows": doubling(facts) is not None,
        "leak": bool(facts.leans),
        "wrong labels": bool(facts.confident),
        "sick layers": True,
    }
    return [name for name, seen in able.items() if seen]


def _shuffled(facts: Facts) -> Iterator[Verdict]:
    """Validation rows are answered as well by the answers of other rows, while the loss of training falls."""
    sides = facts.sides
    if sides is None or not sides.comparable:
        return
    assert sides.val is not None
    tells, learned = sides.val.tells(), _learned_at_all(facts)
    if tells.low <= 0 and sides.val.skill().value < LEARNED and learned >= LEARNED and math.isfinite(tells.high):
        yield Verdict(
            "shuffled_labels", "Labels do not go with their rows", True,
            f"the loss of training falls by {learned:.0%} of what a constant answer loses, and on validation rows the "
            f"answers of other rows do as well ({_words(tells)}): what is learned is true of no other row",
            (other("look whether labels belong to their rows: a join, a sort or a shift before the data came here; the "
                   "report shows how each feature goes with the label", f"kilnworks report {facts.pipeline}"),),
        )  # fmt: skip


def _high_bias(facts: Facts) -> Iterator[Verdict]:
    sides = facts.sides
    better = [(name, gain) for name, gain in facts.simple.items() if gain["low"] > 0 and gain["value"] >= MISSED]
    if sides is not None and sides.train.scale is not None:
        skill = sides.train.skill()
        if skill.high < LEARNED and _learned_at_all(facts) < LEARNED:
            yield Verdict(
                "high_bias", "High bias: the training rows themselves are not learned", True,
                f"training rows lose {1 - skill.value:.0%} of what a constant answer loses", more_able(facts),
            )  # fmt: skip
            return
    if better and not any(True for _ in _high_variance(facts)):
        name, gain = max(better, key=lambda one: one[1]["value"])
        yield Verdict(
            "high_bias", "High bias: there is more in the data than the network learns", True,
            f"{SIMPLE.get(name, name)} makes up {gain['value']:.0%} more of what a constant answer lacks on the same "
            f"rows (95 %: {gain['low']:.0%} to {gain['high']:.0%})", more_able(facts),
        )  # fmt: skip


def _high_variance(facts: Facts) -> Iterator[Verdict]:
    sides = facts.sides
    if sides is None or not sides.comparable:
        return
    gap, learned = sides.gap(), sides.train.skill().value
    if gap.value >= GAP and gap.value >= GAP_OF_LEARNED * learned:
        yield Verdict(
            "high_variance", "High variance: what is learned of the training rows does not hold for others",
            gap.low > 0, f"validation rows lose more than training rows by {_words(gap)} of what a constant answer "
            f"loses; training took away {learned:.0%}", less_free(facts),
        )  # fmt: skip


def _more_data(facts: Facts) -> Iterator[Verdict]:
    gain = doubling(facts)
    if gain is not None and gain.value >= MORE:
        last = facts.points[-1]
        yield Verdict(
            "more_data", "Needs more data", gain.low > 0,
            f"twice the rows took {_words(gain)} of what a constant answer loses away from the loss, up to the "
            f"{last.rows:,} rows that there are",
            (other("bring more rows: the curve has not levelled off", ""),
             *less_free(facts)[:1]),
        )  # fmt: skip


def doubling(facts: Facts) -> Mean | None:
    """What the last doubling of the rows took away from the validation's loss, as a share; None without a curve.

    The same validation rows are compared. Between shares that are no doubling apart, losses are taken to fall evenly
    with the logarithm of the rows.
    """
    able = [point for point in facts.points if point.sides.comparable]
    if len(able) < 2:
        return None
    before, last = able[-2], able[-1]
    assert before.sides.val is not None and last.sides.val is not None
    if len(before.sides.val.loss) != len(last.sides.val.loss) or before.rows >= last.rows:
        return None
    pairs = zip(before.sides.val.shares(), last.sides.val.shares(), strict=True)
    doublings = math.log2(last.rows / before.rows)
    return Mean.of([(a - b) / doublings for a, b in pairs])


def _leak(facts: Facts) -> Iterator[Verdict]:
    features, skill = facts.leans.get("features") or [], as_number(facts.leans.get("skill"))
    if skill is None or skill < PERFECT or len(features) < 2:
        return
    first, second = features[0], features[1]
    alone = as_number(facts.leans.get("alone"))
    falls = second["fall"] <= BESIDE * first["fall"] if alone is None else alone >= ALONE * skill
    if falls:
        how = "" if alone is None else f"; with every other feature shuffled it still reaches {alone:.0%}"
        yield Verdict(
            "leak", f"Leak suspected: {first['name']} alone tells the label", True,
            f"the answers make up {skill:.0%} of what a constant answer lacks, and nearly all of it by "
            f"{first['name']}{how}",
            (other(f"ask whether {first['name']} is known before the label is; if not, take it out of the contract",
                   f"kilnworks explain {facts.pipeline}"),),
        )  # fmt: skip


def _label_noise(facts: Facts) -> Iterator[Verdict]:
    told = facts.confident
    if told and told["low"] >= WRONG and told["wrong"] >= FLAT * told["all"]:
        yield Verdict(
            "label_noise", "Label noise suspected", True,
            f"of the fifth of the validation rows with the most confident answers {told['wrong']:.0%} have another "
            f"label, of all {told['all']:.0%}: errors do not go where the network is in doubt",
            (other("look at the rows with a confident answer and another label", f"kilnworks explain {facts.pipeline}"),
             other("learn with labels that are less sure",
                   run_with(facts.pipeline, {**facts.settings, f"{facts.step}.label_smoothing": 0.1}))),
        )  # fmt: skip


def _still_falling(facts: Facts) -> Iterator[Verdict]:
    """The last epoch is the best one, and the loss of the validation still falls."""
    losses, sides = facts.column("val_loss"), facts.sides
    best = as_number(facts.training.get("best_epoch"))
    if sides is None or not sides.comparable or len(losses) < 3 or best != len(losses):
        return
    assert sides.val is not None
    fell = (losses[-1 - len(losses) // 3] - losses[-1]) / (sides.val.scale or 1.0)
    if fell >= FALLING:
        yield Verdict(
            "still_falling", "Not trained to the end", False,
            f"the last of {len(losses)} epochs is the best one, and the last third of them took away {fell:.0%} of "
            "what a constant answer loses", longer(facts, len(losses)),
        )  # fmt: skip


def _layers(facts: Facts) -> Iterator[Verdict]:
    """What the health monitor saw."""
    for one in facts.health:
        where = f"layer {one['layer']}: " if one.get("layer") else ""
        command = f"kilnworks lr-find {facts.pipeline}" if "learning_rate" in str(one["remedy"]) else ""
        yield Verdict(
            str(one["kind"]), HEALTH.get(str(one["kind"]), str(one["kind"])), True,
            f"{where}{one['said']} (epoch {one['epoch']})", (other(str(one["remedy"]), command),),
        )  # fmt: skip


def _learned_at_all(facts: Facts) -> float:
    """Share of a constant answer's loss that training took away, at its best epoch or over all of its epochs."""
    sides, losses = facts.sides, facts.column("loss")
    if sides is None or sides.train.scale is None:
        return 0.0
    fell = (losses[0] - statistics.fmean(losses[-2:])) / sides.train.scale if len(losses) > 1 else 0.0
    return max(sides.train.skill().value, fell)


def _words(mean: Mean) -> str:
    ends = f" (95 %: {mean.low:.1%} to {mean.high:.1%})" if math.isfinite(mean.low) else ""
    return f"{mean.value:.1%}{ends}"


SIMPLE = {"linear": "a linear model", "boosted": "gradient boosting of trees"}
HEALTH = {
    "same_units": "Units that are all the same", "dead_units": "Dead units", "saturated": "Saturated activations",
    "vanishing_gradients": "Vanishing gradients", "exploding_gradients": "Exploding gradients",
    "rate_too_high": "Learning rate too high", "rate_too_low": "Learning rate too low",
}  # fmt: skip
CHECKS: tuple[Callable[[Facts], Iterator[Verdict]], ...] = (
    _leak, _shuffled, _layers, _high_bias, _high_variance, _more_data, _label_noise, _still_falling,
)  # fmt: skip
HIDDEN_BY = {
    "high_variance": frozenset({"shuffled_labels"}),
    "more_data": frozenset({"shuffled_labels"}),
    "label_noise": frozenset({"shuffled_labels", "high_bias", "high_variance"}),
    "high_bias": frozenset({"shuffled_labels"}),
}
"""A verdict -> those beside which it says nothing of its own."""
