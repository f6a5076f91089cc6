"""Work on a pipeline that lies in a folder of the store, is done by one process at a time, and may be gone on with.

::

    STORE/<folder>/<pipeline>/<name>/<record>       what was asked for
                                    /lock           held by the process that works on it
                                    /results.json   what came of it
                                    /report.html
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from kilnworks.pipelines.core.store import Store, clean, now
from kilnworks.schemas.errors import ConfigError, StoreError, UnknownName
from kilnworks.schemas.files import read_json, write_json
from kilnworks.schemas.json_values import as_dict
from kilnworks.schemas.locks import try_to_hold
from kilnworks.schemas.masking import masked_tree
from kilnworks.schemas.wire import HIDDEN

RESULTS, REPORT = "results.json", "report.html"
FOLDERS = {"crossval": "crossval", "diagnose": "diagnoses", "lr-find": "rates"}
"""Command -> folder of the store that its work lies in."""


@dataclass(frozen=True)
class Work:
    """A piece of work in a store."""

    store: Store
    pipeline: str
    name: str

    FOLDER: ClassVar[str]
    """Below the store, and the beginning of the names of its runs."""
    RECORD: ClassVar[str]
    """The file that says what was asked for."""
    COMMAND: ClassVar[str]
    """That begins one."""
    TITLE: ClassVar[str]
    """What it is called in messages."""

    @classmethod
    def all_of(cls, store: Store, pipeline: str) -> list[str]:
        """Names of all of a pipeline whose record can be read, in the order in which they were begun."""
        records = (store.root / cls.FOLDER / pipeline).glob(f"*/{cls.RECORD}")
        found = [(begun_at(path), path.parent.name) for path in records]
        return [name for begun, name in sorted(found) if begun]

    @classmethod
    def newest(cls, store: Store, pipeline: str) -> Self:
        """The newest one, to go on with. Raises ``UnknownName``, ``ConfigError`` where it had a secret."""
        known = cls.all_of(store, pipeline)
        if not known:
            otherwise = f"begin one: kilnworks {cls.COMMAND} {pipeline}"
            raise UnknownName(f"{cls.TITLE} of {pipeline}", "latest", known, otherwise)
        return cls(store, pipeline, known[-1]).readable()

    @classmethod
    def named(cls, store: Store, pipeline: str, name: str | None) -> Self | None:
        """The one of that name, to go on with; None where there is none yet. Raises ``ConfigError`` as ``newest``."""
        this = cls(store, pipeline, clean(name or ""))
        return this.readable() if name and (this.folder / cls.RECORD).is_file() else None

    def readable(self) -> Self:
        """Itself. Raises ``ConfigError`` where it was begun with a secret, which no other process knows."""
        hidden = sorted(name for name, value in self.record["settings"].items() if HIDDEN in str(value))
        if hidden:
            raise ConfigError(
                f"{self.TITLE} {self.name} was begun with a secret in {', '.join(hidden)}, which is stored nowhere",
                "settings that can be read again, such as a reference, ${PASSWORD}",
                f"begin a new one: kilnworks {self.COMMAND} {self.pipeline} --set '{hidden[0]}=...'",
            )
        return self

    @classmethod
    def resumed(cls, store: Store, pipeline: str, given: Mapping[str, Any], settings: Collection[str]) -> Self:
        """The newest one, to go on with as it was begun.

        Args:
            store: where it lies.
            pipeline: what is worked on.
            given: options of the command by name, ``--resume`` aside.
            settings: its ``--set``.

        Raises:
            ConfigError: an option was given, or it was begun with a secret.
            UnknownName: there is none.
        """
        if given or settings:
            word = next(iter(given), "set")
            raise ConfigError(
                f"--{word} with a {cls.TITLE} that was begun before",
                "--resume alone: it keeps what it was begun with",
                f"leave --{word} out, or begin a new one without --resume",
            )
        return cls.newest(store, pipeline)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.store.root / self.FOLDER / self.pipeline / clean(self.name)

    def begin(self, asked: Mapping[str, Any]) -> None:
        """Write down what is asked for, ``settings`` among it; secrets in them are kept in this process alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        record = {**asked, "pipeline": self.pipeline, "name": self.name, "begun": now()}
        write_json(self.folder / self.RECORD, masked_tree(record))
        self.__dict__["record"] = record

    @cached_property
    def record(self) -> dict[str, Any]:
        """What was asked for."""
        return dict(read_json(self.folder / self.RECORD))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work on it with nobody else. Raises ``StoreError`` where somebody does."""
        with (self.folder / "lock").open("a") as lock:
            if not try_to_hold(lock):
                raise StoreError(
                    f"{self.TITLE} {self.name} is being worked on", "one process at a time", "wait for it to end"
                )
            yield

    def run_id(self, words: str) -> str:
        """A run of it."""
        return f"{self.FOLDER}-{self.name}-{words}"

    def finish(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the results; returns what was kept, for the page: secrets in settings and commands are hidden."""
        kept: dict[str, Any] = masked_tree(results)
        write_json(self.folder / RESULTS, kept)
        self.store.push(f"{self.FOLDER}/{self.pipeline}/{self.folder.name}/{RESULTS}")
        return kept


def page_of(store: Store, pipeline: str, name: str) -> str | None:
    """The page of a piece of work of that name, relative to the store; None where it has none here yet."""
    pages = (f"{folder}/{pipeline}/{clean(name)}/{REPORT}" for folder in FOLDERS.values())
    return next((page for page in pages if _brought(store, page)), None)


def _brought(store: Store, page: str) -> bool:
    store.pull(page)
    return (store.root / page).is_file()


def begun_at(record: Path) -> str:
    """When a piece of work, or a search, was begun; empty where the record is damaged."""
    try:
        return str(as_dict(read_json(record)).get("begun") or "")
    except (OSError, ValueError):
        return ""
