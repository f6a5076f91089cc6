"""Folders that TensorFlow Datasets has prepared: ``DATA_DIR/NAME[/CONFIG]/VERSION/dataset_info.json``."""

from __future__ import annotations

import os
from pathlib import Path

from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.files import read_json

VARIABLE = "TFDS_DATA_DIR"
"""Where tensorflow-datasets itself looks, if set."""
DEFAULT = "~/tensorflow_datasets"
INFO = "dataset_info.json"
DEPTH = 3
"""Folders between a folder of data sets and the files of one version."""


def default_data_dir() -> str:
    """Where prepared data sets lie if nothing else is said."""
    return os.environ.get(VARIABLE) or DEFAULT


def prepared_below(folder: Path) -> list[Path]:
    """Folders of prepared versions: the folder itself, or those up to ``DEPTH`` below it; hidden ones do not count."""
    levels = ["/".join(["*"] * depth + [INFO]) for depth in range(DEPTH + 1)]
    found = [path.parent for level in levels for path in folder.glob(level)]
    shown = [f for f in found if not any(p.startswith((".", "incomplete.")) for p in f.relative_to(folder).parts)]
    return sorted(shown)


def newest_version(folder: Path) -> Path:
    """The newest prepared version of the one data set in a folder.

    Raises:
        DataUnreadable: several data sets or configs lie there.
    """
    by_set: dict[str, list[Path]] = {}
    for place in prepared_below(folder):
        by_set.setdefault(full_name(place), []).append(place)
    if len(by_set) != 1:
        raise DataUnreadable(
            f"{folder} holds {len(by_set)} prepared data sets",
            f"the folder of one of {', '.join(sorted(by_set))}" if by_set else f"a folder with {INFO}",
            "name the folder of one of them",
        )
    return max(next(iter(by_set.values())), key=_version)


def full_name(folder: Path) -> str:
    """``name`` or ``name/config`` of a prepared version."""
    info = read_json(folder / INFO)
    return "/".join(str(info[key]) for key in ("name", "configName") if info.get(key))


def _version(folder: Path) -> tuple[int, ...]:
    numbers = str(read_json(folder / INFO).get("version", "")).split(".")
    return tuple(int(number) if number.isdecimal() else -1 for number in numbers)
