"""Whether to retrain now: a pure function of the policy, the ledger and the time."""

from dataclasses import dataclass
from typing import Literal

from kilnworks.components.retraining.landing import fingerprint
from kilnworks.components.retraining.ledger import Ledger
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.schemas.decision import Comparand, DecisionRecord

DAY_SECONDS = 86_400
GATE = "retraining"
QUIET = "seconds without an arrival"
RULE = "enough new rows, nothing more arriving, cool-down over, daily budget left"


@dataclass(frozen=True)
class RetrainingDecision:
    """What was decided.

    Attributes:
        verdict: ``nothing`` new; ``wait`` for a rule; ``retrain`` now.
        record: why, for people.
        key: changes when the decision does, and not with every second that passes.
        soon: whether only more quiet time is missing, so that asking again in a moment is worth it.
    """

    verdict: Literal["nothing", "wait", "retrain"]
    record: DecisionRecord
    key: str
    soon: bool = False


def decide(policy: RetrainPolicy, ledger: Ledger, now: float) -> RetrainingDecision:
    """Judge what has arrived.

    Args:
        policy: the rules.
        ledger: what has arrived and what was started; not changed.
        now: seconds since 1970.
    """
    waiting = ledger.waiting()
    arrived = fingerprint(waiting) if waiting else ""
    if not waiting:
        growing = len(ledger.unsettled())
        reason = f"{growing} files may still be growing" if growing else "nothing new has arrived"
        record = DecisionRecord(gate=GATE, passed=False, rule=RULE, reason=reason)
        return RetrainingDecision("nothing", record, "growing" if growing else "nothing", soon=growing > 0)
    checks = (_rows(policy, ledger, waiting), _quiet(policy, ledger, waiting, now), *_pace(policy, ledger, now))
    passed = all(check.passed for check in checks)
    record = DecisionRecord(
        gate=GATE,
        passed=passed,
        rule=RULE,
        checks=checks,
        next_action="a run starts on the pinned data" if passed else "wait; what arrived is kept and judged again",
        inputs={"arrived": arrived},
        details={"files": len(waiting)},
    )
    if passed:
        return RetrainingDecision("retrain", record, arrived)
    closed = [check.name for check in checks if not check.passed]
    return RetrainingDecision("wait", record, ",".join(closed), soon=closed == [QUIET] or bool(ledger.unsettled()))


def _rows(policy: RetrainPolicy, ledger: Ledger, waiting: list[str]) -> Comparand:
    rows = sum(ledger.contents[sha].rows for sha in waiting)
    return Comparand(
        name="new rows", measured=rows, comparison=">=", wanted=policy.min_new_rows, passed=rows >= policy.min_new_rows
    )


def _quiet(policy: RetrainPolicy, ledger: Ledger, waiting: list[str], now: float) -> Comparand:
    """How long nothing has arrived; counts as long enough once the oldest file has waited for ``max_wait_seconds``."""
    arrived = [ledger.contents[sha].arrived for sha in waiting]
    last = max(*arrived, *(seen.since for seen in ledger.unsettled()), arrived[0])
    quiet, waited = max(0.0, now - last), max(0.0, now - min(arrived))
    over = waited >= policy.max_wait_seconds
    note = f"waited {waited:.0f} s, at most {policy.max_wait_seconds:.0f} s" if over else ""
    return Comparand(
        name=QUIET,
        measured=quiet,
        comparison=">=",
        wanted=policy.coalesce_seconds,
        passed=over or quiet >= policy.coalesce_seconds,
        note=note,
    )


def _pace(policy: RetrainPolicy, ledger: Ledger, now: float) -> tuple[Comparand, Comparand]:
    """Cool-down since the last start, and starts on this day of UTC. A clock set back does not lock the gate."""
    starts = [min(batch.claimed, now) for batch in ledger.batches]
    since = now - max(starts) if starts else policy.cool_down_seconds
    today = sum(1 for start in starts if start // DAY_SECONDS == now // DAY_SECONDS)
    return (
        Comparand(
            name="seconds since the last start",
            measured=since,
            comparison=">=",
            wanted=policy.cool_down_seconds,
            passed=since >= policy.cool_down_seconds,
        ),
        Comparand(
            name="runs started today",
            measured=today,
            comparison="<=",
            wanted=policy.max_per_day - 1,
            passed=today < policy.max_per_day,
        ),
    )
