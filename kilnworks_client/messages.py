"""TensorFlow Serving's messages without TensorFlow.

The official ``tensorflow_serving.apis`` modules import all of TensorFlow (seconds, and hundreds of MB). The messages
that a client needs are declared here instead, with the names and numbers of the published ``.proto`` files, in a
descriptor pool of their own: they never clash when TensorFlow is loaded as well, and both give the same bytes.

Unknown fields that a newer server sends are kept and ignored, as protobuf does.
"""

from dataclasses import dataclass
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_Type = descriptor_pb2.FieldDescriptorProto
_SCALARS: dict[str, int] = {
    "bool": _Type.TYPE_BOOL,
    "bytes": _Type.TYPE_BYTES,
    "double": _Type.TYPE_DOUBLE,
    "float": _Type.TYPE_FLOAT,
    "int32": _Type.TYPE_INT32,
    "int64": _Type.TYPE_INT64,
    "string": _Type.TYPE_STRING,
    "uint32": _Type.TYPE_UINT32,
    "uint64": _Type.TYPE_UINT64,
}


@dataclass(frozen=True)
class _Field:
    """One field: ``type`` is a scalar or the full name of a message; a map has string keys and values of ``type``."""

    number: int
    type: str
    repeated: bool = False
    map: bool = False
    oneof: str = ""


def _many(number: int, type_: str) -> _Field:
    return _Field(number, type_, repeated=True)


def _map(number: int, type_: str) -> _Field:
    return _Field(number, type_, map=True)


_TF, _TFS = "tensorflow.", "tensorflow.serving."
_SPEC = _TFS + "ModelSpec"

_TENSORFLOW: dict[str, dict[str, _Field]] = {
    "TensorShapeDim": {"size": _Field(1, "int64"), "name": _Field(2, "string")},
    "TensorShapeProto": {"dim": _many(2, _TF + "TensorShapeDim"), "unknown_rank": _Field(3, "bool")},
    "TensorProto": {
        "dtype": _Field(1, "int32"),
        "tensor_shape": _Field(2, _TF + "TensorShapeProto"),
        "tensor_content": _Field(4, "bytes"),
        "half_val": _many(13, "int32"),
        "float_val": _many(5, "float"),
        "double_val": _many(6, "double"),
        "int_val": _many(7, "int32"),
        "string_val": _many(8, "bytes"),
        "int64_val": _many(10, "int64"),
        "bool_val": _many(11, "bool"),
        "uint32_val": _many(16, "uint32"),
        "uint64_val": _many(17, "uint64"),
    },
    "TensorInfo": {
        "name": _Field(1, "string"),
        "dtype": _Field(2, "int32"),
        "tensor_shape": _Field(3, _TF + "TensorShapeProto"),
    },
    "SignatureDef": {
        "inputs": _map(1, _TF + "TensorInfo"),
        "outputs": _map(2, _TF + "TensorInfo"),
        "method_name": _Field(3, "string"),
    },
    "BytesList": {"value": _many(1, "bytes")},
    "FloatList": {"value": _many(1, "float")},
    "Int64List": {"value": _many(1, "int64")},
    "Feature": {
        "bytes_list": _Field(1, _TF + "BytesList", oneof="kind"),
        "float_list": _Field(2, _TF + "FloatList", oneof="kind"),
        "int64_list": _Field(3, _TF + "Int64List", oneof="kind"),
    },
    "Features": {"feature": _map(1, _TF + "Feature")},
    "Example": {"features": _Field(1, _TF + "Features")},
}

