"""What every test shares: quiet libraries, and a store in a temporary folder."""

import gc
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from kilnworks.schemas import masking
from tests import distribution
from tests.effort import tries

hypothesis.settings.register_profile("kilnworks", deadline=None, derandomize="CI" in os.environ, max_examples=tries(30))
hypothesis.settings.load_profile("kilnworks")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
for name in [n for n in os.environ if n.startswith("KILNWORKS_") and n != "KILNWORKS_NIGHTLY"]:
    del os.environ[name]  # whoever runs the tests has a store and a project of their own
sys.dont_write_bytecode = False  # as users run it: bytecode of a file that is edited at once must not count

gc.disable()  # until all is collected: the imports make a million objects that stay
ROOT = Path(__file__).parents[1]


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """No test leaves environment variables behind: they would reach the child processes of later ones."""
    before = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    yield
    for name in set(os.environ) - set(before) - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True, scope="module")
def secrets_of_module() -> Iterator[None]:
    """No file of tests leaves secrets behind: their texts would be masked in what later ones print."""
    yield from _with_secrets({})


@pytest.fixture(autouse=True)
def secrets(secrets_of_module: None) -> Iterator[None]:
    """No test leaves secrets behind; those of the fixtures of its file stay."""
    yield from _with_secrets(dict(masking._known))


def _with_secrets(known: dict[str, None]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masking, "_known", known)
        masking._pattern.cache_clear()
        yield
    masking._pattern.cache_clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first."""
    items[:] = distribution.order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Workers get files, or folders whose tests share an Airflow."""
    config.option.loadscopereorder = False
    return distribution.ByUnit(config, log)


def pytest_collection_finish() -> None:
    """The collector looks seldom, and at what the tests make, not again and again at what was there before them.

    Tracing makes objects by the hundred thousand: with Python's own bounds the collector runs thousands of times.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The last line of a run names what was not run, and why."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        terminalreporter.section("not run")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} skipped: {str(reason).removeprefix('Skipped: ')}")


def pytest_configure(config: pytest.Config) -> None:
    """Warnings that come from inside other packages and that nothing of ours can avoid."""
    config.addinivalue_line(
        "filterwarnings", "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning:keras"
    )
