"""The versions of the libraries that the run was made with."""

from typing import Any

from kilnworks.components.reporting.reading import RunRecord
from kilnworks.schemas.json_values import as_dict


def environment(run: RunRecord) -> dict[str, Any] | None:
    """Library -> version over all steps; a library that changed between steps shows each version."""
    found: dict[str, dict[str, list[str]]] = {}
    for step in run.steps:
        for library, version in as_dict(step.manifest.get("libraries")).items():
            found.setdefault(str(library), {}).setdefault(str(version), []).append(step.name)
    if not found:
        return None
    rows = [
        {"name": name, "versions": list(versions), "mixed": len(versions) > 1}
        for name, versions in sorted(found.items(), key=lambda item: item[0].lower())
    ]
    return {"libraries": rows}
