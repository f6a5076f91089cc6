"""``python -m kilnworks.components.serving --port=8500 --model_name=... --model_base_path=...``: without the CLI."""

import sys
from dataclasses import dataclass
from pathlib import Path

from kilnworks.components.serving.process.main import serve
from kilnworks.schemas.errors import ConfigError, KilnworksError
from kilnworks.schemas.places import is_remote, store_folder, store_url


@dataclass(frozen=True)
class _Folder:
    """A store by its folder alone."""

    root: Path

    def refresh(self) -> None:
        """A folder needs none."""


def _folder(url: str | None) -> _Folder:
    """The store in a folder. Raises ``ConfigError`` for one that lies elsewhere."""
    if is_remote(store_url(url)):
        raise ConfigError(f"the store {store_url(url)}", "a folder of this machine", "use `kilnworks serve` for it")
    return _Folder(store_folder(store_url(url)))


def main() -> int:
    """Serve; errors of the configuration are printed without a traceback."""
    try:
        return serve(sys.argv[1:], _folder)
    except KilnworksError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
