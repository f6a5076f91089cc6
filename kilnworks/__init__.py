"""Kilnworks from Python, as in a notebook: load a pipeline, run it, ask its live model.

More in ``docs/python.md``::

import kilnworks

churn = kilnworks.load("churn")
run = churn.run({"model.epochs": 3}, promote=True)
answers = churn.predict(frame)
"""

from kilnworks.loading import load, names
from kilnworks.pipeline import LoadedPipeline
from kilnworks.result import RunResult

__all__ = ["LoadedPipeline", "RunResult", "load", "names"]
