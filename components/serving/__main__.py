"""``python -m components.serving --port=8500 --model_name=... --model_base_path=...``: the server without the CLI."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from components.serving.main import serve
from schemas.errors import KilnworksError


@dataclass(frozen=True)
class _Folder:
    """A store by its folder alone."""

    root: Path


def main() -> int:
    """Serve; errors of the configuration are printed without a traceback."""
    try:
        return serve(
            sys.argv[1:], lambda url: _Folder(Path(url or os.environ.get("KILNWORKS_STORE", "store")).resolve())
        )
    except KilnworksError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
