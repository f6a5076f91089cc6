"""A forked command is to its module what a fresh interpreter is."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests import preloaded
from tests.forked import Forked
from tests.waiting import until

pytestmark = pytest.mark.slow

SAYS = """
import json, os, pathlib, sys
import beside
print(json.dumps([sys.argv, os.getcwd(), dict(os.environ), sys.path[:2], __name__, beside.HERE, sys.stdin.read()]))
print("an error", file=sys.stderr)
sys.exit(7)
"""
WAITS = """
import atexit, os, pathlib, sys, time
atexit.register(pathlib.Path("ended").touch)
pathlib.Path("process").write_text(f"{os.getpid()}\\n")
try:
    print("waits", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "says.py").write_text(SAYS)
    (tmp_path / "waits.py").write_text(WAITS)
    (tmp_path / "loaded.py").write_text("import sys; print({'tensorflow', 'great_expectations'} <= set(sys.modules))")
    (tmp_path / "dies.py").write_text("import os, sys; os.kill(os.getpid(), int(sys.argv[1]))")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/beside.py").write_text("HERE = __file__")
    return tmp_path


def test_words_folder_environment_path_streams_and_code_are_those_of_an_interpreter(folder: Path) -> None:
    environment = {"PYTHONPATH": str(folder / "elsewhere"), "WORD": "Geschäft 店", "PATH": os.environ["PATH"]}
    plain, forked = (
        subprocess.run(
            [*python, "-m", "says", "one", "--two=ü"],
            cwd=folder, env=environment, input="given", capture_output=True, text=True, check=False,
        )
        for python in ([sys.executable], preloaded.python())
    )  # fmt: skip
    assert plain.returncode == 7 and '"given"' in plain.stdout
    assert (forked.returncode, forked.stdout, forked.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_code_runs_as_in_an_interpreter_also_where_it_fails(folder: Path) -> None:
    environment = {"PYTHONPATH": str(folder / "elsewhere"), "WORD": "Geschäft 店", "PATH": os.environ["PATH"]}
    for text in (SAYS, "import sys; assert sys.modules['__main__'].__dict__ is globals(); 1 / 0"):
        plain, forked = (
            subprocess.run(
                [*python, "-c", text, "one", "--two=ü"],
                cwd=folder, env=environment, input="given", capture_output=True, text=True, check=False,
            )
            for python in ([sys.executable], preloaded.python())
        )  # fmt: skip
        assert plain.returncode in (7, 1) and (forked.returncode, forked.stdout) == (plain.returncode, plain.stdout)
        assert forked.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1] != ""


