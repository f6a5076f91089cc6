"""TensorFlow Metadata: ``schema.pbtxt`` read as a contract, a contract written as ``schema.pbtxt``."""

import re
from pathlib import Path
from typing import Any

from schemas.contract import Contract, Dtype, Feature, Label
from schemas.errors import ConfigError, ContractError


def import_schema(text: str, name: str, label: str | None = None) -> Contract:
    """A contract from a TensorFlow Metadata schema in protobuf text format.

    Read: types, domains (int, float, string, bool, time), presence, shapes, value counts, uniqueness; ``label`` names
    the feature to be predicted. What a contract cannot say (drift comparators, environments) is left out.

    Raises:
        ContractError: not a schema, or a feature of a type that has no counterpart.
    """
    schema = _parse(text)
    shared = {d.name: tuple(d.value) for d in schema.string_domain}
    features: dict[str, Feature] = {}
    made: Label | None = None
    for f in schema.feature:
        if f.lifecycle_stage in _skipped():
            continue
        feature = _feature(f, shared)
        if f.name == label:
            made = _label(f.name, feature)
        else:
            features[f.name] = feature
    if label is not None and made is None:
        raise ConfigError(f"no feature {label!r} in the schema", ", ".join(features), "correct --label")
    return Contract(name=re.sub(r"\W+", "_", name) or "schema", features=features, label=made)


def export_schema(contract: Contract) -> str:
    """The contract as a TensorFlow Metadata schema in protobuf text format."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = schema_pb2.Schema()
    for name, feature in contract.features.items():
        _add(schema, name, feature)
    if contract.label is not None:
        label = contract.label
        rule = Feature(
            dtype=label.dtype, allowed=label.classes, min=label.min, max=label.max, description=label.description
        )
        _add(schema, label.name, rule)
    if contract.key is not None:
        added = schema.feature.add()
        added.name, added.type = contract.key, schema_pb2.BYTES
        added.presence.min_fraction = 1.0
        added.unique_constraints.SetInParent()
    return str(text_format.MessageToString(schema))


def _parse(text: str) -> Any:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        return text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise ContractError(f"not a schema: {error}", "a TensorFlow Metadata schema.pbtxt", "check the file") from None


def _skipped() -> tuple[int, ...]:
    from tensorflow_metadata.proto.v0 import schema_pb2

    return (schema_pb2.PLANNED, schema_pb2.ALPHA, schema_pb2.DEPRECATED, schema_pb2.DISABLED, schema_pb2.DEBUG_ONLY)


def _feature(f: Any, shared: dict[str, tuple[str, ...]]) -> Feature:
    from tensorflow_metadata.proto.v0 import schema_pb2

    kinds: dict[int, Dtype] = {schema_pb2.BYTES: "string", schema_pb2.INT: "int", schema_pb2.FLOAT: "float"}
    if f.type not in kinds:
        raise ContractError(f"feature {f.name!r} has type {f.type}", "BYTES, INT or FLOAT", "give the feature a type")
    dtype = kinds[f.type]
    rules: dict[str, Any] = {}
    domain = f.WhichOneof("domain_info")
    if domain == "int_domain" and dtype == "int":
        rules |= _range(f.int_domain)
    elif domain == "float_domain" and dtype == "float":
        rules |= _range(f.float_domain)
    elif domain == "bool_domain" or (domain == "int_domain" and f.int_domain.is_categorical and dtype == "bool"):
        dtype = "bool"
    elif domain in ("time_domain", "time_of_day_domain"):
        dtype = "datetime"
    elif domain == "string_domain" and f.string_domain.value and dtype == "string":
        rules["allowed"] = tuple(f.string_domain.value)
    elif domain == "domain" and shared.get(f.domain) and dtype == "string":
        rules["allowed"] = shared[f.domain]
    if f.HasField("presence") and f.presence.min_fraction < 1.0:
        rules["nullable"] = True
        if f.presence.min_fraction > 0:
            rules["max_missing"] = round(1.0 - f.presence.min_fraction, 6)
    elif not f.HasField("presence"):
        rules["nullable"] = True
    shape = tuple(d.size for d in f.shape.dim) if f.HasField("shape") else ()
    if shape and shape != (1,) and dtype in ("int", "float"):
        rules["shape"] = shape
    if f.HasField("unique_constraints"):
        rules["unique"] = True
    return Feature(dtype=dtype, description=f.annotation.comment[0] if f.annotation.comment else "", **rules)


def _range(domain: Any) -> dict[str, float]:
    return {k: getattr(domain, k) for k in ("min", "max") if domain.HasField(k)}


def _label(name: str, feature: Feature) -> Label:
    if feature.dtype in ("datetime", "image"):
        raise ContractError(
            f"label {name!r} is a {feature.dtype}", "int, float, string or bool", "choose another --label"
        )
    if feature.dtype == "bool":
        return Label(name=name, dtype="bool", classes=(False, True))
    dtype: Any = feature.dtype
    if feature.allowed is not None:
        return Label(name=name, dtype=dtype, classes=feature.allowed)
    if dtype == "int" and feature.min is not None and feature.max is not None and 1 <= feature.max - feature.min <= 20:
        return Label(name=name, dtype="int", classes=tuple(range(int(feature.min), int(feature.max) + 1)))
    return Label(name=name, dtype=dtype, min=feature.min, max=feature.max)


def _add(schema: Any, name: str, feature: Feature) -> None:
    from tensorflow_metadata.proto.v0 import schema_pb2

    f = schema.feature.add()
    f.name = name
    types = {"string": schema_pb2.BYTES, "float": schema_pb2.FLOAT}
    f.type = types.get(feature.dtype, schema_pb2.INT)
    f.presence.min_fraction = 1.0 if not feature.nullable else 1.0 - (feature.max_missing or 1.0)
    for size in feature.shape:
        f.shape.dim.add().size = size
    if feature.description:
        f.annotation.comment.append(feature.description)
    if feature.unique:
        f.unique_constraints.SetInParent()
    _add_domain(f, name, feature)


def _add_domain(f: Any, name: str, feature: Feature) -> None:
    if feature.dtype == "bool":
        f.bool_domain.name = name
    elif feature.dtype == "datetime":
        f.time_domain.integer_format = 1
    elif feature.dtype == "string" and feature.allowed is not None:
        f.string_domain.name = name
        f.string_domain.value.extend(map(str, feature.allowed))
    elif feature.dtype in ("int", "float"):
        numbers = [v for v in feature.allowed or () if not isinstance(v, str)]
        low = min(numbers) if numbers and feature.min is None else feature.min
        high = max(numbers) if numbers and feature.max is None else feature.max
        domain = f.int_domain if feature.dtype == "int" else f.float_domain
        kind = int if feature.dtype == "int" else float
        if low is not None:
            domain.min = kind(low)
        if high is not None:
            domain.max = kind(high)


def read_schema(path: Path, label: str | None = None) -> Contract:
    """``import_schema`` of a file; the contract is named after it. Raises ``ContractError`` where there is none."""
    if not path.is_file():
        raise ContractError(f"no schema file {path}", "a schema.pbtxt", "check the path")
    return import_schema(path.read_text(encoding="utf-8"), path.stem, label)
