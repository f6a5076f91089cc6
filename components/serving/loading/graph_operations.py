"""TensorFlow's operations that reach beyond a graph, by what they do.

The names are those of TensorFlow 2.21's list of operations (1,910 of them); a test holds each against the list of the
installed release.
"""

READS_FILES = frozenset(
    {
        "ReadFile", "MatchingFiles", "MatchingFilesDataset", "ExperimentalMatchingFilesDataset",
        "WholeFileReader", "WholeFileReaderV2", "TextLineReader", "TextLineReaderV2", "TFRecordReader",
        "TFRecordReaderV2", "FixedLengthRecordReader", "FixedLengthRecordReaderV2", "LMDBReader", "LMDBDataset",
        "ExperimentalLMDBDataset", "TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2",
        "FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "CSVDataset", "CSVDatasetV2",
        "ExperimentalCSVDataset", "SqlDataset", "ExperimentalSqlDataset", "LoadDataset",
        "ListSnapshotChunksDataset", "SnapshotChunkDataset", "SnapshotDatasetReader",
        "SnapshotNestedDatasetReader", "RecordInput", "ImmutableConst", "LoadAndRemapMatrix",
        "GenerateVocabRemapping", "Skipgram", "DTensorRestoreV2",
    }
)  # fmt: skip
WRITES_FILES = frozenset(
    {
        "WriteFile", "SnapshotDataset", "SnapshotDatasetV2", "SaveDataset", "SaveDatasetV2", "CacheDataset",
        "CacheDatasetV2", "DatasetToTFRecord", "ExperimentalDatasetToTFRecord", "DistributedSave",
        "CalibrationStatisticsSaver", "DumpTensor", "SummaryWriter", "CreateSummaryFileWriter",
        "CreateSummaryDbWriter", "FlushSummaryWriter", "CloseSummaryWriter", "WriteSummary",
        "WriteAudioSummary", "WriteGraphSummary", "WriteHistogramSummary", "WriteImageSummary",
        "WriteRawProtoSummary", "WriteScalarSummary", "ImportEvent", "StatsAggregatorSetSummaryWriter",
        "FileSystemSetConfiguration",
    }
)  # fmt: skip
RUNS_CODE = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "DatasetFromGraph", "RemoteCall"})
"""Python, graphs that come as a value, and functions on another machine."""
OPENS_CONNECTIONS = frozenset(
    {
        "DataServiceDataset", "DataServiceDatasetV2", "DataServiceDatasetV3", "DataServiceDatasetV4",
        "RegisterDataset", "RegisterDatasetV2", "RpcClient", "RpcServer", "RpcServerRegister", "RpcServerStart",
        "RpcCall", "RpcCheckStatus", "RpcGetValue", "DeleteRpcFutureResource",
    }
)  # fmt: skip
PRINTS = frozenset(
    {
        "Print", "PrintV2", "Copy", "CopyHost", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3",
        "DebugNanCount", "DebugNumericSummary",
    }
)  # fmt: skip
"""What a client sent would stand in the server's log, or be sent to where the model says."""
FORBIDDEN = READS_FILES | WRITES_FILES | RUNS_CODE | OPENS_CONNECTIONS | PRINTS

SAVES = frozenset({"Save", "SaveSlices", "SaveV2", "MergeV2Checkpoints"})
"""Every SavedModel has them, to be saved again; no request and no loading needs them."""
RESTORES = frozenset({"Restore", "RestoreSlice", "RestoreV2"})
"""They fill the variables when a model is loaded."""
FILLS_TABLES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
"""They read a vocabulary when a model is loaded."""
FILES_IN_ATTRIBUTES = {
    "FixedUnigramCandidateSampler": ("vocab_file", ("",)),
    "DecodeProtoV2": ("descriptor_source", ("", "local://", "bytes://")),
    "EncodeProto": ("descriptor_source", ("", "local://", "bytes://")),
}
"""Operations that read the file named in an attribute, and how values of it begin that name none ("": only that)."""
