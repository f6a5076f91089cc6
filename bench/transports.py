"""Kept transports in place of ours: the same engine behind each, as a share of the concrete function's own speed.

``python -m bench.transports [--rounds 3] [--seconds 1.0] [--only grpc] [--clients 4] [--idle 10000]``

Each variant is a process of its own on the loopback interface; in every round each of them is asked in turn between two
measurements of the function in this process (``bench.serving``). Ratios need a quiet machine; the processor time that a
server takes for a request, in those that the function takes for a call, says the same on a busy one. Variants that this
project does not install are left out (``pip install granian`` brings the last two).
"""

import argparse
import asyncio
import contextlib
import importlib.util
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.serving import MODEL, POINTS, ROOT, Measured, Point, Reference, export_models, measure
from bench.serving_load import WARM_UP_SECONDS

THREADS = 16
IDLE_SECONDS = 60.0
NEEDED = {"uvicorn-threads": "uvicorn", "uvicorn-loop": "uvicorn", "granian-asgi": "granian", "granian-wsgi": "granian"}
VARIANTS = {
    "grpc": ("direct", "grpc.server", "grpc.aio-threads", "grpc.aio-loop"),
    "rest": ("ours", "uvicorn-threads", "uvicorn-loop", "granian-asgi", "granian-wsgi"),
}


def engine():
    """The engine with the digits model, loaded."""
    from kilnworks.components.serving.process.assembly import make_engine
    from kilnworks.components.serving.settings.flags import Flags
    from kilnworks.components.serving.versions.model_config import config_of

    made = make_engine(Flags())
    made.core.reload(config_of({MODEL: os.environ["BENCH_MODEL"]}), 60)
    return made


def answering() -> Callable:
    """The REST application: one request -> one response; blocks."""
    from kilnworks.components.serving.batching.turns import waited
    from kilnworks.components.serving.rest.application import Application
    from kilnworks.components.serving.rest.limits import Limits
    from kilnworks.components.serving.settings.options import RestOptions

    application = Application(engine(), RestOptions(0, THREADS), Limits(), None)

    def answer(request):
        return waited(application(request))

    return answer


def asgi(in_threads: bool) -> Callable:
    """The application for a server of ASGI; a run is computed in a thread, or in the loop (where it blocks others)."""
    from kilnworks.components.serving.rest.messages import Request

    answer, pool = answering(), ThreadPoolExecutor(THREADS)

    async def application(scope, receive, send):
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        request = Request(scope["method"], scope["path"], dict(scope["headers"]), body, True)
        if in_threads:
            response = await asyncio.get_running_loop().run_in_executor(pool, answer, request)
        else:
            response = answer(request)
        headers = [(b"content-type", response.content_type or b""), (b"content-length", b"%d" % len(response.body))]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    return application


def wsgi() -> Callable:
    """The application for a server of WSGI, which calls it in a thread."""
    from kilnworks.components.serving.rest.messages import Request

    answer = answering()

    def application(environ, start_response):
        request = Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], {}, environ["wsgi.input"].read(), True)
        response = answer(request)
        headers = [("content-type", "application/json"), ("content-length", str(len(response.body)))]
        start_response(f"{response.status} -", headers)
        return [response.body]

    return application


def serve_rest(variant: str, port: int) -> None:
    """Serve until the process is ended."""
    if variant == "ours":
        from kilnworks.components.serving import rest
        from kilnworks.components.serving.settings.options import RestOptions

        running = rest.start(engine(), RestOptions(port, THREADS, host="127.0.0.1"))
        threading.Event().wait()
        running.stop(1)
    elif variant.startswith("uvicorn"):
        import uvicorn

        application = asgi(in_threads=variant.endswith("threads"))
        uvicorn.run(application, port=port, log_level="error", loop="uvloop", http="httptools", lifespan="off")
    elif variant == "granian-asgi":
        from granian.server.embed import Server

        asyncio.run(Server(asgi(True), port=port, interface="asgi", log_enabled=False, backlog=2048).serve())
    else:
        from granian import Granian

        options = {"interface": "wsgi", "blocking_threads": THREADS, "log_enabled": False, "factory": True}
        Granian("bench.transports:wsgi", port=port, backlog=2048, **options).serve()


def serve_grpc(variant: str, port: int) -> None:
    """Serve until the process is ended."""
    from kilnworks.components.serving.grpc.methods import methods
    from kilnworks.components.serving.grpc.options import GrpcOptions
    from kilnworks.components.serving.grpc.server import start_grpc

    made, options = engine(), GrpcOptions(port)
    if variant in ("direct", "grpc.server"):
        running = start_grpc(methods(made), options, made.batches, portable=variant == "grpc.server")
        threading.Event().wait()
        running.stop(1)  # never reached: a server of grpcio that nobody holds ends
    asyncio.run(serve_aio(methods(made), options, in_threads=variant.endswith("threads")))


