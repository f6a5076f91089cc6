"""``contract diff``: what two contracts say differently, and whether the second accepts more or less."""

from dataclasses import dataclass
from typing import Any, Literal

from kilnworks.schemas.contract import Contract, Feature, Label

Direction = Literal["looser", "tighter", "different"]


@dataclass(frozen=True)
class Change:
    """One difference: where, the two values (None = not there), and which way it goes."""

    path: str
    before: Any
    after: Any
    direction: Direction

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.direction:9} {self.path}: {_text(self.before)} -> {_text(self.after)}"

    def record(self) -> dict[str, Any]:
        """Plain values."""
        return {"path": self.path, "before": self.before, "after": self.after, "direction": self.direction}


def diff_contracts(old: Contract, new: Contract) -> list[Change]:
    """Every difference that matters for data: columns, rules, checks; texts for readers last."""
    changes: list[Change] = []
    for field in ("key", "time"):
        _compare(changes, field, getattr(old, field), getattr(new, field), "different")
    for name in [*old.features, *(n for n in new.features if n not in old.features)]:
        changes += _feature(f"features.{name}", old.features.get(name), new.features.get(name))
    for name in dict.fromkeys([*old.dates, *new.dates]):
        a, b = (c.dates[name].model_dump() if name in c.dates else None for c in (old, new))
        _compare(changes, f"dates.{name}", a, b, "different")
    changes += _label(old.label, new.label)
    _compare(changes, "rows.min", old.rows.min, new.rows.min, _lower_is_looser(old.rows.min, new.rows.min))
    _compare(changes, "rows.max", old.rows.max, new.rows.max, _higher_is_looser(old.rows.max, new.rows.max))
    _compare(changes, "ignore", sorted(old.ignore), sorted(new.ignore), _set(old.ignore, new.ignore))
    before, after = ([c.model_dump(mode="json") for c in contract.checks] for contract in (old, new))
    for check in before:
        if check not in after:
            changes.append(Change("checks", check, None, "looser"))
    changes += [Change("checks", None, check, "tighter") for check in after if check not in before]
    return changes + _reference(old, new)


def _feature(path: str, old: Feature | None, new: Feature | None) -> list[Change]:
    if old is None or new is None:
        whole = (old or new or Feature(dtype="float")).model_dump(mode="json", exclude_defaults=True)
        return [Change(path, whole, None, "looser") if new is None else Change(path, None, whole, "tighter")]
    changes: list[Change] = []
    for field in Feature.model_fields:
        a, b = getattr(old, field), getattr(new, field)
        _compare(changes, f"{path}.{field}", a, b, _direction(field, a, b))
    return changes


def _label(old: Label | None, new: Label | None) -> list[Change]:
    changes: list[Change] = []
    if old is None or new is None:
        _compare(changes, "label", old and old.name, new and new.name, "different")
        return changes
    for field in Label.model_fields:
        a, b = getattr(old, field), getattr(new, field)
        _compare(changes, f"label.{field}", a, b, _direction("allowed" if field == "classes" else field, a, b))
    return changes


def _reference(old: Contract, new: Contract) -> list[Change]:
    changes: list[Change] = []
    a, b = old.reference, new.reference
    if (a is None) != (b is None):
        rows = (a and a.rows, b and b.rows)
        changes.append(Change("reference", *rows, "looser" if b is None else "tighter"))
    elif a is not None and b is not None:
        _compare(changes, "reference.off", list(a.off), list(b.off), _set(a.off, b.off))
        _compare(changes, "reference.drift", a.drift.model_dump(), b.drift.model_dump(), "different")
        if a.sketch != b.sketch:
            changes.append(Change("reference.sketch", f"{a.rows} rows", f"{b.rows} rows", "different"))
    return changes


def _direction(field: str, a: Any, b: Any) -> Direction:
    """Which way a rule of a feature moved."""
    if a == b:
        return "different"
    if field in ("min", "min_length"):
        return _lower_is_looser(a, b)
    if field in ("max", "max_length"):
        return _higher_is_looser(a, b)
    if field == "max_missing":
        return _higher_is_looser(a, b)
    if field == "nullable":
        return "looser" if b else "tighter"
    if field == "unique":
        return "tighter" if b else "looser"
    if field == "allowed":
        if a is None or b is None:
            return "looser" if b is None else "tighter"
        return _set(a, b)
    if field == "advances" and (a is None or b is None):
        return "tighter" if b is None else "looser"
    if field == "regex" and (a is None or b is None):
        return "looser" if b is None else "tighter"
    if field == "dtype" and (a, b) in (("int", "float"), ("bool", "string"), ("int", "string"), ("float", "string")):
        return "looser"
    if field == "severity":
        return "looser" if b == "warning" else "tighter"
    return "different"


def _lower_is_looser(a: float | None, b: float | None) -> Direction:
    if a is None or b is None:
        return "looser" if b is None else "tighter"
    return "looser" if b < a else "tighter"


def _higher_is_looser(a: float | None, b: float | None) -> Direction:
    if a is None or b is None:
        return "looser" if b is None else "tighter"
    return "looser" if b > a else "tighter"


def _set(a: tuple[Any, ...], b: tuple[Any, ...]) -> Direction:
    if set(a) < set(b):
        return "looser"
    return "tighter" if set(b) < set(a) else "different"


def _compare(changes: list[Change], path: str, a: Any, b: Any, direction: Direction) -> None:
    if a != b:
        changes.append(Change(path, _plain(a), _plain(b), direction))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    return "nothing" if value is None else str(value)
