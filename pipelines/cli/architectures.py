"""``architectures``: which there are, what each takes, and when to use it."""

import inspect
import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python
from rich.table import Table
from rich.text import Text

from kilnworks.pipelines.cli.console import table_console

WORDS = {
    "numeric": "numbers",
    "shares": "numbers as shares",
    "categorical": "categories",
    "image": "images",
    "sequence": "sequences",
    "tokens": "texts as words",
    "ngrams": "texts as n-grams",
    "as_sent": "columns as they are sent",
}
"""Kinds of encoded tensors in words."""


def architectures(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the architectures: the kinds of data each takes, what it is for, and its settings with their defaults."""
    found = list(_described())
    if as_json:
        typer.echo(json.dumps({one["kind"]: one for one in found}, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("model", "takes", "what it is"):
        table.add_column(title, overflow="fold")
    for one in found:
        task = f"; for {one['task']}" if one["task"] else ""
        table.add_row(Text(one["kind"], "bold"), ", ".join(one["takes"]) + task, Text(one["words"]))
    table_console().print(table)


def _described() -> Iterator[dict[str, Any]]:
    from kilnworks.components.modeling.architectures import AnyModel
    from kilnworks.schemas.kinds import kinds_of, members_of

    for model in members_of(AnyModel):
        task: Any = getattr(model, "task", None)
        takes = getattr(model, "takes", None)
        yield {
            "kind": kinds_of(model)[0],
            "takes": ["anything"] if takes is None else sorted({WORDS.get(kind, kind) for kind in takes}),
            "task": task.kind if task else "",
            "words": " ".join(inspect.cleandoc(model.__doc__ or "").split()).replace("``", ""),
            "settings": {
                name: _default(field) for name, field in model.model_fields.items() if name not in ("kind", "build")
            },
        }


def _default(field: Any) -> Any:
    """The default of a setting as JSON; ``needed`` where it has none."""
    if field.is_required():
        return "needed"
    return to_jsonable_python(field.get_default(call_default_factory=True))
