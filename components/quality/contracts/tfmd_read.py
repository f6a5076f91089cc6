"""TensorFlow Metadata ``schema.pbtxt`` -> contract, and a line for everything that a contract cannot say.

Read is what ``_FIELDS`` names; every other field that is set, at any depth, is listed. So a field that a later
version of the format adds is listed too, and nothing is dropped without a word.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kilnworks.components.quality.contracts.tfmd import CONTRACT_TAG, FEATURE_TAG, UNIX_SECONDS, from_json
from kilnworks.schemas.contract import Contract, Dtype, Feature, Label
from kilnworks.schemas.errors import ConfigError, ContractError

_FIELDS = {"name", "type", "presence", "shape", "value_count", "domain", "lifecycle_stage", "annotation", "deprecated"}
_FIELDS |= {"unique_constraints", "int_domain", "float_domain", "string_domain", "bool_domain", "time_domain"}
_FIELDS |= {"image_domain", "url_domain", "natural_language_domain", "mid_domain"}
"""Fields of a feature that are looked at below; each of them lists what of itself it cannot keep."""
_KEPT_STAGES = ("UNKNOWN_STAGE", "BETA", "PRODUCTION")


@dataclass(frozen=True)
class ImportedSchema:
    """The contract that a schema stands for, and what it says that a contract cannot, one line each."""

    contract: Contract
    left_out: tuple[str, ...]


def read_schema(path: Path, label: str | None = None) -> ImportedSchema:
    """``import_schema`` of a file; the contract is named after it. Raises ``ContractError`` where there is none."""
    if not path.is_file():
        raise ContractError(f"no schema file {path}", "a schema.pbtxt", "check the path")
    return import_schema(path.read_text(encoding="utf-8"), path.stem, label)


def import_schema(text: str, name: str, label: str | None = None) -> ImportedSchema:
    """A contract from a TensorFlow Metadata schema in protobuf text format.

    Args:
        text: the schema.
        name: of the contract, unless the schema is an export of ours.
        label: feature to be predicted; by default the label of our own export.

    Raises:
        ContractError: not a schema, a feature twice there, or no feature that a contract can hold.
        ConfigError: the label is not there.
    """
    schema = _parse(text)
    ours, lines = from_json(schema.annotation, CONTRACT_TAG), list(_of_schema(schema))
    domains = {d.name: tuple(d.value) for d in schema.string_domain}
    numbers = {d.name: d for d in (*schema.int_domain, *schema.float_domain)}
    features: dict[str, Feature] = {}
    found: dict[str, Feature] = {}
    for f in schema.feature:
        if f.name in found:
            raise ContractError(f"feature {f.name!r} is there twice", "each feature once", "correct the schema")
        read = _Reader(f, domains, numbers)
        made = read.feature()
        lines += read.lines
        if made is not None:
            found[f.name] = made
    label = label or (ours.get("label") or {}).get("name")
    if label is not None and label not in found:
        raise ConfigError(f"no feature {label!r} in the schema", ", ".join(found), "correct --label")
    own = {"label": label, "key": ours.get("key"), "time": ours.get("time")}
    features = {n: f for n, f in found.items() if n not in own.values() or n in ours.get("features_too", ())}
    if not features:
        raise ContractError("the schema has no feature that a contract can hold", "; ".join(lines[:3]), "see --help")
    tree = {k: v for k, v in ours.items() if k not in ("label", "features_too")}
    tree |= {"name": ours.get("name") or _named(name), "features": features}
    tree["label"] = _label(label, found[label], ours.get("label")) if label else None
    return ImportedSchema(_contract(tree), tuple(dict.fromkeys(lines)))


def _contract(tree: dict[str, Any]) -> Contract:
    try:
        return Contract.model_validate(tree)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ContractError(f"the schema makes no contract: {reason}", "a schema of one table", "correct it") from None


class _Reader:
    """One feature: what a contract keeps of it, and lines for the rest."""

    def __init__(self, f: Any, domains: dict[str, tuple[str, ...]], numbers: dict[str, Any]) -> None:
        self.f, self.domains, self.numbers, self.lines = f, domains, numbers, list[str]()
        self.own = from_json(f.annotation, FEATURE_TAG)

    def feature(self) -> Feature | None:
        """The feature; None where a contract cannot hold it, which is listed."""
        from tensorflow_metadata.proto.v0 import schema_pb2

        stage = schema_pb2.LifecycleStage.Name(self.f.lifecycle_stage)
        if stage not in _KEPT_STAGES or self.f.deprecated:
            self._lost(f"the feature is {'DEPRECATED' if self.f.deprecated else stage}; left out whole")
            return None
        kinds: dict[int, Dtype] = {schema_pb2.BYTES: "string", schema_pb2.INT: "int", schema_pb2.FLOAT: "float"}
        if self.f.type not in kinds:
            kind = schema_pb2.FeatureType.Name(self.f.type)
            self._lost(f"type {kind}: a contract holds BYTES, INT and FLOAT; left out whole")
            return None
        dtype, rules = self._domain(kinds[self.f.type])
        rules |= self._presence() | self._shape(dtype) | self._unique()
        if "allowed" in self.own:
            rules = {k: v for k, v in rules.items() if k not in ("min", "max")}
        own = {k: v for k, v in self.own.items() if k not in ("dtype", "nullable", "max_missing")}
        rules |= own
        dtype = self.own.get("dtype", dtype)
        rules.setdefault("description", " ".join(self.f.annotation.comment))
        for tag in self.f.annotation.tag:
            if not tag.startswith((FEATURE_TAG, CONTRACT_TAG)):
                self._lost(f"annotation.tag {tag!r}")
        if self.f.annotation.extra_metadata:
            self._lost("annotation.extra_metadata")
        for descriptor, value in self.f.ListFields():
            ours = descriptor.name == "distribution_constraints" and self.own.get("severity") == "warning"
            if descriptor.name not in _FIELDS and not ours:
                self._lost(f"{descriptor.name} {_short(value)}")
        try:
            return Feature(dtype=dtype, **rules)
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            self._lost(f"{reason}; left out whole")
            return None

    def _lost(self, words: str) -> None:
        self.lines.append(f"{self.f.name}: {words}")

    def _domain(self, dtype: Dtype) -> tuple[Dtype, dict[str, Any]]:
        domain = self.f.WhichOneof("domain_info")
        if domain is None:
            return dtype, {}
        value = getattr(self.f, domain)
        if domain == "domain":
            return dtype, self._shared(dtype, value)
        if (domain, dtype) in (("int_domain", "int"), ("float_domain", "float")):
            return dtype, self._range(value)
        if domain == "string_domain" and dtype == "string":
            return dtype, self._values(tuple(value.value), value)
        if domain == "bool_domain":
            return self._bool(dtype, value)
        if domain == "time_domain":
            return self._time(dtype, value)
        self._lost(f"{domain} {_short(value)}".rstrip())
        return dtype, {}

    def _shared(self, dtype: Dtype, name: str) -> dict[str, Any]:
        if dtype == "string" and self.domains.get(name):
            return {"allowed": self.domains[name]} | self._mass()
        if dtype in ("int", "float") and name in self.numbers:
            return self._range(self.numbers[name])
        self._lost(f"domain {name!r}: the schema has no such domain for this type")
        return {}

    def _values(self, values: tuple[str, ...], domain: Any) -> dict[str, Any]:
        if domain.is_categorical:
            self._lost(f"string_domain.is_categorical {domain.is_categorical}")
        if "" in values:
            self._lost("string_domain: an empty text; a contract takes it for missing (nullable)")
        kept = tuple(v for v in dict.fromkeys(values) if v)
        return ({"allowed": kept} | ({"nullable": True} if "" in values else {}) | self._mass()) if kept else {}

    def _mass(self) -> dict[str, Any]:
        """A domain that some values may leave is no rule of single values: a warning in the contract."""
        mass = self.f.distribution_constraints.min_domain_mass
        if self.f.HasField("distribution_constraints") and mass < 1:
            return {"severity": "warning"}
        return {}

    def _range(self, domain: Any) -> dict[str, Any]:
        kind = "int_domain" if domain.DESCRIPTOR.name == "IntDomain" else "float_domain"
        for descriptor, value in domain.ListFields():
            if descriptor.name not in ("name", "min", "max") and not (descriptor.name == "disallow_inf" and value):
                self._lost(f"{kind}.{descriptor.name} {_short(value)}")
        ends = {k: getattr(domain, k) for k in ("min", "max") if domain.HasField(k)}
        return {k: v for k, v in ends.items() if math.isfinite(v)}

    def _bool(self, dtype: Dtype, domain: Any) -> tuple[Dtype, dict[str, Any]]:
        from kilnworks.components.sources.cast import FALSE_TEXTS, TRUE_TEXTS

        yes, no = domain.true_value, domain.false_value
        if dtype == "string" and yes and no and not (yes.lower() in TRUE_TEXTS and no.lower() in FALSE_TEXTS):
            return "string", {"allowed": (no, yes)}
        return "bool", {}

    def _time(self, dtype: Dtype, domain: Any) -> tuple[Dtype, dict[str, Any]]:
        if dtype == "float":
            self._lost(f"time_domain {_short(domain)}: of a FLOAT")
            return dtype, {}
        if domain.string_format:
            self._lost(f"time_domain.string_format {domain.string_format!r}; say it in the contract's `dates`")
        elif domain.integer_format not in (0, UNIX_SECONDS):
            unit = domain.DESCRIPTOR.fields_by_name["integer_format"].enum_type.values_by_number[domain.integer_format]
            self._lost(f"time_domain.integer_format {unit.name}; say it in the contract's `dates`")
        return "datetime", {}

    def _presence(self) -> dict[str, Any]:
        f = self.f
        if f.HasField("group_presence"):
            self._lost(f"group_presence {_short(f.group_presence)}".rstrip())
            return {"nullable": True}
        if not f.HasField("presence"):
            return {"nullable": True}
        least = f.presence.min_fraction
        if f.presence.min_count > 1:
            self._lost(f"presence.min_count {f.presence.min_count}")
        if f.presence.min_count > 1:
            self._lost(f"presence.min_count {f.presence.min_count}")
        exact = self.own.get("max_missing")
        if least >= 1:
            return {"nullable": True, "max_missing": 0.0} if exact == 0 else {}
        most = exact if exact is not None and abs(exact - (1 - least)) < 1e-9 else round(1 - least, 9)
        return {"nullable": True} | ({"max_missing": most} if least > 0 or exact == 1 else {})

    def _shape(self, dtype: Dtype) -> dict[str, Any]:
        f = self.f
        sizes = tuple(d.size for d in f.shape.dim) if f.HasField("shape") else ()
        for d in f.shape.dim:
            if d.name:
                self._lost(f"shape.dim.name {d.name!r}")
        if not f.HasField("shape"):
            counts = (f.value_count,) if f.HasField("value_count") else tuple(f.value_counts.value_count)
            sizes = tuple(c.max for c in counts)
            if len(counts) == 1 and (counts[0].min, counts[0].max) == (0, 1):
                return {"nullable": True}
            open_ended = [c for c in counts if c.min != c.max or c.max < 1]
            if open_ended:
                self._lost(f"value_count {_short(open_ended[0])}: lists of several lengths")
                return {}
        if any(size < 1 for size in sizes):
            self._lost(f"shape {list(sizes)}: a dimension without a size")
            return {}
        if sizes in ((), (1,)):
            return {}
        if dtype not in ("int", "float") and self.own.get("dtype") != "image":
            self._lost(f"shape {list(sizes)} of a {dtype}")
            return {}
        return {"shape": sizes}

    def _unique(self) -> dict[str, Any]:
        f = self.f
        if not f.HasField("unique_constraints"):
            return {}
        if f.unique_constraints.min or f.unique_constraints.max:
            self._lost(f"unique_constraints {_short(f.unique_constraints)}: a number of different values")
        return {}


def _of_schema(schema: Any) -> Iterator[str]:
    """Lines for what stands beside the features."""
    for descriptor, value in schema.ListFields():
        if descriptor.name in ("feature", "string_domain", "int_domain", "float_domain"):
            continue
        if descriptor.name == "annotation":
            foreign = [tag for tag in value.tag if not tag.startswith(CONTRACT_TAG)]
            yield from (f"schema: annotation.tag {tag!r}" for tag in foreign)
            yield from (f"schema: annotation.comment {comment!r}" for comment in value.comment)
        elif descriptor.name in ("sparse_feature", "weighted_feature"):
            yield from (f"{one.name}: a {descriptor.name.replace('_', ' ')}; left out whole" for one in value)
        else:
            yield f"schema: {descriptor.name} {_short(value)}"


def _parse(text: str) -> Any:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        return text_format.Parse(text, schema_pb2.Schema())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ContractError(f"not a schema: {error}", "a TensorFlow Metadata schema.pbtxt", "check the file") from None


def _short(value: Any) -> str:
    """A message or value in one line."""
    if hasattr(value, "ListFields"):
        from google.protobuf import text_format

        return "{" + text_format.MessageToString(value, as_one_line=True)[:120].strip() + "}"
    if isinstance(value, str | bytes | bool | int | float):
        return json.dumps(value, default=str)
    return "[" + ", ".join(_short(one) for one in list(value)[:5]) + "]"


def _named(name: str) -> str:
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII)
    return plain if re.match(r"[A-Za-z]", plain) else f"schema_{plain}".rstrip("_")


def _label(name: str, feature: Feature, ours: dict[str, Any] | None) -> Label:
    if ours is not None and ours.get("name") == name:
        return Label.model_validate(ours)
    if feature.dtype in ("datetime", "image") or feature.shape:
        raise ContractError(
            f"label {name!r} is a {feature.dtype}", "int, float, string or bool", "choose another --label"
        )
    if feature.dtype == "bool":
        return Label(name=name, dtype="bool", classes=(False, True))
    dtype: Any = feature.dtype
    if feature.allowed is not None:
        return Label(name=name, dtype=dtype, classes=feature.allowed, description=feature.description)
    low, high = feature.min, feature.max
    if dtype == "int" and low is not None and high is not None and 1 <= high - low <= 20:
        return Label(name=name, dtype="int", classes=tuple(range(int(low), int(high) + 1)))
    if dtype == "string":
        raise ContractError(f"label {name!r} is a text without a domain", "a string_domain", "give it its classes")
    return Label(name=name, dtype=dtype, min=low, max=high)
