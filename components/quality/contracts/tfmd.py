"""A contract -> TensorFlow Metadata ``schema.pbtxt``; ``tfmd_read`` reads it, and schemas of others.

What the format can say is said in its own fields, for TensorFlow Data Validation to check. What it cannot (patterns,
lengths, allowed numbers, keys) goes along as JSON in ``annotation.tag``, which other tools pass over, so that an
import gives the same contract. The statistics of ``reference`` stay behind.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.rules import learned_columns

CONTRACT_TAG, FEATURE_TAG = "kilnworks.contract ", "kilnworks.feature "
"""What an annotation with JSON of ours begins with."""
UNIX_SECONDS = 1
"""``IntegerTimeFormat`` of the format: what a model of ours takes for a datetime."""
_SAID = frozenset(("dtype", "nullable", "max_missing", "shape", "min", "max", "description"))
"""Fields of a feature that the format has fields for; all others go along in an annotation."""


@dataclass(frozen=True)
class ExportedSchema:
    """A schema in protobuf text format, and what of the contract other tools will not check, one line each."""

    text: str
    left_out: tuple[str, ...]


def export_schema(contract: Contract) -> ExportedSchema:
    """The contract as a TensorFlow Metadata schema in protobuf text format."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema, lines = schema_pb2.Schema(), []
    for name, feature in learned_columns(contract).items():
        own = contract.features.get(name)
        _add(schema, name, own or feature, own is not None)
        lines += [f"{name}: {words}: kept for an import only" for words in _unsaid(own or feature)]
    lines += [f"{name}: no value twice: kept for an import only" for name in (contract.key,) if name]
    schema.annotation.tag.append(CONTRACT_TAG + json.dumps(_without_features(contract)))
    lines += [f"check {i + 1}: {c.expectation}: kept for an import only" for i, c in enumerate(contract.checks)]
    lines += ["reference: the statistics of the clean data"] if contract.reference else []
    return ExportedSchema(str(text_format.MessageToString(schema, as_utf8=True)), tuple(lines))


def from_json(annotation: Any, tag: str) -> dict[str, Any]:
    """What an annotation of ours holds; empty where there is none."""
    for text in annotation.tag:
        if text.startswith(tag):
            try:
                found = json.loads(text.removeprefix(tag))
            except ValueError:
                return {}
            return found if isinstance(found, dict) else {}
    return {}


def _without_features(contract: Contract) -> dict[str, Any]:
    """Everything of a contract but its features and statistics; with names of features that are the time as well."""
    tree = contract.model_dump(mode="json", exclude_defaults=True, exclude={"features", "reference"})
    return tree | {"features_too": [n for n in (contract.key, contract.time) if n in contract.features]}


def _unsaid(feature: Feature) -> list[str]:
    """Rules of a feature that other tools do not see."""
    in_domain = feature.dtype == "string"
    steps = ["it advances"] if feature.advances is not None else []
    return steps + [
        f"{field} {getattr(feature, field)}"
        for field in ("allowed", "regex", "min_length", "max_length", "unique")
        if getattr(feature, field) not in (None, False) and not (field == "allowed" and in_domain)
    ]


def _add(schema: Any, name: str, feature: Feature, is_feature: bool) -> None:
    from tensorflow_metadata.proto.v0 import schema_pb2

    f = schema.feature.add()
    f.name = name
    types = {"string": schema_pb2.BYTES, "float": schema_pb2.FLOAT}
    f.type = types.get(feature.dtype, schema_pb2.INT)
    most = 1.0 if feature.max_missing is None else feature.max_missing
    f.presence.min_fraction = 1.0 - most if feature.nullable else 1.0
    for size in feature.shape or (() if feature.nullable else (1,)):
        f.shape.dim.add().size = size
    if not f.shape.dim:
        f.value_count.min, f.value_count.max = 0 if feature.nullable else 1, 1
    if feature.description:
        f.annotation.comment.append(feature.description)
    if feature.severity == "warning":
        f.distribution_constraints.min_domain_mass = 0.0
    _add_domain(f, name, feature)
    if is_feature:
        kept = _kept(feature)
        if kept:
            f.annotation.tag.append(FEATURE_TAG + json.dumps(kept))


def _kept(feature: Feature) -> dict[str, Any]:
    """What the fields of the format do not say, or not exactly; what they do say stands there alone."""
    tree = feature.model_dump(mode="json", exclude_defaults=True)
    fields = set(tree) - _SAID
    fields |= {"dtype"} if feature.dtype == "image" else set()
    fields |= {"max_missing"} if feature.max_missing is not None else set()
    fields |= {"nullable"} if feature.max_missing == 0 else set()
    fields |= {"shape"} if feature.shape == (1,) else set()
    fields |= {"min", "max"} if feature.allowed is not None else set()
    fields -= {"allowed"} if feature.dtype == "string" else set()
    return {name: value for name, value in tree.items() if name in fields}


def _add_domain(f: Any, name: str, feature: Feature) -> None:
    if feature.dtype == "bool":
        f.bool_domain.name = name
    elif feature.dtype == "datetime":
        f.time_domain.integer_format = UNIX_SECONDS
    elif feature.dtype == "string" and feature.allowed is not None:
        f.string_domain.name = name
        f.string_domain.value.extend(map(str, feature.allowed))
    elif feature.dtype in ("int", "float", "image"):
        numbers = [v for v in feature.allowed or () if isinstance(v, int | float)]
        low = min(numbers) if numbers and feature.min is None else feature.min
        high = max(numbers) if numbers and feature.max is None else feature.max
        domain = f.float_domain if feature.dtype == "float" else f.int_domain
        whole = feature.dtype != "float"
        if not whole:
            domain.disallow_inf = True
        if low is not None:
            domain.min = math.ceil(low) if whole else float(low)
        if high is not None:
            domain.max = math.floor(high) if whole else float(high)
