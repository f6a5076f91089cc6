"""Helpers of tests are imported by their whole name below ``tests``; tests wait for facts and do not sleep."""

import ast
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parent
PROJECT = TESTS / "dags" / "project"
"""A user's project, whose modules are found as those of a user are."""
FILES = [path for path in sorted(TESTS.rglob("*.py")) if not path.is_relative_to(PROJECT)]
HELPERS = {path.stem for path in FILES if not path.stem.startswith(("test_", "__"))} | {
    path.parent.name for path in FILES if path.stem == "__init__" and path.parent != TESTS
} - {"airflow"}  # a room of tests, and a library
OURS = {"kilnworks_client", "schemas", "components", "pipelines", "dags", "kilnworks", "scripts", "bench", "tests"}


PAUSES = {
    "components/monitoring/test_exporter.py": (1, "a page that takes some time"),
    "waiting.py": (1, "the one loop that looks again"),
    "components/starting/test_durations.py": (1, "a processor that is taken away for a while"),
    "components/deploying/test_deploying_crashes.py": (1, "kill -9 at a random moment"),
    "components/retraining/test_retraining_watch.py": (1, "kill -9 at a random moment"),
    "pipelines/test_store_access.py": (1, "threads whose blocks end in another order than they began"),
    "dags/project/toysteps.py": (1, "a step of a length that is a setting"),
    "e2e/airflow/test_airflow_arrivals.py": (2, "a kill at some moment; that nothing more is started"),
    "kilnworks_client/test_serving_client.py": (1, "gives way to the loop"),
    "components/serving/versions/test_core_versions.py": (1, "that nothing happens"),
    "components/serving/batching/test_run_limit.py": (1, "a run of some length"),
    "components/serving/batching/test_core_batching.py": (1, "a run of some length"),
    "components/serving/batching/test_leader_followers.py": (1, "a run of some length"),
    "components/serving/batching/test_batch_scheduler.py": (1, "that nothing happens"),
    "e2e/serving/core_server.py": (1, "looks again"),
    "e2e/serving/echo_server.py": (1, "a slow answer"),
    "e2e/serving/test_batching_traffic.py": (2, "a pause after which batches wait; a run that has begun"),
    "e2e/serving/test_client_channels.py": (1, "a server that comes late"),
    "e2e/serving/test_grpc_conformance.py": (1, "processor time of a while"),
    "e2e/serving/test_grpc_versions.py": (1, "that nothing happens"),
    "e2e/serving/test_rest_rude_clients.py": (3, "slow clients; that nothing happens"),
    "e2e/serving/test_serving_process.py": (1, "a run that has begun"),
    "e2e/serving/test_transport_batches.py": (3, "slow requests; the order in which they come"),
}
"""Where a test sleeps: how often, and why no fact could be waited for."""


def bare(code: str) -> list[str]:
    """Imports of helpers by a name that only a changed ``sys.path`` makes findable."""
    modules = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            modules.append("." * node.level + (node.module or ""))
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    return [name for name in modules if name.startswith(".") or name.partition(".")[0] in HELPERS - OURS]


def test_helpers_are_imported_by_their_whole_name():
    found = {str(path.relative_to(TESTS)): bare(path.read_text()) for path in FILES}
    assert len(found) > 400
    assert {path: names for path, names in found.items() if names} == {}, "write: from tests.… import …"


def test_bare_names_are_found():
    assert bare("from clean_sources import orders\nfrom . import chain\nimport faults.batch\nimport json") == [
        "clean_sources",
        ".",
        "faults.batch",
    ]
    assert bare("from tests.quality.clean_sources import orders\nfrom kilnworks.pipelines.core import graph") == []


def pauses(code: str) -> int:
    """How many calls of ``sleep`` there are; those of programs that tests start are texts and do not count."""
    if "sleep" not in code:
        return 0
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    return sum(ast.unparse(call.func) in ("time.sleep", "asyncio.sleep", "sleep") for call in calls)


def test_tests_wait_for_facts():
    found = {str(path.relative_to(TESTS)): pauses(path.read_text()) for path in TESTS.rglob("*.py")}
    assert len(found) > 400
    counted = {path: number for path, number in found.items() if number}
    assert counted == {path: most for path, (most, _) in PAUSES.items()}, (
        "wait with tests.waiting, or say in PAUSES why there is no fact"
    )


def test_pauses_are_found():
    assert (
        pauses("import time\ntime.sleep(1)\nCODE = 'time.sleep(600)'\nsleep(2)\nasync def f(): await asyncio.sleep(0)")
        == 3
    )
    assert [name for name in PAUSES if not (TESTS / name).is_file()] == []


def test_no_two_files_of_tests_have_one_name():
    """pytest imports them by their names alone."""
    names = Counter(path.name for path in TESTS.rglob("test_*.py") if "project" not in path.parts)
    assert [name for name, count in names.items() if count > 1] == []
