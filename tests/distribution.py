"""How tests are spread over worker processes: servers first, and what shares an Airflow stays together.

A file goes to one worker, so that fixtures of a module are made once. The folders in ``TOGETHER`` share fixtures of a
folder or a session, so each goes to one worker whole: with its files apart every worker would start an Airflow, or a
model server, of its own. What starts servers waits more than it computes; it comes first, beside the tests that
compute, and quick tests fill the end.
"""

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/dags/", "tests/e2e/airflow/", "tests/e2e/security/")
"""Folders with shared fixtures that take long to make."""
APART = ("test_airflow_guard.py", "test_airflow_parsing.py", "test_airflow_standalone.py", "test_airflow_team.py")
"""Files in these folders that use none of those fixtures: the Airflow of the others need not stand by meanwhile."""
MARKS = ("e2e", "slow")
"""In this order; tests with neither come last."""


def unit(nodeid: str) -> str:
    """What a test is sent to a worker with: its file, or its folder."""
    file = nodeid.partition("::")[0]
    return next((f for f in TOGETHER if file.startswith(f) and not file.endswith(APART)), file)


def order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests, those of the units with the heaviest marks first; a unit stays together and in its own order."""
    weight: dict[str, int] = {}
    for item in items:
        rank = next((i for i, mark in enumerate(MARKS) if item.get_closest_marker(mark)), len(MARKS))
        rank = -1 if unit(item.nodeid) in TOGETHER else rank
        weight[unit(item.nodeid)] = min(rank, weight.get(unit(item.nodeid), rank))
    places = {name: (weight[name], place) for place, name in enumerate(weight)}
    return sorted(items, key=lambda item: places[unit(item.nodeid)])


class ByUnit(LoadScopeScheduling):
    """Units in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
