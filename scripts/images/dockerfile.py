"""``docker/Dockerfile`` as stages and instructions, read with ``dockerfile-parse``."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
CHANGES_FILES = ("RUN", "COPY", "ADD")


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, what follows, and its first line in the file, from 1."""

    word: str
    value: str
    line: int

    def words(self) -> list[str]:
        """The words of an exec form (JSON), or of a plain line."""
        return [str(w) for w in json.loads(self.value)] if self.value.startswith("[") else shlex.split(self.value)


@dataclass(frozen=True)
class Stage:
    """One stage: its name, the image or stage that it begins with, and its instructions without ``FROM``."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def changes_files(self) -> bool:
        """Whether its files differ from those of its base."""
        return any(one.word in CHANGES_FILES for one in self.instructions)


@dataclass
class Settings:
    """What a container of a stage starts with.

    Attributes:
        environment: variables.
        workdir: working directory.
        user: ``UID:GID``; empty for root.
        entrypoint, command: what is started, in exec form.
        health: of HEALTHCHECK, in exec form.
    """

    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def apply(self, one: Instruction) -> None:
        """Take over what an instruction says of the settings; those of files and of the build say nothing."""
        if one.word == "ENV":
            pairs = (pair.partition("=") for pair in shlex.split(one.value))
            self.environment.update({name: value for name, _, value in pairs})
        elif one.word == "WORKDIR":
            self.workdir = one.value
        elif one.word == "USER":
            self.user = one.value
        elif one.word == "ENTRYPOINT":
            self.entrypoint, self.command = one.words(), []
        elif one.word == "CMD":
            self.command = one.words()
        elif one.word == "HEALTHCHECK":
            self.health = [str(word) for word in json.loads(one.value.partition("CMD ")[2])]


def stages(path: Path = DOCKERFILE) -> dict[str, Stage]:
    """Name -> stage, in the order of the file; arguments before the first ``FROM`` are filled in."""
    found: dict[str, tuple[str, list[Instruction]]] = {}
    arguments: dict[str, str] = {}
    for one in _instructions(path):
        if one.word == "ARG" and not found:
            name, _, value = one.value.partition("=")
            arguments[name] = value
        elif one.word == "FROM":
            base, _, name = one.value.partition(" AS ")
            found[name or str(len(found))] = (_filled(base, arguments), [])
        else:
            found[next(reversed(found))][1].append(one)
    return {name: Stage(name, base, tuple(content)) for name, (base, content) in found.items()}


def lineage(all_stages: Mapping[str, Stage], name: str) -> list[Stage]:
    """A stage and those that it builds upon, the first one first."""
    chain = [all_stages[name]]
    while chain[0].base in all_stages:
        chain.insert(0, all_stages[chain[0].base])
    return chain


def settings(all_stages: Mapping[str, Stage], name: str) -> Settings:
    """What a container of a stage starts with, its bases included."""
    found = Settings()
    for stage in lineage(all_stages, name):
        for one in stage.instructions:
            found.apply(one)
    return found


def _instructions(path: Path) -> Iterator[Instruction]:
    with path.open("rb") as file:
        structure: list[dict[str, Any]] = DockerfileParser(fileobj=file).structure
    for one in structure:
        if one["instruction"] != "COMMENT":
            yield Instruction(one["instruction"].upper(), one["value"], one["startline"] + 1)


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], text)
