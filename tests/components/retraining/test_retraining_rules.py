"""When a retraining is due, rule by rule, with the time as a number."""

import pytest

from kilnworks.components.retraining.landing import fingerprint
from kilnworks.components.retraining.ledger import Content, LandedData, Ledger, Seen
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.retraining.rules import decide

NOON = 1_800_000_000 - 1_800_000_000 % 86_400 + 43_200
POLICY = RetrainPolicy(
    landing="x",
    min_new_rows=100,
    coalesce_seconds=60,
    max_wait_seconds=600,
    cool_down_seconds=3600,
    max_per_day=2,
)


def ledger(*files, starts=(), unsettled=()):
    """Files as (rows, seconds before noon); starts and unsettled in seconds before noon."""
    found = Ledger()
    for i, (rows, ago) in enumerate(files):
        found.contents[f"c{i}"] = Content(rows=rows, arrived=NOON - ago)
        found.files[f"f{i}"] = Seen(size=1, changed="", since=NOON - ago, sha256=f"c{i}")
    for i, ago in enumerate(unsettled):
        found.files[f"u{i}"] = Seen(size=1, changed="", since=NOON - ago)
    found.batches = [LandedData(run_id=f"r{s}", fingerprint="", new=[], rows=1, claimed=NOON - s) for s in starts]
    return found


def failing(*args, **kwargs):
    decision = decide(POLICY, ledger(*args, **kwargs), NOON)
    return decision.verdict, [c.name for c in decision.record.checks if not c.passed]


def test_nothing_new():
    assert failing() == ("nothing", [])


def test_all_rules_kept():
    assert failing((60, 100), (40, 61)) == ("retrain", [])


def test_too_few_rows():
    assert failing((99, 100)) == ("wait", ["new rows"])


def test_rows_of_several_files_count_together_but_not_those_already_used():
    found = ledger((60, 100), (40, 61))
    found.contents["c1"].batch = "earlier"
    assert decide(POLICY, found, NOON).verdict == "wait"


def test_a_burst_is_waited_for():
    assert failing((100, 300), (1, 59)) == ("wait", ["seconds without an arrival"])


def test_a_file_that_still_grows_is_waited_for():
    assert failing((100, 300), unsettled=(5,)) == ("wait", ["seconds without an arrival"])


def test_a_trickle_is_not_waited_for_any_longer():
    assert failing((100, 600), (1, 1)) == ("retrain", [])


@pytest.mark.parametrize(("start", "verdict"), [(3599, "wait"), (3600, "retrain")])
def test_cool_down(start, verdict):
    assert decide(POLICY, ledger((100, 61), starts=(start,)), NOON).verdict == verdict


def test_daily_budget_is_that_of_a_day_of_utc():
    assert failing((100, 61), starts=(4000, 8000)) == ("wait", ["runs started today"])
    assert failing((100, 61), starts=(4000, 43_201)) == ("retrain", [])


def test_a_clock_that_was_set_back_does_not_lock_the_gate_for_ever():
    found = ledger((100, 61), starts=(-1_000_000,))
    assert decide(POLICY, found, NOON).verdict == "wait"
    assert decide(POLICY.updated({"cool_down_seconds": 0}), found, NOON).verdict == "retrain"


def test_the_record_says_every_number_and_what_is_next():
    record = decide(POLICY, ledger((99, 100)), NOON).record
    assert record.headline.startswith("retraining gate closed: new rows 99 is")
    assert {c.name: c.measured for c in record.checks} == {
        "new rows": 99,
        "seconds without an arrival": 100,
        "seconds since the last start": 3600,
        "runs started today": 0,
    }
    assert record.inputs["arrived"] == fingerprint(["c0"])


def test_asking_again_soon_is_worth_it_only_while_data_still_arrives():
    assert decide(POLICY, ledger((100, 30)), NOON).soon
    assert decide(POLICY, ledger(unsettled=(3,)), NOON).soon
    assert not decide(POLICY, ledger((99, 100)), NOON).soon
    assert not decide(POLICY, ledger(), NOON).soon


def test_the_key_changes_with_the_reason_and_not_with_the_second():
    early = decide(POLICY, ledger((99, 100)), NOON).key
    assert decide(POLICY, ledger((99, 100)), NOON + 1).key == early
    assert decide(POLICY, ledger((100, 100)), NOON).key != early


def test_the_fingerprint_is_of_the_contents_alone():
    assert fingerprint(["b", "a", "a"]) == fingerprint(["a", "b"]) != fingerprint(["a"])
