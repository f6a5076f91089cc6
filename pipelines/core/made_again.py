"""Why a step is made although it was made before: what differs from the last time, in words."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kilnworks.pipelines.core.cache import FORMAT, Code
from kilnworks.pipelines.core.manifest import MANIFEST, load_manifest
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.config import Config
from kilnworks.schemas.masking import masked_tree

UNSEEN = "the data or code that its settings name, or its files are gone"
"""What is in the fingerprint and not in the manifest."""


def why_again(run: Run, step: str, config: Config, code: Code, lineage: Mapping[str, Any]) -> str:
    """What is not as it was when the step was made last, in this run or in an earlier one that is here.

    Args:
        run: the run that makes it now.
        step: its name.
        config: its settings.
        code: the code behind it.
        lineage: parameter -> ``{"fingerprint": ...}`` of the artifact given for it.

    Returns:
        ``made again, unlike in run 20260101-120000-ab12: its code, settings (epochs)``; empty where it was never made.
    """
    earlier = _earlier(run, step)
    if earlier is None:
        return ""
    changed = list(_changes(earlier, config, code, lineage)) or [UNSEEN]
    return f"made again, unlike in run {earlier['run_id']}: {', '.join(changed)}"


def _changes(was: Mapping[str, Any], config: Config, code: Code, lineage: Mapping[str, Any]) -> Iterator[str]:
    names = masked_tree(code.names)
    same_code = was["code"] == code.digest and was.get("names", names) == names
    if was.get("format", 1) != FORMAT:
        yield "how artifacts are laid out"
    if not same_code:
        yield "its code"
    for library, version in sorted(code.libraries.items()):
        before = was["libraries"].get(library)
        if before not in (None, version):
            yield f"{library} {before} -> {version}"
    settings = sorted(_different(was["config"], config.without_secrets(), fields=same_code))
    if settings:
        yield f"settings ({', '.join(settings)})"
    for parameter, given in lineage.items():
        if was["inputs"].get(parameter, {}).get("fingerprint") != given["fingerprint"]:
            yield f"its input {parameter}"


def _different(was: Mapping[str, Any], now: Mapping[str, Any], above: str = "", *, fields: bool) -> Iterator[str]:
    """Dotted names of the settings that differ; with ``fields`` also of those that only one side has.

    Without: other code has other fields, which nobody has set.
    """
    for name in was.keys() | now.keys() if fields else was.keys() & now.keys():
        before, after = was.get(name), now.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _different(before, after, f"{above}{name}.", fields=fields)
        elif before != after:
            yield f"{above}{name}"


def _earlier(run: Run, step: str) -> dict[str, Any] | None:
    """The manifest of this step in this run, or the newest of those of other runs."""
    mine = load_manifest(run.step_path(step))
    if mine is not None:
        return mine
    folder = run.path.parent
    found = [Path(entry.path) / step for entry in os.scandir(folder) if entry.is_dir()] if folder.is_dir() else []
    made = [path for path in found if (path / MANIFEST).is_file()]
    newest = max(made, key=lambda path: (path / MANIFEST).stat().st_mtime_ns, default=None)
    return load_manifest(newest) if newest is not None else None
