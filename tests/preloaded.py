"""Commands in processes of their own that find TensorFlow and Great Expectations loaded.

Loading both takes longer than most commands do. ``python()`` stands for ``[sys.executable]`` before ``-m MODULE
WORDS`` or ``-c CODE WORDS``: a small program that hands its words, folder, environment and streams to a process that
has loaded both and has run nothing of either. That one forks, and the fork runs the module or the code as a fresh
interpreter would. The small program passes SIGINT and SIGTERM on and ends as the module ends; where it is killed, so is
the module, a moment later. What looks at how a process starts, at what it imports or at its hash seed, or sends it
SIGKILL, starts it the usual way.

``-m kilnworks`` finds its own commands imported, too, but nothing else does. A fork ends as an interpreter does up to
what is registered with ``atexit``; it does not take its modules apart, for which the kernel would copy all of them.
"""

import atexit
import fcntl
import hashlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
STREAMS = (0, 1, 2)
OWN_PATH = sys.path[1:]
"""Where any interpreter of this environment looks, without the folder in which it was started."""
ENVIRONMENT = dict(os.environ)
"""As it was before any test changed it: the libraries read theirs when they are imported."""
COMMANDS = "kilnworks.pipelines.cli.app"
"""What ``-m kilnworks`` imports before it looks at its words."""
_code: int | None = None
"""Of this process, once the module that it runs has ended in the ordinary way."""


def python(libraries: tuple[str, ...] = (), settings: tuple[tuple[str, str], ...] = ()) -> list[str]:
    """The beginning of a command; the first call starts the process that is forked, which ends with this one.

    ``libraries`` and ``settings``: see ``address``.
    """
    if sys.platform != "linux":
        return [sys.executable]
    return [sys.executable, "-I", "-S", __file__, "ask", address(libraries, settings)]


@cache
def address(libraries: tuple[str, ...] = (), settings: tuple[tuple[str, str], ...] = ()) -> str:
    """Where a process listens that has loaded these libraries, by default all large ones, with these settings.

    All workers of a test run share it: the first that asks starts it, and it ends with the last that has asked.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
    kind = hashlib.sha256(json.dumps([libraries, settings]).encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir(), f"kilnworks-preloaded-{run[:16]}-{kind}")
    with exclusive(folder):
        if not _taken_part(folder):
            _start(folder, libraries, settings)
    return str(folder / "socket")


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Nobody else starts a process in a folder meanwhile, and the one that is there does not end."""
    while True:
        with _lock(folder).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _still_there(folder, lock.fileno()):
                yield
                return


def _still_there(folder: Path, lock: int) -> bool:
    """Whether a lock is the one that others take; a process that ended may have removed it while it was waited for."""
    try:
        return os.path.samestat(os.fstat(lock), _lock(folder).stat())
    except FileNotFoundError:
        return False


def _lock(folder: Path) -> Path:
    return folder.with_suffix(".lock")


def _taken_part(folder: Path) -> bool:
    """Whether a process listens there; it does as long as this one runs, which holds the pipe open that it waits on."""
    try:
        os.open(folder / "needed", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # there is no pipe, or nobody who reads it
        return False
    return True


def _start(folder: Path, libraries: tuple[str, ...], settings: tuple[tuple[str, str], ...]) -> None:
    """Start the process and wait until it has loaded all."""
    shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / "needed", 0o600)
    needed = os.open(folder / "needed", os.O_RDONLY | os.O_NONBLOCK)
    assert _taken_part(folder)
    command = [sys.executable, "-m", "tests.preloaded", "listen", str(folder / "socket"), *libraries]
    environment = {**ENVIRONMENT, **dict(settings)}
    with (folder / "log").open("w") as errors:
        listener = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=needed, stdout=subprocess.PIPE, stderr=errors,
            start_new_session=True,
        )  # fmt: skip
    os.close(needed)
    assert listener.stdout is not None
    with listener.stdout as told:
        assert told.readline(), (folder / "log").read_text()
    listener.returncode = 0  # not waited for: others may need it for longer than this process runs


def ask(place: str, words: list[str]) -> int:
    """Let a module run with our streams; its exit code, or minus the signal that ended it."""
    passed = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, passed)  # until it is known to whom they are passed on
    request = {"words": words, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.connect(place)
        send(listener, request, STREAMS)
        with listener.makefile("r") as told:
            module = int(told.readline())

            def pass_on(number: int, frame: FrameType | None) -> None:
                os.kill(module, number)

            for number in passed:
                signal.signal(number, pass_on)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, passed)
            while not select.select([listener], [], [], 0.5)[0]:
                pass  # a signal that comes a moment before a wait does not interrupt it
            return int(told.readline())


