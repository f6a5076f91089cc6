"""A store on any fsspec URL (``s3://``, ``gs://``, ``memory://`` ...), mirrored in a local folder.

Steps always work on local files. What a step publishes is sent up afterwards, file by file, with the file that
makes it complete (``manifest.json``, ``saved_model.pb``) last, because object stores know no atomic rename; what
a step needs and is not here is fetched down into a scratch folder and renamed when whole.
"""

import glob
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import KilnworksError, StoreError
from kilnworks.schemas.secret import SecretUrl

P = ParamSpec("P")
R = TypeVar("R")

MIRROR_VARIABLE = "KILNWORKS_MIRROR"
LAST = ("saved_model.pb", "manifest.json")
"""Names of the files whose presence makes a folder complete, in the order in which they are sent."""
RECORDS = ("runs/*/*/run.json", "runs/*/*/outcomes/*.json", "runs/*/*/*/manifest.json", "champions/*.json")
"""The small files that say what there is."""


def _reached(method: Callable[P, R]) -> Callable[P, R]:
    """A method of ``Remote`` whose driver's errors arrive as ``StoreError``."""

    @wraps(method)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (KilnworksError, NotImplementedError):
            raise
        except Exception as error:
            url = getattr(args[0], "shown", "")
            raise StoreError(
                f"store {url}: {type(error).__name__}: {error}",
                "a remote store that can be reached, read and written",
                "check its URL, your credentials and the network",
            ) from error

    return told


