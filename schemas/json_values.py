"""Values of a JSON file of which nothing is certain, as what a reader wants."""

from typing import Any


def as_dict(value: Any) -> dict[str, Any]:
    """``value`` where it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """``value`` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_number(value: Any) -> float | None:
    """A finite number, also from text; None for everything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number - number == 0 else None