async def serve_aio(methods: dict[str, Callable], options, in_threads: bool) -> None:
    """The methods behind ``grpc.aio``."""
    import grpc

    from kilnworks.components.serving.batching.turns import waited
    from kilnworks.components.serving.grpc.portable import _PortableCall

    pool = ThreadPoolExecutor(THREADS)

    def handler(method):
        def compute(data, context):
            return waited(method(data, _PortableCall(context)))

        async def answer(data, context):
            if in_threads:
                return await asyncio.get_running_loop().run_in_executor(pool, compute, data, context)
            return compute(data, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    class Handlers(grpc.GenericRpcHandler):
        def service(self, details):
            return handlers.get(details.method)

    handlers = {name: handler(method) for name, method in methods.items()}
    server = grpc.aio.server(options=options.channel_options())
    server.add_generic_rpc_handlers((Handlers(),))
    server.add_insecure_port(options.addresses()[0])
    await server.start()
    await server.wait_for_termination()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def reachable(port: int) -> bool:
    """Whether somebody listens."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def server(protocol: str, variant: str, model: Path) -> Iterator[tuple[subprocess.Popen, int]]:
    """A process that serves one variant; yields it and its port."""
    port = free_port()
    command = [sys.executable, "-m", "bench.transports", "--serve", protocol, variant, str(port)]
    environment = {**os.environ, "BENCH_MODEL": str(model)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 90
        while not reachable(port) and time.monotonic() < until and process.poll() is None:
            time.sleep(0.2)
        yield process, port
    finally:
        process.terminate()
        process.wait(30)


def processor_seconds(process: int) -> float:
    """What a process and its children have computed so far, in every thread. Linux only."""
    folder = Path("/proc") / str(process)
    ticks = sum(map(int, (folder / "stat").read_text().rpartition(")")[2].split()[11:13]))
    children = " ".join(path.read_text() for path in folder.glob("task/*/children")).split()
    return ticks / os.sysconf("SC_CLK_TCK") + sum(processor_seconds(int(child)) for child in children)


def measured(point: Point, served: tuple[int, int], key: str, reference: Reference, seconds: float):
    """One run, and the server's processor time for a request over that of a call of the function."""
    process, port = served
    cost = cost_of_a_call(reference, point.batch)
    before = processor_seconds(process)
    run = measure(point, {key: port}, reference, seconds)
    requests = run.rate * (seconds + WARM_UP_SECONDS)
    return run, (processor_seconds(process) - before) / requests / cost


def cost_of_a_call(reference: Reference, batch: int) -> float:
    """Processor seconds of this process for a call of the function, in every thread."""
    before, started = time.process_time(), time.perf_counter()
    rate = reference.rate(batch)
    return (time.process_time() - before) / (rate * (time.perf_counter() - started))


def line(point: Point, variant: str, runs: Sequence[tuple[Measured, float]]) -> str:
    """A line of the table."""
    ratios, costs = [run.ratio for run, _ in runs], [cost for _, cost in runs]
    middle, errors = statistics.median(ratios), sum(run.errors for run, _ in runs)
    enough = "yes" if middle >= point.target and not errors else "no"
    spread = f"**{middle:.2f}** ({min(ratios):.2f} - {max(ratios):.2f})"
    cost = f"{statistics.median(costs):.2f} ({min(costs):.2f} - {max(costs):.2f})"
    cells = (variant, point.batch, point.clients, spread, f"{point.target:.2f}", enough, cost, errors)
    return f"| {' | '.join(map(str, cells))} |"


def idle(port: int, count: int) -> str:
    """How many connections stay open beside each other, and how long one request takes meanwhile."""
    held: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            while len(held) < count:
                held.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)))
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/{MODEL}", timeout=IDLE_SECONDS) as answer:
                told = f"{answer.status} after {(time.perf_counter() - started) * 1e3:.0f} ms"
        except OSError as error:
            told = f"none: {error}"
    return f"{len(held)} idle connections, answer {told}"


def compare(protocol: str, arguments: argparse.Namespace, model: Path, reference: Reference) -> None:
    """Measure the variants of one protocol, and print the table."""
    points = [p for p in POINTS if p.protocol == protocol and arguments.clients in (None, p.clients)]
    variants = [v for v in VARIANTS[protocol] if v not in NEEDED or importlib.util.find_spec(NEEDED[v])]
    key = "grpc_port" if protocol == "grpc" else "rest_api_port"
    print(
        f"\n| {protocol} | batch | clients | ratio (lowest - highest) | to reach | reached | processor time | errors |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with contextlib.ExitStack() as stack:
        started = {v: stack.enter_context(server(protocol, v, model)) for v in variants}
        ports = {v: (process.pid, port) for v, (process, port) in started.items() if process.poll() is None}
        for variant in set(variants) - ports.keys():
            print(f"{variant}: did not start", flush=True)
        for point in points:
            runs: dict[str, list[tuple[Measured, float]]] = {variant: [] for variant in ports}
            for _ in range(arguments.rounds):
                for variant, served in ports.items():
                    runs[variant].append(measured(point, served, key, reference, arguments.seconds))
            for variant in ports:
                print(line(point, variant, runs[variant]), flush=True)
        for variant, (_, port) in ports.items():
            if protocol == "rest" and arguments.idle:
                print(f"{variant}: {idle(port, arguments.idle)}", flush=True)


def main() -> None:
    """Compare, or serve one variant (for the comparison)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", choices=sorted(VARIANTS), help="only this protocol")
    parser.add_argument("--clients", type=int, help="only points of so many clients")
    parser.add_argument("--idle", type=int, default=0, help="idle connections to hold open")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if arguments.serve:
        protocol, variant, port = arguments.serve
        return serve_grpc(variant, int(port)) if protocol == "grpc" else serve_rest(variant, int(port))
    with tempfile.TemporaryDirectory() as temporary:
        export_models(Path(temporary))
        reference = Reference(Path(temporary))
        for protocol in VARIANTS:
            if arguments.only in (None, protocol):
                compare(protocol, arguments, Path(temporary) / MODEL, reference)


if __name__ == "__main__":
    main()