@pytest.mark.parametrize(
    "text",
    [
        "print('said'); sys.exit(300)",
        "print('said'); sys.exit('why')",
        "atexit.register(print, 'at last'); threading.Timer(0.3, print, ['late']).start(); print('first')",
        "print('lost'); os.close(1)",
        "raise KeyboardInterrupt",
    ],
    ids=["a large code", "words", "a thread and a function", "nowhere to print", "interrupted"],
)
def test_it_ends_as_an_interpreter_does(tmp_path: Path, text: str) -> None:
    plain, forked = (
        subprocess.run(
            [*python, "-c", f"import atexit, os, sys, threading; {text}"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )
        for python in ([sys.executable], preloaded.python())
    )  # fmt: skip
    assert (forked.returncode, forked.stdout) == (plain.returncode, plain.stdout)
    assert forked.stderr.splitlines()[-1:] == plain.stderr.splitlines()[-1:]


def test_only_commands_find_themselves_imported(tmp_path: Path) -> None:
    text = """
import sys
print([name for name in sys.modules if name.startswith("kilnworks.components")])
import kilnworks.pipelines.cli.app as again
from kilnworks.pipelines import cli
print(again is cli.app is sys.modules["kilnworks.pipelines.cli.app"])
"""
    said = subprocess.run([*preloaded.python(), "-c", text], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\nTrue\n"


def test_the_libraries_are_loaded(folder: Path) -> None:
    said = subprocess.run([*preloaded.python(), "-m", "loaded"], cwd=folder, capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"


@pytest.mark.parametrize(
    ("sent", "code", "whole"), [(signal.SIGINT, 130, True), (signal.SIGTERM, -15, False), (signal.SIGKILL, -9, False)]
)
def test_a_signal_ends_the_module(folder: Path, sent: signal.Signals, code: int, whole: bool) -> None:
    command = [*preloaded.python(), "-m", "waits"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "waits\n"
        process.send_signal(sent)
        assert process.wait() == code
    module = Path("/proc", (folder / "process").read_text().strip())
    assert until(lambda: not module.exists())
    assert (folder / "ended").exists() == whole


@pytest.mark.parametrize("own", [signal.SIGKILL, signal.SIGABRT])
def test_a_module_that_dies_of_a_signal_is_told_by_it(folder: Path, own: signal.Signals) -> None:
    done = subprocess.run(
        [*preloaded.python(), "-m", "dies", str(int(own))], cwd=folder, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (-own, b"")


def test_a_forked_server_is_the_process_itself(folder: Path) -> None:
    (folder / "elsewhere/server.py").write_text("""
import json, os, signal, sys
print(json.dumps([os.getpid(), sys.argv[1:], os.getcwd(), dict(os.environ), "tensorflow" in sys.modules]), flush=True)
print("an error", file=sys.stderr)
signal.pause()
""")
    environment = {"PYTHONPATH": str(folder / "elsewhere"), "WORD": "店"}
    with (folder / "log").open("w") as errors:
        ended = [Forked(["server", "--one=ü"], cwd=folder, env=environment, stderr=errors) for _ in range(2)]
    for process, stop, code in zip(ended, ("terminate", "kill"), (-signal.SIGTERM, -signal.SIGKILL), strict=True):
        said = json.loads(process.stdout.readline())
        assert said == [process.pid, ["--one=ü"], str(folder), environment, True]
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        getattr(process, stop)()
        assert process.wait(60) == process.returncode == process.poll() == code
        process.kill()  # which is no error
        assert process.stdout.read() == ""
        process.stdout.close()
    assert (folder / "log").read_text() == "an error\n" * 2


def test_a_forked_server_that_exits_says_how(folder: Path) -> None:
    with (folder / "log").open("w") as errors:
        process = Forked(["says"], cwd=folder, env={"PYTHONPATH": str(folder / "elsewhere")}, stderr=errors)
    assert process.wait(60) == 7
    assert "__main__" in process.stdout.read()
    process.stdout.close()


def test_who_waited_for_a_lock_that_was_removed_takes_the_one_that_others_take(tmp_path: Path) -> None:
    place, taken = tmp_path / "preloaded", threading.Event()
    lock = place.with_suffix(".lock")

    def wait() -> None:
        with preloaded.exclusive(place):
            taken.set()
            assert lock.exists()

    with preloaded.exclusive(place):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert until(lambda: len(opened(lock)) == 2)
        lock.unlink()
    waiting.join(30)
    assert taken.is_set() and lock.exists()


def opened(file: Path) -> list[str]:
    """Descriptors of this process for a file."""
    found = []
    for one in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found += [one.name] if one.readlink() == file else []
    return found


SHARES = "from tests.preloaded import address; print(address(('json',)), flush=True); input()"


def test_processes_of_a_test_run_share_one_that_ends_with_the_last_of_them(root: Path) -> None:
    environment = {**os.environ, "PYTEST_XDIST_TESTRUNUID": f"shared-by-{os.getpid()}"}
    sharing = [
        subprocess.Popen(
            [sys.executable, "-c", SHARES], cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    places = [process.stdout.readline().strip() for process in sharing]
    assert places[0] == places[1] and "shared-by" in places[0]
    for process, there in zip(sharing, (True, False), strict=True):
        assert Path(places[0]).exists()
        process.communicate("\n")
        assert until(lambda there=there: Path(places[0]).parent.exists() == there)
        assert process.returncode == 0