_SERVING: dict[str, dict[str, _Field]] = {
    "ModelSpec": {
        "name": _Field(1, "string"),
        "version": _Field(2, "google.protobuf.Int64Value", oneof="version_choice"),
        "version_label": _Field(4, "string", oneof="version_choice"),
        "signature_name": _Field(3, "string"),
    },
    "PredictRequest": {
        "model_spec": _Field(1, _SPEC),
        "inputs": _map(2, _TF + "TensorProto"),
        "output_filter": _many(3, "string"),
    },
    "PredictResponse": {"outputs": _map(1, _TF + "TensorProto"), "model_spec": _Field(2, _SPEC)},
    "ExampleList": {"examples": _many(1, "bytes")},
    "ExampleListWithContext": {"examples": _many(1, "bytes"), "context": _Field(2, "bytes")},
    "Input": {
        "example_list": _Field(1, _TFS + "ExampleList", oneof="kind"),
        "example_list_with_context": _Field(2, _TFS + "ExampleListWithContext", oneof="kind"),
    },
    "Class": {"label": _Field(1, "string"), "score": _Field(2, "float")},
    "Classifications": {"classes": _many(1, _TFS + "Class")},
    "ClassificationResult": {"classifications": _many(1, _TFS + "Classifications")},
    "ClassificationRequest": {"model_spec": _Field(1, _SPEC), "input": _Field(2, _TFS + "Input")},
    "ClassificationResponse": {"result": _Field(1, _TFS + "ClassificationResult"), "model_spec": _Field(2, _SPEC)},
    "Regression": {"value": _Field(1, "float")},
    "RegressionResult": {"regressions": _many(1, _TFS + "Regression")},
    "RegressionRequest": {"model_spec": _Field(1, _SPEC), "input": _Field(2, _TFS + "Input")},
    "RegressionResponse": {"result": _Field(1, _TFS + "RegressionResult"), "model_spec": _Field(2, _SPEC)},
    "SignatureDefMap": {"signature_def": _map(1, _TF + "SignatureDef")},
    "GetModelMetadataRequest": {"model_spec": _Field(1, _SPEC), "metadata_field": _many(2, "string")},
    "GetModelMetadataResponse": {"model_spec": _Field(1, _SPEC), "metadata": _map(2, "google.protobuf.Any")},
    "GetModelStatusRequest": {"model_spec": _Field(1, _SPEC)},
    "StatusProto": {"error_code": _Field(1, "int32"), "error_message": _Field(2, "string")},
    "ModelVersionStatus": {
        "version": _Field(1, "int64"),
        "state": _Field(2, "int32"),
        "status": _Field(3, _TFS + "StatusProto"),
    },
    "GetModelStatusResponse": {"model_version_status": _many(1, _TFS + "ModelVersionStatus")},
    "SamplingConfig": {"sampling_rate": _Field(1, "double")},
    "LogMetadata": {
        "model_spec": _Field(1, _SPEC),
        "sampling_config": _Field(2, _TFS + "SamplingConfig"),
        "timestamp_secs": _Field(4, "int64"),
    },
    "PredictLog": {"request": _Field(1, _TFS + "PredictRequest"), "response": _Field(2, _TFS + "PredictResponse")},
    "ClassifyLog": {
        "request": _Field(1, _TFS + "ClassificationRequest"),
        "response": _Field(2, _TFS + "ClassificationResponse"),
    },
    "RegressLog": {
        "request": _Field(1, _TFS + "RegressionRequest"),
        "response": _Field(2, _TFS + "RegressionResponse"),
    },
    "PredictionLog": {
        "log_metadata": _Field(1, _TFS + "LogMetadata"),
        "classify_log": _Field(2, _TFS + "ClassifyLog", oneof="log_type"),
        "regress_log": _Field(3, _TFS + "RegressLog", oneof="log_type"),
        "predict_log": _Field(6, _TFS + "PredictLog", oneof="log_type"),
    },
}
"""Examples are declared as bytes: a sub-message and its serialized bytes are the same on the wire."""


def _file(name: str, package: str, messages: dict[str, dict[str, _Field]], imports: tuple[str, ...]) -> bytes:
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3", dependency=imports)
    for message_name, fields in messages.items():
        _add_message(file.message_type.add(name=message_name), f"{package}.{message_name}", fields)
    return bytes(file.SerializeToString())


def _add_message(message: descriptor_pb2.DescriptorProto, full_name: str, fields: dict[str, _Field]) -> None:
    oneofs = list(dict.fromkeys(f.oneof for f in fields.values() if f.oneof))
    for oneof in oneofs:
        message.oneof_decl.add(name=oneof)
    for name, field in fields.items():
        added = message.field.add(name=name, number=field.number)
        added.label = _Type.LABEL_REPEATED if field.repeated or field.map else _Type.LABEL_OPTIONAL
        if field.map:
            entry = "".join(part.capitalize() for part in name.split("_")) + "Entry"
            _add_entry(message.nested_type.add(name=entry), field.type)
            _set_type(added, f"{full_name}.{entry}")
        else:
            _set_type(added, field.type)
        if field.oneof:
            added.oneof_index = oneofs.index(field.oneof)


def _add_entry(entry: descriptor_pb2.DescriptorProto, value_type: str) -> None:
    entry.options.map_entry = True
    for name, number, type_ in (("key", 1, "string"), ("value", 2, value_type)):
        added = entry.field.add(name=name, number=number, label=_Type.LABEL_OPTIONAL)
        _set_type(added, type_)


def _set_type(field: descriptor_pb2.FieldDescriptorProto, type_: str) -> None:
    if type_ in _SCALARS:
        field.type = _SCALARS[type_]
    else:
        field.type, field.type_name = _Type.TYPE_MESSAGE, "." + type_


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(_file("kilnworks/tensorflow.proto", "tensorflow", _TENSORFLOW, ()))
    imports = ("kilnworks/tensorflow.proto", wrappers_pb2.DESCRIPTOR.name, any_pb2.DESCRIPTOR.name)
    pool.AddSerializedFile(_file("kilnworks/serving.proto", "tensorflow.serving", _SERVING, imports))
    return pool


_POOL = _pool()


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


TensorProto = _class("tensorflow.TensorProto")
SignatureDef = _class("tensorflow.SignatureDef")
Feature = _class("tensorflow.Feature")
Example = _class("tensorflow.Example")
ModelSpec = _class("tensorflow.serving.ModelSpec")
PredictRequest = _class("tensorflow.serving.PredictRequest")
PredictResponse = _class("tensorflow.serving.PredictResponse")
Input = _class("tensorflow.serving.Input")
ClassificationRequest = _class("tensorflow.serving.ClassificationRequest")
ClassificationResponse = _class("tensorflow.serving.ClassificationResponse")
RegressionRequest = _class("tensorflow.serving.RegressionRequest")
RegressionResponse = _class("tensorflow.serving.RegressionResponse")
SignatureDefMap = _class("tensorflow.serving.SignatureDefMap")
GetModelMetadataRequest = _class("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _class("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _class("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _class("tensorflow.serving.GetModelStatusResponse")
PredictionLog = _class("tensorflow.serving.PredictionLog")
