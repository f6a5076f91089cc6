"""Values of a config that stand for a user's own code and files: counted by content, never by place.

``Code`` names a function, class or object as ``"module:name"``; ``Bytes`` names a file. Both are written as bare texts.
"""

import difflib
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from kilnworks.schemas.closure.libraries import versions
from kilnworks.schemas.closure.loading import load, search_project, unknown_module
from kilnworks.schemas.closure.modules import find_module
from kilnworks.schemas.closure.source_code import source_code
from kilnworks.schemas.closure.unseen import unseen
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.places import fetched_by, project_root
from kilnworks.schemas.words import listed

PATH = re.compile(r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*\Z")
"""``package.module:name``; the name may be dotted."""


def with_files(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as given, with ``{"kind": "bytes", "path": ...}`` at any depth read as ``Bytes``."""
    return {name: _read(value) for name, value in options.items()}


def _read(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Bytes.model_validate(value) if value.get("kind") == "bytes" else with_files(value)
    return [_read(inside) for inside in value] if isinstance(value, list | tuple) else value


def written(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as plain values, configs in full."""
    return {name: _written(value) for name, value in options.items()}


def _written(value: Any) -> Any:
    if isinstance(value, Config):
        return value.model_dump()
    if isinstance(value, Mapping):
        return written(value)
    return [_written(inside) for inside in value] if isinstance(value, list | tuple) else value


Options = Annotated[dict[str, Any], AfterValidator(with_files), PlainSerializer(written)]
"""Arguments of a user's own code, in which files may stand."""


class Bytes(Config):
    """A file that code or a component reads, such as weights or vectors: ``"vectors/glove.npy"``.

    Two are the same where the content is, whatever they are called.
    """

    path_fields: ClassVar[tuple[str, ...]] = ("path",)
    kind: Literal["bytes"] = "bytes"
    path: str
    """The file; a relative path counts from the current folder, else from the project folder."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"path": str(value)} if isinstance(value, str | Path) else value

    @property
    def file(self) -> Path:
        """Where it lies. Raises ``ConfigError``: nothing is there; the message offers the nearest name."""
        written = Path(self.path).expanduser()
        for path in (written, project_root() / written):
            if path.is_file():
                return path
        folder = (project_root() / written).parent
        names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        near = difflib.get_close_matches(written.name, names, n=1, cutoff=0.5)
        command = fetched_by(written)
        raise ConfigError(
            f"no file {self.path}",
            f"a file in the current folder or in the project folder {project_root()}",
            f"run: {command}"
            if command
            else f"did you mean {written.with_name(near[0])}?"
            if near
            else "check the path",
        )

    def identity(self) -> dict[str, Any]:
        """SHA-256 of the content."""
        with self.file.open("rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


class Code(Config):
    """A function, class or object of a user's own: ``"my_project.models:build_model"``.

    Two are the same where path and options are, the source of the module and of every module of the project that it
    may import, and the versions of the libraries that these import.
    """

    path: str
    """``module:name``, as an import would find it; modules of the project folder are found too."""
    options: Options = Field(default_factory=dict)
    """Arguments that it is called with. A file belongs here as ``{"kind": "bytes", "path": "..."}``: it is handed over
    as a path, and counts by its content."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"path": value}
        if isinstance(value, Mapping):
            return cls._of_known_parts(value)
        return {"path": path_of(value)} if callable(value) and not isinstance(value, Config) else value

    @classmethod
    def _of_known_parts(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        if "path" not in value or not value.keys() <= cls.model_fields.keys():
            parts = ", ".join(f"{name!r}: ..." for name in cls.model_fields if name != "path")
            raise ValueError(
                f"code is written as 'package.module:name', or as {{'path': 'package.module:name', {parts}}}; "
                f"got {', '.join(map(repr, value)) or 'nothing'}"
            )
        return value

    @field_validator("path")
    @classmethod
    def _has_two_halves(cls, value: str) -> str:
        if not PATH.match(value):
            raise ValueError("code is named as 'package.module:name', for instance 'my_project.models:build_model'")
        return value

    @model_serializer(mode="wrap")
    def _as_text(self, handler: SerializerFunctionWrapHandler) -> Any:
        return handler(self) if self.options or type(self) is not Code else self.path

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Both forms: a text, and an object with options."""
        text = {"type": "string", "description": "module:name"}
        return {"anyOf": [text, handler.resolve_ref_schema(handler(schema))]}

    @property
    def module(self) -> str:
        """Full name of the module."""
        return self.path.partition(":")[0]

    @property
    def name(self) -> str:
        """Name inside of the module."""
        return self.path.partition(":")[2]

    def identity(self) -> dict[str, Any]:
        """Path and options, with what ``source_identity`` says."""
        return {**super().identity(), **source_identity(self.module)}

    def warnings(self) -> tuple[str, ...]:
        """What of it a fingerprint cannot see, in words."""
        search_project()
        return _unseen(self.module)

    def load(self) -> Any:
        """The object itself.

        Raises:
            UnknownName: no such module, or no such name in it; the message offers the nearest.
            ConfigError: the module cannot be imported; ``__cause__`` is the reason.
        """
        return load(self.path)

    def call(self, **given: Any) -> Any:
        """Call it with its options, and with those of ``given`` that it has parameters for.

        Raises:
            ConfigError: as ``load``; an option that it does not take; a parameter that nothing is given for.
        """
        return called(self.load(), self.path, self.options, given)


def codes_in(value: Any) -> Iterator[Code]:
    """Every piece of code that a config holds, however deep."""
    if isinstance(value, Code):
        yield value
        yield from codes_in(value.options)
    elif isinstance(value, Config):
        for name in type(value).model_fields:
            yield from codes_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for inside in value.values():
            yield from codes_in(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from codes_in(inside)


def unseen_in(config: Config) -> tuple[str, ...]:
    """In words, what of the code in a config its fingerprint cannot see; each once."""
    return tuple(dict.fromkeys(words for code in codes_in(config) for words in code.warnings()))


def source_identity(module: str) -> dict[str, Any]:
    """``source``: hash of a module and of every module of ours below it; ``libraries``: versions of those they import.

    Both as they were when this process first asked for them.

    Raises:
        UnknownName: there is no such module.
        ConfigError: a file of it is no Python.
    """
    search_project()
    if module.partition(".")[0] not in sys.stdlib_module_names and find_module(module) is None:
        raise unknown_module(module)
    return dict(_source_identity(module))


def forget_sources() -> None:
    """Look at all source anew: modules of the same names now lie elsewhere, or were edited and imported again."""
    _source_identity.cache_clear()
    _unseen.cache_clear()


@cache
def _source_identity(module: str) -> Mapping[str, Any]:
    found = source_code([module])
    return {"source": found.digest(), "libraries": versions(found.libraries)}


@cache
def _unseen(module: str) -> tuple[str, ...]:
    return unseen([module])


def path_of(thing: Callable[..., Any]) -> str:
    """``module:name`` of a function or class. Raises ``ValueError`` for one that no other process can find."""
    module, name = getattr(thing, "__module__", ""), getattr(thing, "__qualname__", "")
    if not module or module == "__main__" or not name or "<" in name:
        raise ValueError(f"{name or thing!r} cannot be found by name; write it at the top of a module of its own")
    return f"{module}:{name}"


def called(function: Any, path: str, options: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """``function(**options)``, and those of ``given`` that it has parameters for.

    Raises:
        ConfigError: an option that it does not take, or a parameter that nothing is given for.
    """
    values = {name: handed(value) for name, value in options.items()}
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return function(**values)
    named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY)}
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    if unknown := [name for name in values if name not in named and not takes_all]:
        near = difflib.get_close_matches(unknown[0], named, n=1, cutoff=0.5)
        raise ConfigError(
            f"{path} takes no {', '.join(map(repr, unknown))}",
            f"options among: {listed(sorted(named)) or 'none'}",
            f"did you mean {near[0]!r}?" if near else "correct the options, or add the parameter",
        )
    values = {**{name: given[name] for name in given if name in named}, **values}
    needed = [p.name for p in parameters if p.name in named and p.default is p.empty and p.name not in values]
    if needed:
        raise ConfigError(
            f"{path} needs {', '.join(map(repr, needed))}",
            f"parameters among what is given: {listed(sorted(given)) or 'nothing'}; or with a value in its options",
            f"give {needed[0]!r} in the options, or a default in the function",
        )
    return function(**values)


def handed(value: Any) -> Any:
    """An option as the function gets it: a file as its path, code as the object itself."""
    if isinstance(value, Bytes):
        return value.file
    if isinstance(value, Code):
        return value.load()
    if isinstance(value, Mapping):
        return {name: handed(inside) for name, inside in value.items()}
    return [handed(inside) for inside in value] if isinstance(value, list | tuple) else value
