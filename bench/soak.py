"""Mixed traffic on two replicas of the model server for a long time, while versions change and one of them is killed.

Half of the clients speak gRPC, half REST, to several models; one request in ten is a bad one. Every answer is checked.
Versions come and go, and one replica is killed with SIGKILL and started again every few minutes. Prints a Markdown
table; exits with 1 when a good request failed, a bad one was answered, or the replica that lives grew.

usage: python -m bench.soak [--minutes 30] [--kill-minutes 5] [--clients 4]
"""

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.soak_servers import MODELS, Replica, free_ports, publish, write_models
from bench.soak_traffic import Tally, grpc_client, rest_client

MOST_MB, MOST_DESCRIPTORS = 50.0, 20
"""How much the living replica may grow."""
SAMPLE_SECONDS = 1.0
VERSION_CHANGES = 12
"""In the whole time, at least one every half a minute."""
SETTLED = 0.4
"""After this part of the time all kinds of requests have been seen, and what comes on top is growth."""


def growth(samples: list[tuple[float, int]]) -> tuple[float, int]:
    """Growth of memory (MiB) and descriptors from the first to the last quarter of what was seen once settled."""
    settled = samples[int(SETTLED * len(samples)) :]
    part = max(1, len(settled) // 4)

    def middle(values: list[float]) -> float:
        return sorted(values)[len(values) // 2]

    memory, descriptors = zip(*settled, strict=True)
    return (
        middle(list(memory[-part:])) - middle(list(memory[:part])),
        int(middle(list(descriptors[-part:])) - middle(list(descriptors[:part]))),
    )


def disturb(
    models: Path, killed: Replica, seconds: float, kill_seconds: float, lives: Replica
) -> tuple[int, int, list[tuple[float, int]]]:
    """Change versions and kill a replica until the time is over: (changes, kills, samples of the one that lives)."""
    began, changes, kills = time.monotonic(), 0, 0
    every = min(30.0, seconds / VERSION_CHANGES)
    samples: list[tuple[float, int]] = []
    while (now := time.monotonic() - began) < seconds:
        if now >= every * (changes + 1):
            changes += 1
            publish(models, MODELS[changes % len(MODELS)], changes // len(MODELS) + 2)
        if now >= kill_seconds * (kills + 1) and killed.ready:
            kills += 1
            killed.kill()
            killed.start()
        samples.append(lives.sample())
        time.sleep(SAMPLE_SECONDS)
    return changes, kills, samples


def soak(minutes: float, kill_minutes: float, clients: int) -> bool:
    """Run and print; whether all was well."""
    tally, stop = Tally(), threading.Event()
    with tempfile.TemporaryDirectory() as place:
        models = Path(place)
        write_models(models)
        replicas = [Replica(models, *free_ports(), number) for number in range(2)]
        try:
            for replica in replicas:
                replica.start()
                replica.wait()
            threads = []
            for number in range(clients):
                client = (grpc_client, rest_client)[number % 2]
                ordered = replicas if number % 4 < 2 else replicas[::-1]
                threads.append(threading.Thread(target=client, args=(ordered, tally, stop, number), daemon=True))
            for thread in threads:
                thread.start()
            changes, kills, samples = disturb(models, replicas[1], 60 * minutes, 60 * kill_minutes, replicas[0])
            stop.set()
            for thread in threads:
                thread.join(60)
        finally:
            stop.set()
            for replica in replicas:
                replica.kill()
    megabytes, descriptors = growth(samples)
    print(
        "| minutes | version changes | kills | good requests | failed | bad requests | answered "
        "| MB more | descriptors more |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {minutes:g} | {changes} | {kills} | {tally.good} | {len(tally.failed)} | {tally.bad} | "
        f"{len(tally.accepted)} | {megabytes:.1f} | {descriptors} |"
    )
    for problem in (*tally.failed, *tally.accepted)[:20]:
        print(problem, file=sys.stderr)
    answered = tally.good > 0 and tally.bad > 0
    flat = megabytes <= MOST_MB and descriptors <= MOST_DESCRIPTORS
    return answered and flat and not tally.failed and not tally.accepted


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--kill-minutes", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=4)
    given = parser.parse_args()
    return 0 if soak(given.minutes, given.kill_minutes, given.clients) else 1


if __name__ == "__main__":
    sys.exit(main())
