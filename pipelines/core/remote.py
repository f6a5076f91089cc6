"""A store on any fsspec URL (``s3://``, ``gs://``, ``memory://`` ...), mirrored in a local folder.

Steps always work on local files. What a step publishes is sent up afterwards, file by file, with the file that
makes it complete (``manifest.json``, ``saved_model.pb``) last, because object stores know no atomic rename; what
a step needs and is not here is fetched down into a scratch folder and renamed when whole.
"""

import hashlib
import os
import shutil
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas.errors import StoreError

MIRROR_VARIABLE = "KILNWORKS_MIRROR"
LAST = ("saved_model.pb", "manifest.json")
"""Names of the files whose presence makes a folder complete, in the order in which they are sent."""
RECORDS = ("runs/*/*/run.json", "runs/*/*/outcomes/*.json", "runs/*/*/*/manifest.json", "champions/*.json")
"""The small files that say what there is."""


@dataclass(frozen=True)
class Remote:
    """One remote folder and its local mirror.

    Attributes:
        url: of the remote folder, e.g. ``s3://bucket/kilnworks``.
        mirror: the local folder.
    """

    url: str
    mirror: Path

    @classmethod
    def at(cls, url: str) -> "Remote":
        """The remote at ``url``; its mirror lies in ``$KILNWORKS_MIRROR`` or ``~/.cache/kilnworks``."""
        folder = Path(os.environ.get(MIRROR_VARIABLE, Path.home() / ".cache" / "kilnworks"))
        return cls(url.rstrip("/"), folder / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16])

    @cached_property
    def _remote(self) -> tuple[Any, str]:
        """File system and folder. Raises ``StoreError`` where no driver for the URL is installed."""
        import fsspec

        try:
            fs, folder = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"store {self.url}: {error}", "a URL that fsspec can open", "install its driver"
            ) from error
        return fs, folder.rstrip("/")

    def push(self, relative: str) -> None:
        """Send a file, or a folder with its completing file last."""
        fs, folder = self._remote
        local = self.mirror / relative
        files = [local] if local.is_file() else sorted(p for p in local.rglob("*") if p.is_file())
        for path in sorted(files, key=lambda p: LAST.index(p.name) if p.name in LAST else -1):
            target = f"{folder}/{path.relative_to(self.mirror).as_posix()}"
            fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            fs.put_file(str(path), target)

    def pull(self, relative: str) -> None:
        """Fetch a file, always anew, or a folder that is not in the mirror; nothing where the remote has none."""
        fs, folder = self._remote
        fs.invalidate_cache()
        source, target = f"{folder}/{relative}", self.mirror / relative
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

    def pull_versions(self, relative: str) -> None:
        """Fetch what is new in a folder of models: every version that is not in the mirror, every small file."""
        for model in self.children(relative):
            for child in self.children(f"{relative}/{model}"):
                self.pull(f"{relative}/{model}/{child}")

    def push_version(self, version: Path) -> None:
        """Send a published version and the small files beside it."""
        for path in [version, *(p for p in version.parent.iterdir() if p.is_file())]:
            self.push(path.relative_to(self.mirror).as_posix())

    def pull_artifact(self, relative: str) -> None:
        """Fetch a finished artifact: only where its manifest is there."""
        fs, folder = self._remote
        fs.invalidate_cache()
        if fs.exists(f"{folder}/{relative}/manifest.json"):
            self.pull(relative)

    def children(self, relative: str) -> list[str]:
        """Names below a remote folder; empty where it does not exist."""
        fs, folder = self._remote
        fs.invalidate_cache()
        source = f"{folder}/{relative}"
        if not fs.exists(source):
            return []
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in fs.ls(source, detail=False)})

    def fetch_records(self, folder: Path) -> None:
        """Fetch what says which runs there are, with the times of the remote, into a folder of its own.

        Raises:
            NotImplementedError: the driver does not tell when a file was changed.
        """
        fs, base = self._remote
        fs.invalidate_cache()
        changed: dict[Path, float] = {}
        for path in [str(path) for pattern in RECORDS for path in fs.glob(f"{base}/{pattern}")]:
            target = folder / path.lstrip("/")[len(base.lstrip("/")) + 1 :]
            target.parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(path, str(target))
            run = folder.joinpath(*target.relative_to(folder).parts[:3])
            changed[run] = max(changed.get(run, 0.0), fs.modified(path).timestamp())
        for run, seconds in changed.items():
            for place in (*(run.iterdir() if run.is_dir() else ()), run):
                os.utime(place, (seconds, seconds))

    def size(self, relative: str) -> int:
        """Bytes of a remote folder."""
        fs, folder = self._remote
        return int(fs.du(f"{folder}/{relative}"))

    def remove(self, relative: str) -> None:
        """Remove a remote folder: first what makes its parts complete."""
        fs, folder = self._remote
        fs.invalidate_cache()
        completing = [p for p in fs.find(f"{folder}/{relative}") if str(p).rpartition("/")[2] in LAST]
        if completing:
            fs.rm(completing)
        fs.rm(f"{folder}/{relative}", recursive=True)