def send(listener: socket.socket, request: dict[str, Any], streams: Sequence[int]) -> None:
    """Ask for a module: its words, folder and environment, and descriptors of what it reads, prints and says."""
    encoded = json.dumps(request).encode()
    socket.send_fds(listener, [len(encoded).to_bytes(4, "big")], list(streams))
    listener.sendall(encoded)


def listen(place: str) -> dict[str, Any] | None:
    """Fork for each that asks, until nobody holds the input open; in a fork, what it is to run, and then None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who asked
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        os.write(1, b"ready\n")
        while True:
            if 0 in select.select([listener, 0], [], [])[0] and _ended(Path(place).parent):
                return None
            if not select.select([listener], [], [], 0)[0]:
                continue
            asked, _ = listener.accept()
            if os.fork() == 0:
                return _forked(asked)
            asked.close()


def _ended(folder: Path) -> bool:
    """Whether really nobody needs this process any more; then its folder has gone."""
    with exclusive(folder):
        if not select.select([0], [], [], 0)[0]:
            return False
        shutil.rmtree(folder)
        _lock(folder).unlink()
        return True


def _forked(asked: socket.socket) -> dict[str, Any]:
    """Fork once more; the one waits and tells, the other returns with its streams in place."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(asked, 4, len(STREAMS))
    with asked.makefile("rb") as stream:
        request: dict[str, Any] = json.loads(stream.read(int.from_bytes(size, "big")))
    module = os.fork()
    if module:
        for stream in streams:
            os.close(stream)
        _wait(module, asked)
    asked.close()
    for stream, place in zip(streams, STREAMS, strict=True):
        os.dup2(stream, place)
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return request


def _wait(module: int, asked: socket.socket) -> None:
    """Tell the number of the process and how it ends; kill it where nobody listens any more. Does not return."""
    os.close(0)  # what the process that forks waits on
    try:
        asked.sendall(f"{module}\n".encode())
        ended = os.pidfd_open(module)
        if ended not in select.select([asked, ended], [], [])[0]:
            os.kill(module, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(module, 0)[1])
        asked.sendall(f"{code}\n".encode())
    finally:
        os._exit(0)


def load_commands() -> list[str]:
    """Import what every command needs; the names of the modules."""
    before, threads = set(sys.modules), len(list(Path("/proc/self/task").iterdir()))
    import_module(COMMANDS)
    now = len(list(Path("/proc/self/task").iterdir()))
    assert now == threads, "a fork has none of the threads that were started before it"
    return [name for name in sys.modules if name not in before and name.startswith("kilnworks.")]


def forget(modules: Sequence[str]) -> None:
    """Let modules be imported anew."""
    for name in modules:
        del sys.modules[name]
    for name in modules:
        package, _, own = name.rpartition(".")
        if package in sys.modules:
            vars(sys.modules[package]).pop(own, None)


@atexit.register  # before any library registers something: what is registered first is called last
def leave() -> None:
    """End this process where it is a fork whose module has ended."""
    if _code is None:
        return
    with suppress(OSError, ValueError):  # as of a closed pipe, which Python says
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_code)


def run(words: list[str], folder: str, environment: dict[str, str]) -> None:
    """``become``, and keep how it ended for ``leave``, unless Python itself has something to print then."""
    global _code
    code: object = None
    try:
        become(words, folder, environment)
    except SystemExit as end:
        code = end.code
        if code is not None and not isinstance(code, int):
            raise
    _code = int(code or 0) & 0xFF
    sys.exit(_code)


def become(words: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run ``-m MODULE WORDS`` or ``-c CODE WORDS`` as ``python`` would in that folder and environment."""
    flag, what, *rest = words
    assert flag in ("-m", "-c"), words
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    before = [folder if flag == "-m" else "", *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:] = [*before, *(place for place in OWN_PATH if place not in before)]
    sys.argv = [what if flag == "-m" else flag, *rest]
    if flag == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(what, "<string>", "exec"), vars(main))


if __name__ == "__main__":
    role, place, *words = sys.argv[1:]
    if role == "ask":
        code = ask(place, words)
        if code < 0:
            if -code != signal.SIGKILL:  # which has no handler to take away
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        sys.exit(code)
    from kilnworks.pipelines.cli.quiet import LARGE, quiet_libraries

    quiet_libraries()
    for library in words or LARGE:
        import_module(library)
    commands = [] if words else load_commands()
    asked_for = listen(place)
    if asked_for is not None:
        if asked_for["words"][:2] != ["-m", "kilnworks"]:
            forget(commands)
        run(**asked_for)
