"""The command ``kilnworks-client``: ask a server from a shell; JSON out.

    kilnworks-client status   ADDRESS MODEL
    kilnworks-client metadata ADDRESS MODEL
    kilnworks-client predict  ADDRESS MODEL < inputs.json

ADDRESS is ``host:port`` (gRPC) or ``http://host:port`` (REST). ``inputs.json`` holds one object: values by input. The
token of a guarded server is that of the variable ``KILNWORKS_TOKEN``.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kilnworks_client import Client, ClientError, ConfigError, Options

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask once; 0 answered, 1 refused or nobody there, 2 asked wrongly."""
    given = _parser().parse_args(arguments)
    try:
        options = Options(timeout_seconds=given.timeout, token=os.environ.get("KILNWORKS_TOKEN") or None)
        with Client(given.address, options=options) as client:
            found = _ask(client, given)
    except ClientError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("kilnworks-client", description="Ask a model server.")
    parser.add_argument("what", choices=["status", "metadata", "predict"])
    parser.add_argument("address", help="HOST:PORT for gRPC, http://HOST:PORT for REST")
    parser.add_argument("model")
    parser.add_argument("--version", type=int, help="a version [default: the newest]")
    parser.add_argument("--label", help="the version that has this label")
    parser.add_argument("--signature", default="", help="for predict [default: serving_default]")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS")
    return parser


def _ask(client: Client, given: argparse.Namespace) -> Any:
    if given.what == "status":
        return [asdict(state) for state in client.status(given.model, version=given.version)]
    which = {"version": given.version, "label": given.label}
    if given.what == "metadata":
        return asdict(client.metadata(given.model, **which))
    answer = client.predict(given.model, _inputs(), signature=given.signature, **which)
    return {"version": answer.version, "outputs": {name: _listed(a.tolist()) for name, a in answer.outputs.items()}}


def _inputs() -> dict[str, Any]:
    """The object on standard input. Raises ``ConfigError``."""
    try:
        found = json.load(sys.stdin)
    except ValueError as error:
        raise ConfigError(f"no JSON on standard input ({error})", "an object: values by input", "mend it") from error
    if not isinstance(found, dict):
        raise ConfigError(
            f"a {type(found).__name__} on standard input", "an object: values by input", "name the inputs"
        )
    return found


def _listed(value: Any) -> Any:
    """Nested lists with texts for bytes."""
    if isinstance(value, list):
        return [_listed(item) for item in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


if __name__ == "__main__":
    sys.exit(main())
