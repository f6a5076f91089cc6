"""The files of a new project folder, from the templates in ``assets/project``."""

from pathlib import Path

TEMPLATES = Path(__file__).parent / "assets" / "project"
ENDING = ".tmpl"
"""Ending of templates that would be taken for code of ours, or be hidden, under their final names."""
HIDDEN = ("gitignore",)
"""Names that get a dot in front."""


def project_files(name: str) -> dict[str, bytes]:
    """Relative path -> content of each file.

    Args:
        name: of the project, for the title of its README.
    """
    found = sorted(path for path in TEMPLATES.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {_named(path): _filled(path, name) for path in found}


def _named(path: Path) -> str:
    final = path.relative_to(TEMPLATES)
    last = final.name.removesuffix(ENDING)
    return final.with_name(f".{last}" if last in HIDDEN else last).as_posix()


def _filled(path: Path, name: str) -> bytes:
    content = path.read_bytes()
    title = f"# {name}\n".encode(errors="replace")
    return content.replace(b"# NAME\n", title, 1) if path.name == "README.md" else content
