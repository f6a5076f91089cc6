"""Loads a SavedModel the way TensorFlow Serving does: a graph, a session, and the signatures of the MetaGraph.

Importing this module imports TensorFlow.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from kilnworks.components.serving.errors import Code, ServingError, not_found
from kilnworks.components.serving.wire import dtypes
from kilnworks.components.serving.wire.tensor_codec import TensorParseError, to_array
from kilnworks.components.serving.wire.values import Signature, TensorInfo
from kilnworks.schemas.files import plainly_named


@dataclass(frozen=True)
class LoadedModel:
    """A SavedModel in memory.

    Attributes:
        session: runs the graph; closed when the version is unloaded.
        signatures: those of the MetaGraph, with sorted aliases.
        signature_defs: the same as protos, as GetModelMetadata sends them.
    """

    session: Any
    signatures: Mapping[str, Signature]
    signature_defs: Mapping[str, Any]

    def close(self) -> None:
        """Release the session's resources; running calls are cancelled."""
        self.session.close()


def load_saved_model(path: str, tags: Sequence[str] = ("serve",), session_config: Any = None) -> LoadedModel:
    """Load the MetaGraph with exactly these tags.

    Args:
        path: the version directory.
        tags: of the MetaGraph.
        session_config: a ConfigProto; None = TensorFlow's defaults.

    Raises:
        ServingError: NOT_FOUND when there is no SavedModel or no such MetaGraph, otherwise the code that
            TensorFlow gives (DATA_LOSS, INVALID_ARGUMENT ...), INTERNAL when it gives none.
    """
    directory = Path(path)
    if not any((directory / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise not_found(f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}")
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph, config=session_config)
    try:
        with graph.as_default(), plainly_named(directory) as place:
            meta_graph = tf.compat.v1.saved_model.load(session, list(tags), str(place))
        definitions = dict(meta_graph.signature_def)
        signatures = {name: _signature(name, proto) for name, proto in definitions.items()}
        return LoadedModel(session, signatures, {name: _without_defaults(p) for name, p in definitions.items()})
    except BaseException as error:
        with contextlib.suppress(tf.errors.OpError):
            session.close()
        if not isinstance(error, Exception):
            raise
        raise _load_error(error, path, tags) from error


def _load_error(error: Exception, path: str, tags: Sequence[str]) -> ServingError:
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(Code(error.error_code), error.message)
    if isinstance(error, RuntimeError) and "MetaGraphDef associated with tags" in str(error):
        return not_found(
            f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. To inspect available "
            "tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
        )
    if isinstance(error, OSError):
        return ServingError(Code.DATA_LOSS, f"Can't parse {path}/saved_model.pb as binary proto")
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")


def _without_defaults(proto: Any) -> Any:
    """A copy that owns its memory and, like recent releases, does not list default inputs."""
    copy = type(proto)()
    copy.CopyFrom(proto)
    copy.ClearField("defaults")
    return copy


def _signature(name: str, proto: Any) -> Signature:
    return Signature(
        name,
        {alias: _tensor_info(proto.inputs[alias]) for alias in sorted(proto.inputs)},
        {alias: _tensor_info(proto.outputs[alias]) for alias in sorted(proto.outputs)},
        proto.method_name,
        {alias: _default(alias, proto.defaults[alias]) for alias in sorted(proto.defaults)},
    )


def _default(alias: str, proto: Any) -> Any:
    try:
        return to_array(proto)
    except TensorParseError:
        raise ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {alias}") from None


def _tensor_info(proto: Any) -> TensorInfo:
    shape = None if proto.tensor_shape.unknown_rank else tuple(dim.size for dim in proto.tensor_shape.dim)
    name = dtypes.dtype_name(proto.dtype)
    return TensorInfo(proto.name, proto.dtype, name, dtypes.numpy_dtype(proto.dtype), shape)
