"""When a pipeline runs by schedule: from the moment on that somebody switches its DAG on, and not for what lay before.

Airflow's own timetables start, without ``catchup``, a run for the last time that has passed. So the first click on
*Trigger*, which switches a DAG on, would start a second run that nobody asked for.
"""

import datetime as dt

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

LATE = dt.timedelta(minutes=5)
"""How late the scheduler may be for a run that was due, e.g. while Airflow starts; what is older is not made up for."""

MISSED = dt.timedelta(days=1)
"""How long a run that nothing was there to start, e.g. while the machine was off, is made up for."""


class NextInterval(CronDataIntervalTimetable):
    """Data intervals between the times of a cron expression; the first ends after the DAG was switched on.

    Airflow counts the runs of a backfill among those by schedule. So what counts as a run that was missed is only the
    interval that follows the last one and ended less than ``MISSED`` ago.
    """

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """As its base, a missed run made up for; but nothing that lies between a backfill and now."""
        last = last_automated_data_interval
        if restriction.catchup:
            return super().next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if last is not None:
            follows = super().next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
            soon = pendulum.now("UTC") - MISSED
            if follows is None or (follows.data_interval.start == last.end and follows.data_interval.end > soon):
                return follows
        begins = self.infer_manual_data_interval(run_after=pendulum.now("UTC") - LATE).end
        earliest = max(begins, restriction.earliest or begins, last.end if last else begins)
        ahead = TimeRestriction(earliest, restriction.latest, catchup=True)
        return super().next_dagrun_info(last_automated_data_interval=None, restriction=ahead)
