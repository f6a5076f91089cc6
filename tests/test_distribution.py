"""Which tests go to a worker together, in which order, and for how long what they share is there."""

import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from tests.distribution import order, unit


@dataclass
class Item:
    nodeid: str
    marks: set[str] = field(default_factory=set)

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.marks else None


@pytest.mark.parametrize(
    ("nodeid", "together"),
    [
        ("tests/schemas/test_words.py::test_a", "tests/schemas/test_words.py"),
        ("tests/e2e/airflow/test_airflow_users.py::test_a[::b]", "tests/e2e/airflow/"),
        ("tests/e2e/airflow/test_airflow_guard.py::test_a", "tests/e2e/airflow/test_airflow_guard.py"),
        ("tests/e2e/airflow/test_airflow_team.py::test_a", "tests/e2e/airflow/test_airflow_team.py"),
        ("tests/dags/test_pages.py::test_a", "tests/dags/"),
    ],
)
def test_a_file_or_a_folder_that_shares_an_airflow(nodeid, together):
    assert unit(nodeid) == together


def test_heavy_files_come_first_and_keep_their_order():
    items = [
        Item("tests/a.py::quick"),
        Item("tests/b.py::quick"),
        Item("tests/b.py::slow", {"slow"}),
        Item("tests/c.py::server", {"e2e"}),
        Item("tests/e2e/airflow/test_airflow_users.py::one", {"e2e"}),
        Item("tests/dags/test_pages.py::page"),
    ]
    names = [item.nodeid for item in order(items)]
    assert names == [items[i].nodeid for i in (4, 5, 3, 1, 2, 0)]


@pytest.mark.slow
def test_the_shared_airflow_ends_before_tests_that_do_not_use_it(root):
    """What stands by costs processor time, and a worker goes on for a long time after the last test that uses it."""
    files = ("tests/e2e/airflow/test_airflow_crashes.py", "tests/test_distribution.py")
    options = ("-p", "no:cacheprovider", "-n", "0", "-m", "not nightly", "--setup-plan")
    planned = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    begins, ends, others = (planned.index(text) for text in ("SETUP    P world", "TEARDOWN P world", f"{files[1]}::"))
    assert begins < planned.index(f"{files[0]}::") < ends < others
