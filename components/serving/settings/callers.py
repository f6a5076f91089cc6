"""``--callers_file``: who may ask which models, told apart by bearer tokens (RFC 6750).

The file holds digests of tokens, never the tokens::

    callers:
      - name: shop
        token_sha256: 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
        models: [churn, prices]
      - name: operators
        token_sha256: ...
        models: ["*"]
        reload: true
"""

import hashlib
import hmac
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.schemas.errors import ConfigError

LOOK_SECONDS = 1.0
"""A changed file counts after so long at most."""
_LONGEST_FILE = 1024 * 1024
_EVERY = "*"
_WANTED = "callers: a list of {name, token_sha256, models, reload}, in YAML or JSON"

log = logging.getLogger(__name__)


class Caller(BaseModel):
    """One caller.

    Attributes:
        name: shown in answers and logs.
        token_sha256: SHA-256 of the token, 64 hexadecimal digits; another token may be added as another caller.
        models: names of the models that may be asked; ``"*"`` = all.
        reload: may change what is served.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    name: str = Field(min_length=1, max_length=200)
    token_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    models: frozenset[str] = Field(strict=False)
    reload: bool = False

    def check(self, model: str) -> None:
        """Raise ``ServingError`` PERMISSION_DENIED for a model that this caller may not ask."""
        if _EVERY not in self.models and model not in self.models:
            raise ServingError(Code.PERMISSION_DENIED, f"The caller {self.name} may not ask model {model}")

    def check_reload(self) -> None:
        """Raise ``ServingError`` PERMISSION_DENIED for a caller that may not change what is served."""
        if not self.reload:
            raise ServingError(Code.PERMISSION_DENIED, f"The caller {self.name} may not change what is served")


ANYBODY = Caller(name="anybody", token_sha256="0" * 64, models=frozenset({_EVERY}), reload=True)
"""Who asks a server without a callers file: all may do everything, as in stock."""


class CallersFile:
    """The callers in a file, which is read again when it has changed. One that is wrong then changes nothing.

    Args:
        path: of the file.
        clock: seconds that only grow.

    Raises:
        ConfigError: the file cannot be read or does not hold callers.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock, self._lock = path, clock, threading.Lock()
        self._seen = _identity(path)
        self._known = _read(path)
        self._next_look = clock() + LOOK_SECONDS

    def caller(self, authorization: str) -> Caller:
        """The caller with this bearer token. Raises ``ServingError`` UNAUTHENTICATED."""
        if self._clock() >= self._next_look:
            self._look()
        kind, _, token = authorization.partition(" ")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
        found = self._known.get(digest)
        if kind.lower() != "bearer" or found is None or not hmac.compare_digest(digest, found.token_sha256):
            raise ServingError(Code.UNAUTHENTICATED, "A request needs 'Authorization: Bearer TOKEN' of a known caller")
        return found

    def _look(self) -> None:
        """Read the file again if it is another one; while one thread does, the others go on with what is known."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._next_look = self._clock() + LOOK_SECONDS
            seen = _identity(self._path)
            if seen != self._seen:
                self._seen = seen
                self._known = _read(self._path)
                log.info("%d callers were read from %s", len(self._known), self._path)
        except ConfigError as error:
            log.error("the callers of before stay: %s", error)
        finally:
            self._lock.release()


def _identity(path: Path) -> tuple[int, ...]:
    """What changes when a file is written or replaced; () for none."""
    try:
        told = path.stat()
    except OSError:
        return ()
    return told.st_ino, told.st_size, told.st_mtime_ns, os.major(told.st_dev), os.minor(told.st_dev)


def _read(path: Path) -> Mapping[str, Caller]:
    """Callers by the digest of their token."""
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise ConfigError(f"{path} holds more than {_LONGEST_FILE} bytes", _WANTED, "name another file")
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = _File.model_validate(tree).callers
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: {_why(error)}", _WANTED, "correct the file given by --callers_file") from None
    known = {caller.token_sha256: caller for caller in found}
    if len(known) < len(found):
        raise ConfigError(f"{path}: two callers have the same token", "a token for each", "make another one")
    return known


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    callers: list[Caller]


def _why(error: Exception) -> str:
    """What is wrong, in one line, without the values: somebody may have written a token where its digest belongs."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        digest = " (64 hexadecimal digits between quotes: the SHA-256 of the token)" if "token_sha256" in place else ""
        return f"{place}: {first['msg']}{digest}"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: no YAML: {error.problem}"
    return error.strerror or str(error) if isinstance(error, OSError) else f"no YAML: {type(error).__name__}"
