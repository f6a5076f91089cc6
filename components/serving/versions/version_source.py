"""Which versions should be served: reads base paths and applies each model's version policy."""

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from kilnworks.components.serving.versions.model_config import ServedModel, VersionPolicy
from kilnworks.schemas.published import interrupted, is_being_changed

_LOG = logging.getLogger(__name__)
_NUMBER = re.compile(r"[+-]?[0-9]+\Z")
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class BasePathMissing(Exception):
    """A base path cannot be listed; the whole poll changes nothing."""


def parse_version(name: str) -> int | None:
    """The int64 that a directory name spells (``"00000007"`` is 7); None when it spells none."""
    stripped = name.strip(" \t\n\v\f\r")
    if not _NUMBER.match(stripped):
        return None
    number = int(stripped)
    return number if _SMALLEST <= number <= _LARGEST else None


def aspired_versions(models: Iterable[ServedModel]) -> dict[str, dict[int, str]]:
    """For each model the versions to serve and their directories.

    Raises: BasePathMissing when any base path is not there; then nothing may change for any model.
    """
    return {model.name: _versions(model) for model in models}


def _versions(model: ServedModel) -> dict[int, str]:
    present = _children(model)
    for version in left_behind(_local_path(model)):
        if present.pop(version, None) and model.policy.kind != "specific":
            _LOG.warning("version %d of model %s is not served: its deployment was killed", version, model.name)
    chosen = choose(model.policy, present)
    if model.policy.kind == "specific":
        for version in sorted(model.policy.versions - chosen.keys()):
            _LOG.warning("version %d of model %s was asked for but is not in %s", version, model.name, model.base_path)
    elif not chosen:
        nothing = "no versions of model %s in %s: version directories are named by numbers"
        _LOG.warning(nothing, model.name, model.base_path)
    return chosen


def left_behind(base: Path) -> list[int]:
    """Versions whose deployment was killed before they were the champion; none where that cannot be told from here."""
    try:
        found = interrupted(base)
        return [] if not found or is_being_changed(base) else interrupted(base)
    except (OSError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("the ledger of %s cannot be followed, all its versions count: %s", base, error)
        return []


def _children(model: ServedModel) -> dict[int, str]:
    """Version directories of a base path; of two spellings of one number the later name wins."""
    base = _local_path(model)
    try:
        names = sorted(child.name for child in base.iterdir())
    except (OSError, ValueError) as error:
        raise BasePathMissing(f"could not list base path {model.base_path} of model {model.name}: {error}") from None
    found: dict[int, str] = {}
    for name in names:
        version = parse_version(name)
        if version is None:
            continue
        if version in found:
            _LOG.warning("version %d of model %s is there twice; %s is used", version, model.name, name)
        found[version] = str(base / name)
    return found


def _local_path(model: ServedModel) -> Path:
    """The base path as a folder of this machine; never relative, whatever stands in front of ``://``."""
    path = model.base_path.removeprefix("file://")
    if not path.startswith("/"):
        raise BasePathMissing(
            f"could not list base path {model.base_path} of model {model.name}: only local folders can be served"
        )
    return Path(path)


def choose(policy: VersionPolicy, present: dict[int, str]) -> dict[int, str]:
    """The versions of ``present`` that a policy serves."""
    if policy.kind == "all":
        return dict(present)
    if policy.kind == "specific":
        return {version: path for version, path in present.items() if version in policy.versions}
    return {version: present[version] for version in sorted(present)[-policy.count :]}
