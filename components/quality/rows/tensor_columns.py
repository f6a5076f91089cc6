"""Columns of scalars that stand for a tensor or an image in the checks, by name: ``<feature>__height``."""

from collections.abc import Collection

from kilnworks.schemas.contract import FILE_PARTS, Contract

PARTS = ("dtype", "size", "height", "width", "channels", "missing", "min", "max")


def part_of(name: str, contract: Contract) -> str | None:
    """The tensor or image that a column of scalars stands for; None where it stands for none."""
    feature, _, part = name.rpartition("__")
    return feature if part in PARTS and feature in contract.features and contract.features[feature].shape else None


def stored_column(name: str, contract: Contract, stored: Collection[str]) -> str:
    """The stored column behind a column of the checked frame: the feature, for a scalar that is made of a tensor."""
    return name if name in stored else part_of(name, contract) or name


def file_columns(contract: Contract, stored: Collection[str]) -> list[str]:
    """Stored columns of what the files of images hold."""
    images = [name for name, feature in contract.features.items() if feature.dtype == "image"]
    return [column for name in images for part in FILE_PARTS if (column := f"{name}__{part}") in stored]