@dataclass(frozen=True)
class Remote:
    """One remote folder and its local mirror.

    Attributes:
        url: of the remote folder, e.g. ``s3://bucket/kilnworks``; secrets in it as ``SecretUrl`` takes them.
        mirror: the local folder.
    """

    url: str = field(repr=False)
    mirror: Path

    @property
    def shown(self) -> str:
        """The URL without its secrets."""
        return str(SecretUrl(self.url))

    @classmethod
    def at(cls, url: str) -> "Remote":
        """The remote at ``url``; its mirror lies in ``$KILNWORKS_MIRROR`` or ``~/.cache/kilnworks``."""
        folder = Path(os.environ.get(MIRROR_VARIABLE, Path.home() / ".cache" / "kilnworks"))
        address = url.rstrip("/")
        name = SecretUrl(address).identity()  # a changed password is no other store
        return cls(address, folder / hashlib.sha256(name.encode()).hexdigest()[:16])

    @cached_property
    def _remote(self) -> tuple[Any, str]:
        """File system and folder. Raises ``StoreError`` where no driver for the URL is installed."""
        import fsspec

        try:
            fs, folder = fsspec.core.url_to_fs(SecretUrl(self.url).reveal())
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"store {self.shown}: {error}", "a URL that fsspec can open", "install its driver"
            ) from error
        return fs, folder.rstrip("/")

    def _now(self, relative: str) -> tuple[Any, str]:
        """File system, and the place of a file or folder in it as other hosts have left it by now."""
        fs, folder = self._remote
        fs.invalidate_cache()
        return fs, f"{folder}/{relative}"

    @_reached
    def create(self, relative: str, content: bytes) -> bool:
        """Write a small file that is not there yet; False where it is, also when another host was faster."""
        fs, folder = self._remote
        try:
            fs.makedirs(f"{folder}/{relative}".rpartition("/")[0], exist_ok=True)
            fs.pipe_file(f"{folder}/{relative}", content, mode="create")
        except FileExistsError:
            return False
        return True

    @_reached
    def exists(self, relative: str) -> bool:
        """Whether the remote has a file or folder now."""
        fs, place = self._now(relative)
        return bool(fs.exists(place))

    @_reached
    @private_files()
    def fetch_small(self, relative: str, target: Path, endings: tuple[str, ...], most_bytes: int) -> None:
        """Fetch the files of a remote folder that say what is in it, into a folder of their own."""
        fs, source = self._now(relative)
        found = fs.find(source, detail=True)
        wanted = [p for p, info in found.items() if p.endswith(endings) and (info["size"] or 0) <= most_bytes]
        places = [target / str(p)[str(p).index(source.lstrip("/")) + len(source.lstrip("/")) + 1 :] for p in wanted]
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
        if wanted:
            fs.get(wanted, [str(place) for place in places])

    @_reached
    def read(self, relative: str) -> bytes:
        """Content of a small file, as it is now."""
        fs, place = self._now(relative)
        return bytes(fs.cat_file(place))

    @_reached
    def push(self, relative: str) -> None:
        """Send a file, or a folder with its completing file last."""
        fs, folder = self._remote
        local = self.mirror / relative
        files = [local] if local.is_file() else sorted(p for p in local.rglob("*") if p.is_file())
        for path in sorted(files, key=lambda p: LAST.index(p.name) if p.name in LAST else -1):
            target = f"{folder}/{path.relative_to(self.mirror).as_posix()}"
            fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            fs.put_file(str(path), target)

    @_reached
    @private_files()
    def pull(self, relative: str) -> None:
        """Fetch a file, always anew, or a folder that is not in the mirror; nothing where the remote has none."""
        fs, source = self._now(relative)
        target = self.mirror / relative
        if not fs.exists(source) or target.is_dir():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
        if fs.isfile(source):
            fs.get_file(source, str(scratch))
            scratch.replace(target)
            return
        for path in fs.find(source):
            place = scratch / str(path)[len(source) :].lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(path, str(place))
        try:
            scratch.rename(target)
        except OSError:
            shutil.rmtree(scratch)

    @_reached
    def pull_versions(self, relative: str) -> None:
        """Fetch what is new in a folder of models: every whole version that is not in the mirror, every small file."""
        for model in self.children(relative):
            for child in self.children(f"{relative}/{model}"):
                if not child.isdecimal() or self.exists(f"{relative}/{model}/{child}/{LAST[0]}"):
                    self.pull(f"{relative}/{model}/{child}")

    @_reached
    def push_version(self, version: Path) -> None:
        """Send a published version and the small files beside it."""
        for path in [version, *(p for p in version.parent.iterdir() if p.is_file())]:
            self.push(path.relative_to(self.mirror).as_posix())

    @_reached
    def forget_versions(self, base: Path) -> None:
        """Remove the versions of a model that its host has withdrawn."""
        relative = base.relative_to(self.mirror).as_posix()
        for name in self.children(relative):
            if name.isdecimal() and not (base / name).is_dir():
                self.remove(f"{relative}/{name}")

    @_reached
    def follow_versions(self, relative: str) -> None:
        """Let a folder of models hold what the remote one holds, on a host that publishes nothing itself."""
        self.pull_versions(relative)
        for model in self.children(relative):
            there = set(self.children(f"{relative}/{model}"))
            for version in (self.mirror / relative / model).iterdir():
                if version.name.isdecimal() and version.name not in there:
                    aside = version.with_name(f".{version.name}.{uuid.uuid4().hex[:8]}.removed")
                    shutil.rmtree(version.rename(aside), ignore_errors=True)

    @_reached
    @private_files()
    def pull_artifact(self, relative: str) -> None:
        """Fetch a finished artifact: only where its manifest is there."""
        fs, place = self._now(relative)
        if fs.exists(f"{place}/manifest.json"):
            self.pull(relative)

    @_reached
    def children(self, relative: str) -> list[str]:
        """Names below a remote folder; empty where it does not exist."""
        fs, source = self._now(relative)
        if not fs.exists(source):
            return []
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in fs.ls(source, detail=False)})

    @_reached
    def fetch_records(self, folder: Path) -> None:
        """Fetch what says which runs there are, with the times of the remote, into a folder of its own.

        Raises:
            NotImplementedError: the driver does not tell when a file was changed.
        """
        fs, base = self._remote
        fs.invalidate_cache()
        changed: dict[Path, float] = {}
        for path in [str(path) for pattern in RECORDS for path in fs.glob(f"{glob.escape(base)}/{pattern}")]:
            target = folder / path.lstrip("/")[len(base.lstrip("/")) + 1 :]
            target.parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(path, str(target))
            run = folder.joinpath(*target.relative_to(folder).parts[:3])
            changed[run] = max(changed.get(run, 0.0), fs.modified(path).timestamp())
        for run, seconds in changed.items():
            for place in (*(run.iterdir() if run.is_dir() else ()), run):
                os.utime(place, (seconds, seconds))

    @_reached
    def size(self, relative: str) -> int:
        """Bytes of a remote folder."""
        fs, folder = self._remote
        return int(fs.du(f"{folder}/{relative}"))

    @_reached
    def remove(self, relative: str) -> None:
        """Remove a remote folder: first what makes its parts complete."""
        fs, place = self._now(relative)
        completing = [p for p in fs.find(place) if str(p).rpartition("/")[2] in LAST]
        if glob.has_magic(place):  # fs.rm takes such a path for a pattern
            for path in (*completing, *(p for p in fs.find(place) if p not in completing)):
                fs.rm_file(path)
            return
        if completing:
            fs.rm(completing)
        fs.rm(place, recursive=True)
