"""Templates of pages that need nothing else: with the style of all of them inside, and every value escaped."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kilnworks.components.charts.svg import theme
from kilnworks.schemas.words import figure, signed

if TYPE_CHECKING:
    from jinja2 import Template

ASSETS = Path(__file__).parent / "assets"


@cache
def template(name: str) -> "Template":
    """The template of that name; a value that it is not given is an error. ``svg`` passes a picture as it is."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = Markup((ASSETS / "report.css").read_text(encoding="utf-8") + theme())
    environment.filters.update(svg=Markup, figure=figure, signed=signed)
    return environment.get_template(name)
