"""Whether a server of a container is well, for HEALTHCHECK: exit code 0 where it is, 1 and the reason where it is not.

    python healthy.py URL [PART...]

URL must answer 200; a variable in it, such as $KILNWORKS_SERVER, is that of the environment. With parts, the answer is
JSON as Airflow's /api/v2/monitor/health gives it, and each of these parts must be "healthy". Needs Python alone.
"""

import json
import os
import sys
import urllib.request

SECONDS = 4.0


def main(arguments: list[str]) -> int:
    """Ask once; says why where the answer is no."""
    if not arguments:
        sys.stderr.write("usage: healthy.py URL [PART...]\n")
        return 2
    reason = unwell(os.path.expandvars(arguments[0]), arguments[1:])
    if reason:
        sys.stderr.write(f"{reason}\n")
    return 1 if reason else 0


def unwell(url: str, parts: list[str]) -> str:
    """What is wrong; empty where nothing is."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=SECONDS) as answer:
            found = json.load(answer) if parts else {}
    except (OSError, ValueError) as error:  # HTTPError and URLError are OSErrors; ValueError: no URL, or no JSON
        return f"{url}: {error}"
    states = {part: (found.get(part) or {}).get("status", "missing") for part in parts}
    ill = [f"{part} is {state}" for part, state in states.items() if state != "healthy"]
    return f"{url}: {', '.join(ill)}" if ill else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
