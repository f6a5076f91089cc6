"""The watcher makes an event when a run is due, again only as a reminder, and lives through errors."""

import asyncio
import json
import os

import pytest

from tests.waiting import LONG_SECONDS

pytestmark = pytest.mark.slow
RULES = {"settle_seconds": 0, "coalesce_seconds": 0, "cool_down_seconds": 0, "poll_seconds": 0.01}


@pytest.fixture
def trigger(project, tmp_path):
    from kilnworks.components.retraining.policy import RetrainPolicy
    from kilnworks.dags.watcher import LandingTrigger

    (tmp_path / "landing").mkdir()
    policy = RetrainPolicy(landing=str(tmp_path / "landing"), **RULES)
    return LandingTrigger("toy", policy.model_dump(mode="json"))


def events(trigger, number, between=lambda: None):
    """The first events."""

    async def collect():
        found = []
        stream = trigger.run()
        while len(found) < number:
            found.append((await asyncio.wait_for(anext(stream), LONG_SECONDS)).payload)
            between()
        return found

    return asyncio.run(collect())


class Looked(Exception):
    """As often as it should."""


def of_looks(trigger, number=20):
    """The events of so many looks."""
    looked, left = trigger._looked, iter(range(number))

    async def counted(policy):
        if next(left, None) is None:
            raise Looked
        return await looked(policy)

    async def collect():
        found = []
        with pytest.raises(Looked):
            async for event in trigger.run():
                found.append(event.payload)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trigger, "_looked", counted)
        return asyncio.run(collect())


def put(trigger, name, text="value\n1\n"):
    with open(os.path.join(trigger.policy["landing"], name), "w") as f:  # noqa: PTH118, PTH123
        f.write(text)


def test_it_is_made_anew_from_what_it_is_serialized_to(trigger):
    path, arguments = trigger.serialize()
    assert path == "kilnworks.dags.watcher.LandingTrigger"
    assert type(trigger)(**arguments).serialize() == (path, arguments)


def test_nothing_new_makes_no_event(trigger):
    assert of_looks(trigger) == []


def test_one_event_for_what_is_due_and_the_next_after_it_was_claimed(trigger, project):
    from kilnworks.components.retraining.policy import RetrainPolicy
    from kilnworks.components.retraining.watch import claim, confirm

    put(trigger, "a.csv")

    def start():
        order = claim(RetrainPolicy.model_validate(trigger.policy), project, "toy", 4e9)
        confirm(project, "toy", order.run_id)
        put(trigger, "b.csv", "value\n2\n")

    found = events(trigger, 2, between=start)
    assert len({event["fingerprint"] for event in found}) == 2
    assert {event["pipeline"] for event in found} == {"toy"}


def test_an_event_that_nobody_acts_on_is_not_repeated_at_every_look(trigger):
    put(trigger, "a.csv")
    assert len(of_looks(trigger)) == 1


def test_it_is_made_again_as_a_reminder(trigger, monkeypatch):
    from kilnworks.dags import watcher

    monkeypatch.setattr(watcher, "REMIND_SECONDS", 0.05)
    put(trigger, "a.csv")
    first, second = events(trigger, 2)
    assert first == second


def test_a_restart_loses_nothing(trigger):
    put(trigger, "a.csv")
    before = events(trigger, 1)
    again = type(trigger)(**trigger.serialize()[1])
    assert events(again, 1) == before


def test_an_error_is_told_once_by_an_event_and_survived(trigger, project):
    put(trigger, "a.csv")
    ledger = project / "retraining" / "toy" / "ledger.json"
    ledger.parent.mkdir(parents=True)
    ledger.write_text("{ not json")
    assert [sorted(event) for event in of_looks(trigger)] == [["error", "pipeline"]]
    first, second = events(trigger, 2, between=lambda: ledger.unlink(missing_ok=True))
    assert ("error" in first, "fingerprint" in second) == (True, True)


def test_another_host_that_owns_the_store_is_no_error(trigger, project):
    from kilnworks.schemas.files import write_json

    put(trigger, "a.csv")
    write_json(project / "owner.json", {"host": "other", "mirror": "/elsewhere", "since": "2026-01-01"})
    assert "error" not in json.dumps(of_looks(trigger))
