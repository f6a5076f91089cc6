"""Switching a DAG on starts no run for a time that has passed."""

import datetime as dt

import pendulum
import pytest

pytestmark = pytest.mark.slow
NAMES = ("toy", "weekly")
"""Without and with the rows of an interval."""


def yearly(moment):
    """A cron expression that is due at a minute of the year."""
    return f"{moment.minute} {moment.hour} {moment.day} {moment.month} *"


def minute(moment):
    return moment.replace(second=0, microsecond=0)


@pytest.fixture
def first(project):
    """The first run by schedule of a definition, as the scheduler works it out."""

    def worked_out(name, **changes):
        from dataclasses import replace

        from airflow.serialization.serialized_objects import DagSerialization

        from kilnworks.dags.factory import build_dag
        from kilnworks.pipelines.core.registry import load

        dag = build_dag(replace(load(name), **changes))
        read = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        return read.next_dagrun_info(last_automated_run_info=None)

    return worked_out


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ago", [dt.timedelta(hours=1), dt.timedelta(days=3), dt.timedelta(days=200)])
def test_what_was_due_before_the_dag_was_switched_on_is_not_run(first, name, ago):
    now = dt.datetime.now(dt.UTC)
    info = first(name, schedule=yearly(now - ago))
    assert info.run_after > now + dt.timedelta(days=364) - ago


@pytest.mark.parametrize("name", NAMES)
def test_what_is_due_while_the_scheduler_is_late_is_not_lost(first, name):
    due = minute(dt.datetime.now(dt.UTC)) - dt.timedelta(minutes=1)
    assert first(name, schedule=yearly(due)).run_after == due


def test_the_first_interval_is_the_one_that_goes_on(first):
    now = dt.datetime.now(dt.UTC)
    info = first("weekly", schedule="@weekly")
    sunday = (now - dt.timedelta(days=(now.weekday() + 1) % 7)).replace(hour=0, minute=0, second=0, microsecond=0)
    if now - sunday > dt.timedelta(minutes=6):
        interval = (info.data_interval.start, info.data_interval.end)
        assert interval == (sunday, sunday + dt.timedelta(days=7))


def test_once_is_at_once(first):
    assert first("toy", schedule="@once").run_after < dt.datetime.now(dt.UTC)


@pytest.mark.parametrize("weeks", [1, 2, 60])
def test_a_backfill_of_old_intervals_is_not_followed_by_a_run_for_the_last_one(weeks):
    due = minute(dt.datetime.now(dt.UTC)) - dt.timedelta(days=3)
    info = after(due - dt.timedelta(weeks=weeks), f"{due.minute} {due.hour} * * {due.isoweekday() % 7}")
    assert info.data_interval.start >= due


def test_a_run_that_was_missed_a_few_hours_ago_is_made_up_for():
    due = minute(dt.datetime.now(dt.UTC)) - dt.timedelta(hours=3)
    info = after(due - dt.timedelta(days=1), f"{due.minute} {due.hour} * * *")
    assert (info.data_interval.start, info.data_interval.end) == (due - dt.timedelta(days=1), due)


def after(end, cron):
    """What comes after an interval that ended then."""
    from airflow.timetables.base import DataInterval, TimeRestriction

    from kilnworks.dags.timetable import NextInterval

    last = DataInterval(pendulum.instance(end - dt.timedelta(days=1)), pendulum.instance(end))
    return NextInterval(cron, timezone="UTC").next_dagrun_info(
        last_automated_data_interval=last, restriction=TimeRestriction(None, None, catchup=False)
    )
