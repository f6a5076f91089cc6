"""LocalExecutor that tells the end of a task when the last process that was started for it has ended.

A task that waits for an answer has two processes in one try: the one that asks, and the one that takes the answer. They
have the same key. The end of the first reaches the scheduler seconds later, and Airflow 3.3 takes it for the end of the
second: it fails the task as killed from outside (``SchedulerJobRunner.process_executor_events``; apache/airflow#72716).

And its processes hold no connection of the scheduler to the database. They are forked, and outlive a scheduler that is
killed: with a copy of its connection open, the server does not learn that the other end is gone, and what the scheduler
was writing would stay locked for each scheduler that is started afterwards.
"""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from airflow import settings
from airflow.executors.base_executor import BaseExecutor
from airflow.executors.local_executor import LocalExecutor
from airflow.executors.workloads import ExecutorWorkload
from airflow.utils.state import TaskInstanceState

ENDED = (TaskInstanceState.SUCCESS, TaskInstanceState.FAILED)


class LastEnd(BaseExecutor):
    """For an executor that starts processes by ``_process_workloads`` and tells their ends to ``change_state``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._alive: Counter[Any] = Counter()  # key of a task's try -> processes that were started and have not ended

    def _process_workloads(self, workload_items: Sequence[ExecutorWorkload]) -> None:
        """Start the processes, and count them."""
        self._alive.update(workload.key for workload in workload_items)
        super()._process_workloads(workload_items)

    def change_state(self, key: Any, state: Any, info: Any = None, remove_running: bool = True) -> None:
        """Tell the scheduler, but for the end of a process whose task goes on in another."""
        if state in ENDED:
            self._alive[key] -= 1
            if self._alive[key] > 0:
                self.log.info("The process that waited has ended; its task goes on: %s", key)
                return
            del self._alive[key]
        super().change_state(key, state, info, remove_running)


class LastEndLocalExecutor(LastEnd, LocalExecutor):
    """For ``[core] executor = kilnworks.dags.executor.LastEndLocalExecutor``."""

    def start(self) -> None:
        """Start the processes; this and each later fork leaves the database's connections to the scheduler."""
        scheduler = os.getpid()
        os.register_at_fork(before=lambda: _close_connections(scheduler))
        super().start()


def _close_connections(scheduler: int) -> None:
    """Close those that nobody uses right now, as SQLAlchemy wants it before a fork; the next use opens one."""
    if os.getpid() == scheduler and settings.engine is not None:
        settings.engine.dispose()
