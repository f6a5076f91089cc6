"""Which graphs are loaded: one that reaches for files, code or other machines could do so for whoever asks the model.

Importing this module imports TensorFlow.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from kilnworks.components.serving.errors import failed_precondition
from kilnworks.components.serving.loading.graph_operations import (
    FILES_IN_ATTRIBUTES,
    FILLS_TABLES,
    FORBIDDEN,
    RESTORES,
    SAVES,
)
from kilnworks.components.serving.loading.graph_walk import GraphWalk

_INIT_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")


def refuse_reaching_out(directory: Path) -> None:
    """Refuse a SavedModel whose graph reaches beyond itself, before anything of it runs.

    Files of a model itself are read: its variables by the operation that restores them, vocabularies among its assets
    by the one that prepares it. A file that cannot be parsed is left to the loader, which words that.

    Raises:
        ServingError: FAILED_PRECONDITION with the operations.
    """
    found = sorted({problem for meta_graph in _read(directory).meta_graphs for problem in _problems(meta_graph)})
    if found:
        raise failed_precondition(
            f"The model in {directory} is not loaded: its graph has operations that read or write files, run code, "
            f"connect to others or print what they are sent: {', '.join(found)} (--allow_unsafe_ops loads it)"
        )


def _problems(meta_graph: Any) -> Iterator[str]:
    walk = GraphWalk(meta_graph.graph_def)
    for _scope, node in walk.everywhere():
        if node.op in FORBIDDEN or _names_a_file(node):
            yield str(node.op)
    answers, prepares, restores = _starts(meta_graph)
    asked = walk.operations(answers)
    yield from (SAVES | RESTORES | FILLS_TABLES) & asked
    yield from (SAVES | RESTORES) & walk.operations(prepares)
    yield from (SAVES | FILLS_TABLES) & walk.operations(restores)
    yield from _foreign_vocabularies(meta_graph, walk)


def _names_a_file(node: Any) -> bool:
    name, starts = FILES_IN_ATTRIBUTES.get(node.op, ("", ()))
    value = node.attr[name].s.decode("utf-8", "replace") if name in node.attr else ""
    return bool(value) and not any(start and value.startswith(start) for start in starts)


def _starts(meta_graph: Any) -> tuple[set[str], set[str], set[str]]:
    """Tensors that requests ask for, that are run to prepare a model, and that restore its variables."""
    signatures = meta_graph.signature_def
    tensors = {
        name: {tensor for info in definition.outputs.values() for tensor in _tensors(info)}
        for name, definition in signatures.items()
    }
    prepares = set().union(*(tensors[name] for name in _INIT_SIGNATURES if name in tensors))
    for key in _INIT_COLLECTIONS:
        prepares |= set(meta_graph.collection_def[key].node_list.value) if key in meta_graph.collection_def else set()
    answers = set().union(*(found for name, found in tensors.items() if name not in _INIT_SIGNATURES))
    return answers, prepares, {meta_graph.saver_def.restore_op_name} - {""}


def _tensors(info: Any) -> Iterable[str]:
    """Names of the tensors behind a TensorInfo."""
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        sparse = info.coo_sparse
        return (sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name)
    if kind == "composite_tensor":
        return [name for part in info.composite_tensor.components for name in _tensors(part)]
    return (info.name,)


def _foreign_vocabularies(meta_graph: Any, walk: GraphWalk) -> Iterator[str]:
    """Operations that fill a table from a file which is not an asset of the model."""
    assets = {
        asset.tensor_info.name.partition(":")[0] for asset in meta_graph.asset_file_def if _is_inside(asset.filename)
    }
    for scope, node in walk.everywhere():
        if node.op in FILLS_TABLES and not (len(node.input) > 1 and walk.roots(scope, node.input[1]) <= assets):
            yield f"{node.op} of a file that is no asset"


def _is_inside(name: str) -> bool:
    return not Path(name).is_absolute() and ".." not in Path(name).parts and "://" not in name


def _read(directory: Path) -> Any:
    model = saved_model_pb2.SavedModel()
    binary, text = directory / "saved_model.pb", directory / "saved_model.pbtxt"
    try:
        if binary.is_file():
            model.ParseFromString(binary.read_bytes())
        else:
            text_format.Parse(text.read_text(encoding="utf-8"), model)
    except (OSError, UnicodeDecodeError, DecodeError, text_format.ParseError):
        return saved_model_pb2.SavedModel()
    return model
