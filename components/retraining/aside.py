"""Setting aside what would spoil a training, with its reason, and bringing it back.

::

    STORE/retraining/<pipeline>/set_aside/<file>            the content, as it landed
                                         /<file>.why.json   {"file", "reason", "at", "run", "bring_back"}

The landing folder stays as it is. A corrected file is new content and is judged anew, under whatever name.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kilnworks.components.retraining import ledger as books
from kilnworks.components.retraining.landing import link
from kilnworks.components.retraining.ledger import Aside, LandedData, Ledger, opened
from kilnworks.schemas.errors import UnknownName
from kilnworks.schemas.files import write_json

FOLDER = "set_aside"
REMEMBERED = 20
"""Newest batches whose runs are looked at again."""


@dataclass(frozen=True)
class Failure:
    """How a run failed by its data.

    Attributes:
        reason: what the run said.
        bad: name -> what is wrong, of the files that hold what it failed by; empty where none does by itself.
    """

    reason: str
    bad: Mapping[str, str]


class FileJudge(Protocol):
    """Who knows what a pipeline can learn from."""

    def file(self, path: Path) -> str:
        """Why nothing can be learned from a file; empty where something can."""

    def run(self, run_id: str) -> Failure | None:
        """How a run failed by its data; None where it did not."""


@dataclass(frozen=True)
class Spoiled:
    """A file that was set aside.

    Attributes:
        name: in the landing folder.
        reason: what is wrong with it.
        lies_at: where its content lies now.
        bring_back: the command by which it is trained on all the same.
    """

    name: str
    reason: str
    lies_at: Path
    bring_back: str


def examine(store: Path, pipeline: str, judge: FileJudge, now: float) -> list[Spoiled]:
    """Set aside what a run failed by, and of what waits each file that would make one fail; returns what is new there.

    Args:
        store: local root of the store.
        pipeline: whose data it is.
        judge: of files and of runs.
        now: seconds since 1970.
    """
    with opened(store, pipeline) as ledger:
        found = {**_by_runs(ledger, judge, now), **_by_files(ledger, judge, books.folder(store, pipeline), now)}
        for sha, aside in found.items():
            ledger.contents[sha].aside = aside
        return [_laid_out(store, pipeline, ledger, sha, aside) for sha, aside in found.items()]


def bring_back(store: Path, pipeline: str, name: str) -> None:
    """Let a file that was set aside be trained on; it waits again as if it had just arrived.

    Raises:
        UnknownName: no file of this name is set aside.
    """
    with opened(store, pipeline) as ledger:
        aside = {n: s.sha256 for n, s in ledger.files.items() if s.sha256 and ledger.contents[s.sha256].aside}
        if name not in aside:
            raise UnknownName("file that is set aside", name, sorted(aside))
        content = ledger.contents[str(aside[name])]
        content.aside, content.accepted, content.batch = None, True, None
        for path in _places(store, pipeline, name):
            path.unlink(missing_ok=True)


def _by_files(ledger: Ledger, judge: FileJudge, where: Path, now: float) -> dict[str, Aside]:
    """Contents that wait and cannot be learned from."""
    found: dict[str, Aside] = {}
    for sha in ledger.waiting():
        content = ledger.contents[sha]
        if content.accepted:
            continue
        with tempfile.TemporaryDirectory(dir=where, prefix=".judged-") as folder:
            path = Path(folder) / Path(ledger.name_of(sha)).name
            link(where / "blobs" / sha, path)
            reason = judge.file(path)
        content.accepted = not reason
        if reason:
            found[sha] = Aside(reason=reason, at=now)
    return found


def _by_runs(ledger: Ledger, judge: FileJudge, now: float) -> dict[str, Aside]:
    """Contents by which a run failed; those of a run that has succeeded since are used again."""
    found: dict[str, Aside] = {}
    for batch in ledger.batches[-REMEMBERED:]:
        failure = judge.run(batch.run_id)
        if failure is None and batch.blamed:
            _use_again(ledger, batch)
        elif failure is not None and not batch.blamed:
            found |= {
                sha: Aside(reason=why, at=now, run=batch.run_id) for sha, why in _to_blame(ledger, batch, failure)
            }
        batch.blamed = failure is not None
    return found


def _to_blame(ledger: Ledger, batch: LandedData, failure: Failure) -> Iterator[tuple[str, str]]:
    """Hash and reason: of the files that are bad by themselves; where no file could be judged so, of all new ones.

    Where only the base, or a file that is gone, is bad, no content is to blame.
    """
    for sha, content in ledger.contents.items():
        in_it = content.batch == batch.run_id
        why = failure.bad.get(ledger.name_of(sha)) or ("" if failure.bad or not in_it else failure.reason)
        if why and content.batch is not None and content.aside is None:
            yield sha, why


def _use_again(ledger: Ledger, batch: LandedData) -> None:
    for content in ledger.contents.values():
        if content.aside is not None and content.aside.run == batch.run_id:
            content.aside = None


def _laid_out(store: Path, pipeline: str, ledger: Ledger, sha: str, aside: Aside) -> Spoiled:
    """Put the content where people find it, with the reason beside it."""
    name = ledger.name_of(sha)
    content, why = _places(store, pipeline, name)
    content.unlink(missing_ok=True)
    link(books.folder(store, pipeline) / "blobs" / sha, content)
    command = f"kilnworks landed {pipeline} --bring-back {name}"
    write_json(why, {"file": name, "bring_back": command, **aside.model_dump(mode="json")})
    return Spoiled(name, aside.reason, content, command)


def _places(store: Path, pipeline: str, name: str) -> tuple[Path, Path]:
    """Where the content of a file that is set aside lies, and the reason."""
    content = books.folder(store, pipeline) / FOLDER / name
    return content, content.with_name(f"{content.name}.why.json")
