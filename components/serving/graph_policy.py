"""Which graphs are loaded: one that reads or writes files, or runs Python, could do so for whoever asks the model.

Importing this module imports TensorFlow.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from components.serving.errors import failed_precondition

FORBIDDEN = frozenset(
    {
        "ReadFile",
        "WriteFile",
        "MatchingFiles",
        "PyFunc",
        "PyFuncStateless",
        "EagerPyFunc",
        "WholeFileReader",
        "WholeFileReaderV2",
        "TextLineReader",
        "TextLineReaderV2",
        "TFRecordReader",
        "TFRecordReaderV2",
        "FixedLengthRecordReader",
        "FixedLengthRecordReaderV2",
        "TextLineDataset",
        "TFRecordDataset",
        "TFRecordDatasetV2",
        "FixedLengthRecordDataset",
        "FixedLengthRecordDatasetV2",
        "SnapshotDataset",
        "SnapshotDatasetV2",
        "SaveDataset",
        "SaveDatasetV2",
        "LoadDataset",
        "CacheDataset",
        "CacheDatasetV2",
        "CSVDataset",
        "CSVDatasetV2",
        "SqlDataset",
        "WriteSummary",
        "CreateSummaryFileWriter",
        "CreateSummaryDbWriter",
        "DebugIdentityV2",
        "DumpTensor",
    }
)
"""Operations that reach beyond the graph. Those that restore a model's own variables and vocabularies are not here."""


def refuse_reaching_out(directory: Path) -> None:
    """Refuse a SavedModel whose graph holds a forbidden operation, before anything of it runs.

    A file that cannot be parsed is left to the loader, which words that.

    Raises:
        ServingError: FAILED_PRECONDITION with the operations.
    """
    found = sorted({node.op for node in _nodes(_read(directory)) if node.op in FORBIDDEN})
    if found:
        raise failed_precondition(
            f"The model in {directory} is not loaded: its graph has operations that read or write files or run Python: "
            f"{', '.join(found)} (--allow_unsafe_ops loads it)"
        )


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


def _nodes(model: Any) -> Iterator[Any]:
    """Every node of every graph, those of functions included."""
    for meta_graph in model.meta_graphs:
        yield from meta_graph.graph_def.node
        for function in meta_graph.graph_def.library.function:
            yield from function.node_def
