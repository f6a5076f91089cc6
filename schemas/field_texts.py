"""What the fields of a config mean: the strings below them, read from the source when somebody asks.

Pydantic reads them too (``use_attribute_docstrings``), while each class is made: every command would parse every
config. Only the form of a pipeline shows them.
"""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from itertools import pairwise


@cache
def field_texts(config: type) -> Mapping[str, str]:
    """The text below each annotated name in the body of a class, by name; empty where the source is not there."""
    try:
        source = textwrap.dedent(inspect.getsource(config))
    except (OSError, TypeError):
        return {}
    tree = ast.parse(source).body[0]
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }
