"""Kilnworks from Python, as in a notebook: load a pipeline, run it, ask its live model.

More in ``docs/python.md``::

import kilnworks

churn = kilnworks.load("churn")
run = churn.run({"model.epochs": 3}, promote=True)
answers = churn.predict(frame)

Everything of ours lies below this one name: ``kilnworks.components``, ``.dags``, ``.pipelines`` and ``.schemas``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kilnworks.short_names import allow_short_names

if TYPE_CHECKING:
    from kilnworks.loading import load, names
    from kilnworks.pipeline import LoadedPipeline
    from kilnworks.result import RunResult

__all__ = ["LoadedPipeline", "RunResult", "load", "names"]

_PLACES = {
    "LoadedPipeline": "kilnworks.pipeline",
    "RunResult": "kilnworks.result",
    "load": "kilnworks.loading",
    "names": "kilnworks.loading",
}


def __getattr__(name: str) -> Any:
    """What the notebook needs, imported once it is asked for: every module of ours passes here first."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


allow_short_names()
