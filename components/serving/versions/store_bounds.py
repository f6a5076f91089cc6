"""What may be served beside a store: nothing that lies outside of it, also where a symbolic link leads there."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kilnworks.components.serving.errors import failed_precondition, invalid_argument
from kilnworks.components.serving.versions.model_config import ServedModel

ALLOWED = "--allow_paths_outside_store serves it"


@dataclass(frozen=True)
class StoreBounds:
    """The folders of a store, links resolved: what is inside may be served; none = everything may.

    ``STORE/serving`` itself may be a link to another disk: that is the operator's choice.
    """

    roots: tuple[Path, ...] = ()

    def check_base_path(self, model: ServedModel) -> None:
        """Refuse a model outside. Raises ``ServingError`` INVALID_ARGUMENT."""
        path = Path(model.base_path.removeprefix("file://"))
        if self.leaves(path):
            raise invalid_argument(
                f"The base path {model.base_path} of model {model.name} is not in the store {self.roots[0]} ({ALLOWED})"
            )

    def check_version(self, directory: Path) -> None:
        """Refuse a version of which a file lies outside. Raises ``ServingError`` FAILED_PRECONDITION."""
        for path in _with_links(directory) if self.roots else ():
            if self.leaves(path):
                raise failed_precondition(
                    f"The version is not loaded: {path} leads out of the store {self.roots[0]} ({ALLOWED})"
                )

    def leaves(self, path: Path) -> bool:
        """Whether a path ends outside; one whose links go in a circle does."""
        try:
            found = path.resolve()
        except (OSError, RuntimeError):
            return bool(self.roots)
        return bool(self.roots) and not any(found.is_relative_to(root) for root in self.roots)


def bounds_of(store: Path) -> StoreBounds:
    """The bounds of a store's folder."""
    return StoreBounds(tuple(dict.fromkeys((store.resolve(), (store / "serving").resolve()))))


def _with_links(directory: Path) -> Iterator[Path]:
    """A folder and every link below it; links to folders are not followed."""
    yield directory
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = Path(folder, name)
            if path.is_symlink():
                yield path
