"""What has arrived, what it was used for, and what was decided: one JSON file that survives every restart.

::

    STORE/retraining/<pipeline>/ledger.json         this; replaced in one rename, under a lock between processes
                               /blobs/<sha256>      content that arrived, pinned
                               /batches/<run id>/   the files that one run trains on: links to blobs, never changed
                               /set_aside/<file>    content that no run trains on, with <file>.why.json
                               /decisions/*.json    decision records, one for each change of mind
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field

from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import StoreError
from kilnworks.schemas.files import read_json, write_json
from kilnworks.schemas.locks import exclusive


class Seen(BaseModel):
    """One file of the landing folder as it was at the last look; times are seconds since 1970."""

    size: int
    changed: str
    since: float
    """When the file was first seen in this state."""
    sha256: str | None = None
    """Hash of its content, once it has settled and was pinned."""


class Aside(BaseModel):
    """Why no run trains on some content."""

    reason: str
    at: float
    run: str | None = None
    """The run that failed by it; None where the file was judged by itself."""


class Content(BaseModel):
    """Content that arrived, whatever the names of the files that held it."""

    rows: int
    arrived: float
    batch: str | None = None
    """The run that it was new for; None while it waits."""
    aside: Aside | None = None
    accepted: bool = False
    """Whether it was judged, by itself or by a person, and may be trained on."""


class BatchFile(BaseModel):
    """One file of a batch."""

    name: str
    rows: int
    new: bool
    """Whether the run was started for it."""


class LandedData(BaseModel):
    """Data that a run was decided for."""

    run_id: str
    fingerprint: str
    new: list[str]
    """Hashes of the contents that were new."""
    rows: int
    """New rows."""
    files: list[BatchFile] = Field(default_factory=list)
    """Everything that had landed and is in it; the base is not."""
    claimed: float
    blamed: bool = False
    """Whether its run failed by its data, and what it failed by was set aside."""
    started: bool = False
    """Whether an orchestrator said that the run exists."""


class Ledger(BaseModel):
    """Everything that is remembered of one pipeline's landing folder."""

    files: dict[str, Seen] = Field(default_factory=dict)
    contents: dict[str, Content] = Field(default_factory=dict)
    batches: list[LandedData] = Field(default_factory=list)
    decisions: int = 0
    """Number of decision records written so far."""
    last_decision: str = ""
    """What the newest one said, to write the next only when it says something else."""

    def waiting(self) -> list[str]:
        """Hashes of the contents in the folder that no run was decided for, in order of arrival."""
        new = [sha for sha in self.usable().values() if self.contents[sha].batch is None]
        return sorted(new, key=lambda sha: (self.contents[sha].arrived, sha))

    def usable(self) -> dict[str, str]:
        """Name -> hash of the files that a run may train on; of several with the same content the first by name."""
        names: dict[str, str] = {}
        for name, seen in sorted(self.files.items()):
            if seen.sha256 and self.contents[seen.sha256].aside is None:
                names.setdefault(seen.sha256, name)
        return {name: sha for sha, name in names.items()}

    def name_of(self, sha: str) -> str:
        """A file in the folder that holds some content; its hash where none does any more."""
        return next((name for name, seen in sorted(self.files.items()) if seen.sha256 == sha), sha)

    def batch(self, run_id: str) -> LandedData | None:
        """What a run was started for; None where it was started for something else."""
        return next((batch for batch in self.batches if batch.run_id == run_id), None)

    def unsettled(self) -> list[Seen]:
        """Files that may still be growing."""
        return [seen for seen in self.files.values() if seen.sha256 is None]

    def unstarted(self) -> LandedData | None:
        """The oldest batch whose run nobody has confirmed."""
        return next((batch for batch in self.batches if not batch.started), None)


def folder(store: Path, pipeline: str) -> Path:
    """Where all this lies for a pipeline."""
    return store / "retraining" / pipeline


@contextmanager
def opened(store: Path, pipeline: str) -> Iterator[Ledger]:
    """The ledger, for one process at a time; written back, durably, when the block ends without an error."""
    where = folder(store, pipeline)
    with private_files():
        where.mkdir(parents=True, exist_ok=True)
    with private_files(), exclusive(where / ".lock"):
        ledger = read(store, pipeline)
        before = ledger.model_dump_json()
        yield ledger
        if ledger.model_dump_json() != before:
            write_json(where / "ledger.json", ledger.model_dump(mode="json"), durable=True)


def read(store: Path, pipeline: str) -> Ledger:
    """The ledger as it stands, for those who only look. Raises ``StoreError`` for one that is damaged."""
    path = folder(store, pipeline) / "ledger.json"
    try:
        return Ledger.model_validate(read_json(path)) if path.is_file() else Ledger()
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise StoreError(
            f"{path} is damaged: {first}",
            "the ledger as it was written",
            "restore it; without it all that has landed counts as new",
        ) from error
