"""What source files import, kept in a file between processes, so that only what changed is parsed.

An entry is found by the SHA-256 of a file's content, never by its time or size: an edit within the same second is
another content. What another version of Python or of the reading code has found is not taken.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kilnworks.schemas.access import private_files
from kilnworks.schemas.closure import source_code
from kilnworks.schemas.files import write_text

MOST_ENTRIES = 5000
"""Beyond so many, what this process did not ask for is forgotten."""


_HELD: dict[Path, int] = {}
"""How many entries of this process a file held when it was last read or written here."""


@contextmanager
def remembered_imports(path: Path) -> Iterator[None]:
    """Read what is remembered at ``path``, and write what was found in the block; a file that is damaged is made anew.

    A store that takes no writing loses nothing but time.
    """
    if path not in _HELD:
        known = _read(path)
        source_code.IMPORTS.update(known)
        _HELD[path] = len(known)
    yield
    if len(source_code.IMPORTS) == _HELD[path]:
        return
    kept = source_code.IMPORTS.keys() if len(source_code.IMPORTS) <= MOST_ENTRIES else source_code.USED
    found = {key: source_code.IMPORTS[key] for key in sorted(kept)}
    with suppress(OSError), private_files():
        write_text(path, json.dumps({"by": _reader(), "imports": found}))
    _HELD[path] = len(source_code.IMPORTS)


def _read(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["by"] == _reader():
            return {str(key): tuple(map(str, imports)) for key, imports in content["imports"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return {}


def _reader() -> str:
    """Which Python read the imports, and with which code."""
    code = hashlib.sha256(Path(source_code.__file__).read_bytes()).hexdigest()
    return f"{sys.version_info.major}.{sys.version_info.minor} {code}"
