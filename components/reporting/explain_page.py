"""The page of explanations: one HTML file that needs nothing else and runs no script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilnworks.components.reporting.sections.explained import shown
from kilnworks.components.reporting.templates import template
from kilnworks.schemas.files import write_text


def write_explanations(path: Path, told: Mapping[str, Any]) -> Path:
    """Write the page in one rename, and return its path.

    Args:
        path: of the page.
        told: what ``explaining.rows.explanations`` found, with ``pipeline``, ``run`` and ``written``.
    """
    write_text(path, template("explain.html.j2").render(t=told, e=shown(told)))
    return path
