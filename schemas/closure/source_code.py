"""The source behind a module: its own file, and those of all modules of ours that it may import, directly or not.

Imports are read from the syntax trees, so those inside of functions count, and ``import_module("a.b")`` does too. Of a
name that is put together when the program runs, all modules of the package that its beginning names count.
"""

import ast
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path

from kilnworks.schemas.closure.modules import HIDDEN, Search, places, python_files, source
from kilnworks.schemas.errors import ConfigError

MOST_FILES = 1000
"""A package of more files counts as a whole: its bytes, and the names of the libraries that its lines import."""
OURS = "kilnworks"
"""Our own package: what its own file offers to a notebook stands on everything, and no step stands on that."""
EVERY = ".*"
"""Behind the name of a package: every module in it."""
_IMPORT_LINE = re.compile(rb"^[ \t]*(?:import|from)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)


@dataclass
class SourceCode:
    """What was found.

    Attributes:
        files: module -> SHA-256 of its source; a file of a package that counts as a whole has its path as name.
        libraries: top-level names of the installed packages that these import; of a shared one, ``google.protobuf``.
    """

    files: dict[str, str] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)

    def digest(self) -> str:
        """One hash over all files; 64 hexadecimal digits."""
        lines = "".join(f"{name}\0{digest}\0" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


@dataclass(frozen=True)
class Part:
    """What one module adds: its own files and libraries, and the modules that follow from it."""

    found: SourceCode
    follows: Collection[str]


def source_code(modules: Iterable[str], known: dict[str, Part] | None = None) -> SourceCode:
    """The source that the named modules stand on; empty for those of installed libraries.

    Args:
        modules: their names.
        known: parts that were read already, by name; those that are read now are added. Several steps of a pipeline
            stand on the same modules.

    Raises:
        ConfigError: a file of ours is no Python, so that what it imports cannot be told.
    """
    parts: dict[str, Part] = {} if known is None else known
    found, seen, merged, search = SourceCode(), set[str](), set[int](), Search()
    todo = [*modules]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        part = parts.get(name)
        if part is None:
            part = parts[name] = _part(name, parts, search)
        if id(part) not in merged:
            merged.add(id(part))
            found.files |= part.found.files
            found.libraries |= part.found.libraries
            todo += [follower for follower in part.follows if follower not in seen]
    return found


def _part(name: str, parts: dict[str, Part], search: Search) -> Part:
    """What a module adds; all modules of a package that counts as a whole are one part."""
    top, found = name.partition(".")[0], SourceCode()
    package = search.module(top) if top else None
    if package is None:
        return Part(found, ())
    if search.is_foreign(package, top):
        found.libraries |= _library(package, name)
        return Part(found, ())
    if not _is_large(package, top, search):
        return Part(found, _take(name, found, search))
    if top not in parts:
        parts[top] = Part(found, _take_whole(package, top, found, search))
    return parts[top]


def _library(package: ModuleSpec, name: str) -> set[str]:
    """The library that a module is of: its top-level name; of a namespace that libraries share, the name below it."""
    if package.origin is not None or package.submodule_search_locations is None:
        return {name.partition(".")[0]}
    return {".".join(name.split(".")[:2])} if "." in name else set()


def _take(name: str, found: SourceCode, search: Search) -> list[str]:
    """Note a module; returns the modules that it may import, and the packages around it."""
    top, parents = name.partition(".")[0], [name.rpartition(".")[0]]
    if name == OURS:
        return []
    spec = search.module(name.removesuffix(EVERY))
    if spec is None:
        return parents
    if search.is_foreign(spec, top):
        found.libraries.add(top)
        return []
    if name.endswith(EVERY):
        return _submodules(spec, name)
    origin = source(spec)
    if origin is None:
        return parents
    path, content = origin
    if not content:
        return parents  # an empty file says nothing, and a package found as a namespace has none
    found.files[name] = hashlib.sha256(content).hexdigest()
    if path.suffix != ".py":
        return parents
    package = name if spec.submodule_search_locations is not None else parents[0]
    return [*parents, *_imports(path, content, found.files[name], name, package)]


def _submodules(spec: ModuleSpec, name: str) -> list[str]:
    """Names of the modules directly in a package, and the package itself."""
    package = name.removesuffix(EVERY)
    folders = spec.submodule_search_locations or ()
    entries = [entry for folder in folders if Path(folder).is_dir() for entry in sorted(Path(folder).iterdir())]
    modules = [
        e for e in entries if e.suffix == ".py" or (e.is_dir() and e.name.isidentifier() and e.name not in HIDDEN)
    ]
    return [package, *(f"{package}.{entry.stem}" for entry in modules)]


@cache
def _count(folder: Path) -> int:
    """Number of source files below a folder; counting ends beyond ``MOST_FILES``."""
    return sum(1 for _, _file in zip(range(MOST_FILES + 1), python_files(folder), strict=False))


def _is_large(spec: ModuleSpec, top: str, search: Search) -> bool:
    if top == OURS:
        return False
    folders = [] if spec.submodule_search_locations is None else places(spec)
    return sum(_count(folder) for folder in folders if not search.is_library(folder, top)) > MOST_FILES


def _take_whole(spec: ModuleSpec, top: str, found: SourceCode, search: Search) -> set[str]:
    """Note every file of a package without reading its syntax; returns the top-level names that it may import."""
    names: set[str] = set()
    for folder in places(spec):
        for path in () if search.is_library(folder, top) else python_files(folder):
            content = path.read_bytes()
            found.files[f"{top}/{path.relative_to(folder).as_posix()}"] = hashlib.sha256(content).hexdigest()
            names |= {name.decode() for name in _IMPORT_LINE.findall(content)}
    return names - {top}


_CALLED = (b"import_module", b"__import__")
"""Functions that import; a file without these words has no call of them."""
IMPORTS: dict[str, tuple[str, ...]] = {}
"""``"module package sha256"`` of a source file -> the modules that it may import; ``remembered`` keeps them on disk."""
USED: set[str] = set()
"""The keys of ``IMPORTS`` that this process has asked for."""


def _imports(path: Path, content: bytes, digest: str, name: str, package: str) -> tuple[str, ...]:
    """Every module that a source file may import, at the top or inside a function; remembered by content."""
    key = f"{name} {package} {digest}"
    USED.add(key)
    if key not in IMPORTS:
        tree = parsed(path, content)
        nodes = ast.walk(tree) if any(word in content for word in _CALLED) else _statements(tree)
        IMPORTS[key] = tuple(dict.fromkeys(_read_imports(nodes, name, package)))
    return IMPORTS[key]


def parsed(path: Path, content: bytes) -> ast.Module:
    """The syntax tree of a file. Raises ``ConfigError`` with the line where it is no Python."""
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
        raise ConfigError(
            f"{path}{line} cannot be read as Python: {reason}",
            "Python in UTF-8 or in the encoding that its first lines name: a step's code decides what may be cached",
            "mend the file, or take the import of it out of the step's code",
        ) from error


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Every statement, at the top or inside another one; not the expressions, which are most of a tree."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            found = getattr(node, inner, ())
            todo += found if isinstance(found, list) else ()


def _read_imports(nodes: Iterable[ast.AST], name: str, package: str) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute("." * node.level + (node.module or ""), package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call):
            yield from _called(node, name, package)


def _called(call: ast.Call, name: str, package: str) -> Iterator[str]:
    """The module that ``import_module(...)`` or ``__import__(...)`` takes."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    arguments = [*call.args, *(k.value for k in call.keywords if k.arg == "name")]
    if function not in ("import_module", "__import__") or not arguments:
        return
    text, complete = _text(arguments[0], name, package)
    anchors = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "package")]
    anchor = _text(anchors[0], name, package)[0] if anchors and function == "import_module" else package
    absolute = _absolute(text, anchor)
    if complete:
        yield absolute
    elif "." in absolute:
        yield absolute.rpartition(".")[0] + EVERY


def unknown_module(call: ast.Call, name: str) -> bool:
    """Whether nothing can be told of the module that ``import_module(...)`` or ``__import__(...)`` takes."""
    return not list(_called(call, name, name.rpartition(".")[0]))


def _text(node: ast.expr, name: str, package: str) -> tuple[str, bool]:
    """The text that an expression stands for, as far as it can be told from its beginning, and whether that is all."""
    match node:
        case ast.Constant(value=str(text)):
            return text, True
        case ast.Name(id="__name__"):
            return name, True
        case ast.Name(id="__package__"):
            return package, True
        case ast.FormattedValue(value=value):
            return _text(value, name, package)
        case ast.JoinedStr(values=parts):
            return _joined(parts, name, package)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined([left, right], name, package)
    return "", False


def _joined(parts: list[ast.expr], name: str, package: str) -> tuple[str, bool]:
    text = ""
    for part in parts:
        piece, complete = _text(part, name, package)
        text += piece
        if not complete:
            return text, False
    return text, True


def _absolute(name: str, package: str) -> str:
    """A relative name as an absolute one, seen from a package."""
    level = len(name) - len(name.lstrip("."))
    if level == 0:
        return name
    parents = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parents, *filter(None, [name.lstrip(".")])])
