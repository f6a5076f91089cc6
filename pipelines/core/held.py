"""What a function or a config carries with it beside its own source: values, classes, functions, as plain text.

A step that a function made (``make_step(3)``) has the source of that function and holds the 3. A config holds objects
of classes whose source may lie anywhere.
"""

import dataclasses
import hashlib
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

from pydantic import BaseModel

from kilnworks.schemas.secret import Secret


@dataclass
class Held:
    """What was met.

    Attributes:
        modules: modules that define the functions and classes.
        names: place -> what is there, in words that are the same in every process.
    """

    modules: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    _met: set[int] = field(default_factory=set)

    def function(self, function: Callable[..., Any], place: str) -> None:
        """Note a function: its name, and the values that it was made with."""
        self._named(function, place)
        if id(function) in self._met:
            return
        self._met.add(id(function))
        code = getattr(function, "__code__", None)
        cells = dict(zip(code.co_freevars if code else (), getattr(function, "__closure__", None) or (), strict=False))
        for name, cell in cells.items():
            if name != "__class__":
                self.value(_content(cell), f"{place}.{name}")
        for i, default in enumerate(getattr(function, "__defaults__", None) or ()):
            self.value(default, f"{place}.default{i}")
        for name, default in (getattr(function, "__kwdefaults__", None) or {}).items():
            self.value(default, f"{place}.{name}")

    def classes(self, value: Any, place: str) -> None:
        """Note the class of every object in a config, however deep, and the functions and classes that it names."""
        if isinstance(value, BaseModel):
            self._class(type(value), place)
            for name in type(value).model_fields:
                self.classes(getattr(value, name), f"{place}.{name}")
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            self._class(type(value), place)
            for f in dataclasses.fields(value):
                self.classes(getattr(value, f.name), f"{place}.{f.name}")
        elif isinstance(value, Mapping):
            for key, inside in value.items():
                self.classes(inside, f"{place}.{key}")
        elif isinstance(value, list | tuple | set | frozenset):
            for i, inside in enumerate(sorted(value, key=repr) if isinstance(value, set | frozenset) else value):
                self.classes(inside, f"{place}.{i}")
        elif isinstance(value, type):
            self._class(value, place)
        elif callable(value):
            self.function(value, place)
        else:
            self._class(type(value), place)

    def value(self, value: Any, place: str) -> None:
        """Note a value that a function holds."""
        if isinstance(value, Secret):
            self.classes(value, place)
        elif isinstance(value, BaseModel) or callable(value):
            self.classes(value, place)
            if isinstance(value, BaseModel):
                self.names[f"{place}="] = value.model_dump_json()
        elif isinstance(value, list | tuple):
            for i, inside in enumerate(value):
                self.value(inside, f"{place}.{i}")
        elif isinstance(value, Mapping):
            for key, inside in value.items():
                self.value(inside, f"{place}.{key}")
        elif isinstance(value, ModuleType):
            self.modules.add(value.__name__)
        else:
            self.names[place] = _stable(value)

    def _class(self, kind: type, place: str) -> None:
        """Note a class, what it derives from, and the values that its methods were made with."""
        if kind.__module__.partition(".")[0] in sys.stdlib_module_names:
            return
        self._named(kind, place)
        self.modules |= {base.__module__ for base in kind.__mro__}
        if "<locals>" not in kind.__qualname__ or id(kind) in self._met:
            return
        self._met.add(id(kind))
        for name, member in vars(kind).items():
            if isinstance(member, FunctionType):
                self.function(member, f"{place}.{name}()")

    def _named(self, thing: Any, place: str) -> None:
        owner = thing if hasattr(thing, "__qualname__") else type(thing)
        self.modules.add(str(owner.__module__))
        self.names[place] = f"{owner.__module__}:{owner.__qualname__}"


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _stable(value: Any) -> str:
    """A value as text; of one that is no plain value the content, or at least the class."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    try:
        return f"{type(value).__qualname__} {hashlib.sha256(pickle.dumps(value)).hexdigest()}"
    except (pickle.PicklingError, TypeError, AttributeError):
        return f"{type(value).__module__}:{type(value).__qualname__}"
