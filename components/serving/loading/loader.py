"""Makes a version ready to serve: reads the SavedModel, prepares its runner, replays warm-up, tidies memory.

Importing this module imports TensorFlow.
"""

import gc
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kilnworks.components.serving.loading.execution import GraphRunner
from kilnworks.components.serving.loading.graph_policy import refuse_reaching_out
from kilnworks.components.serving.loading.saved_model import LoadedModel, load_saved_model
from kilnworks.components.serving.versions.servable import LoadedServable
from kilnworks.components.serving.wire.feeds import Runner
from kilnworks.components.serving.wire.values import Signature

_GC = threading.Lock()


@dataclass
class LoadedVersion:
    """A SavedModel and what runs it."""

    model: LoadedModel
    runner: Runner
    signatures: Mapping[str, Signature] = field(init=False)
    signature_defs: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.signatures, self.signature_defs = self.model.signatures, self.model.signature_defs

    def close(self) -> None:
        """Stop the runner, close the session, give the memory back."""
        self.runner.close()
        self.model.close()
        self.signatures, self.signature_defs = {}, {}
        del self.model, self.runner
        collect_garbage(thaw=True)


@dataclass(frozen=True)
class SavedModelLoader:
    """Loads version directories.

    Attributes:
        tags: of the MetaGraph to serve.
        session_config: a ConfigProto or None.
        wrap: puts something in front of the graph (a batching queue): (runner, version directory, model) -> runner.
        limit: bounds how many runs of a model there are at a time: (runner, model) -> runner; not where ``wrap`` gave
            another runner.
        unsafe_ops: load graphs that read or write files or run Python, too.
        check: raises ``ServingError`` for a version directory that may not be read.
        warm_up: replays the warm-up file of a version that is not reachable yet; an error fails the load.
    """

    tags: Sequence[str] = ("serve",)
    session_config: Any = None
    wrap: Callable[[GraphRunner, str, str], Runner] = lambda runner, path, model: runner
    limit: Callable[[Runner, str], Runner] = lambda runner, model: runner
    warm_up: Callable[[LoadedServable], None] = lambda servable: None
    unsafe_ops: bool = True
    check: Callable[[Path], None] = lambda directory: None

    def __call__(self, model: str, version: int, path: str) -> LoadedVersion:
        """Load one version. Raises ``ServingError``."""
        self.check(Path(path))
        if not self.unsafe_ops:
            refuse_reaching_out(Path(path))
        saved_model = load_saved_model(path, self.tags, self.session_config)
        try:
            graph = GraphRunner(saved_model)
            runner = self.wrap(graph, path, model)
            loaded = LoadedVersion(saved_model, self.limit(graph, model) if runner is graph else runner)
            self.warm_up(LoadedServable(model, version, path, loaded))
        except BaseException:
            saved_model.close()
            raise
        collect_garbage()
        return loaded


def collect_garbage(thaw: bool = False) -> None:
    """Collect, then move what is left out of the collector's sight, so that later collections are short.

    TensorFlow and a loaded graph leave hundreds of thousands of objects that a collection would walk for 150 ms.
    ``thaw`` looks at the hidden objects too: needed once a graph has been dropped.
    """
    with _GC:
        if thaw:
            gc.unfreeze()
        gc.collect()
        gc.freeze()
