"""Fit a transform: one pass over the training shards, then the choice of layers and their constants."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from components.features.calendar import PARTS, CalendarPart, calendar_part
from components.features.plan import (
    NO_INTEGER,
    UNKNOWN_TEXT,
    BucketPlan,
    CalendarPlan,
    CategoryPlan,
    DroppedPlan,
    FeaturePlan,
    ImagePlan,
    NumberPlan,
    Output,
    TensorPlan,
    TransformPlan,
    keras_name,
)
from components.features.raw import MISSING_INT, raw_array, raw_input
from components.features.settings import Encoding, FeatureSettings, PreprocessConfig
from components.features.statistics import Moments, Quantiles, ValueCounts, scalar_moments, tensor_moments
from schemas.contract import Contract, Feature
from schemas.errors import ConfigError, DataInvalid, DataUnreadable, UnknownName
from schemas.magnitudes import EXACT_IN_FLOAT32, FLOAT32_MAX, FLOAT32_TINY

Role = Literal["number", "calendar", "category", "buckets", "tensor", "image", "dropped"]

BATCH_ROWS = 1 << 18
QUANTILE_STEPS = 200
BRIGHTEST = 255.0
"""Largest pixel of an image whose contract names none."""

_ROLES: dict[tuple[str, Encoding], Role] = {
    ("float", "auto"): "number",
    ("float", "numeric"): "number",
    ("float", "buckets"): "buckets",
    ("int", "numeric"): "number",
    ("int", "one_hot"): "category",
    ("int", "embedding"): "category",
    ("int", "buckets"): "buckets",
    ("bool", "auto"): "number",
    ("bool", "numeric"): "number",
    ("datetime", "auto"): "number",
    ("datetime", "numeric"): "number",
    ("datetime", "buckets"): "buckets",
    ("datetime", "calendar"): "calendar",
    ("datetime", "moment"): "calendar",
    ("string", "auto"): "category",
    ("string", "one_hot"): "category",
    ("string", "embedding"): "category",
    ("image", "auto"): "image",
}


@dataclass
class Seen:
    """What one pass over the training rows found for a feature; which parts are filled depends on its role."""

    role: Role
    moments: Moments = field(default_factory=Moments)
    logs: Moments = field(default_factory=Moments)
    counts: ValueCounts = field(default_factory=ValueCounts)
    quantiles: Quantiles = field(default_factory=Quantiles)
    parts: dict[CalendarPart, "Seen"] = field(default_factory=dict)
    """For ``calendar``: each part as a number."""


def fit_plan(contract: Contract, files: Sequence[Path], config: PreprocessConfig) -> TransformPlan:
    """See ``FeatureTransform.fit``."""
    settings = _settings(contract, config)
    seen = {n: Seen(role_of(n, f, settings[n])) for n, f in contract.features.items()}
    rows = sum(_look(batch, contract, settings, seen, config.shares) for batch in _batches(files, seen))
    if rows == 0:
        raise DataUnreadable("the training split has no rows", "at least one row", "check the split and its source")
    features = {n: _plan(n, contract.features[n], settings[n], config, seen[n]) for n in contract.features}
    plan = TransformPlan(contract=contract, rows=rows, features=features, shares=config.shares)
    if not plan.encoded:
        reasons = "; ".join(f"{n}: {p.reason}" for n, p in features.items() if isinstance(p, DroppedPlan))
        raise DataUnreadable(f"no feature is left to learn from ({reasons})", "at least one", "check data and settings")
    return plan


def role_of(name: str, feature: Feature, settings: FeatureSettings) -> Role:
    """What becomes of a feature. Raises ``ConfigError`` for an encoding that its dtype cannot have."""
    if settings.encode == "drop":
        return "dropped"
    if feature.shape and feature.dtype != "image":
        role: Role | None = "tensor" if settings.encode in ("auto", "numeric") else None
    elif feature.dtype == "int" and settings.encode == "auto":
        role = "category" if feature.allowed is not None else "number"
    else:
        role = _ROLES.get((feature.dtype, settings.encode))
    if role is None:
        shape = f" of shape {list(feature.shape)}" if feature.shape else ""
        allowed = sorted({e for d, e in _ROLES if d == feature.dtype and not feature.shape} | {"auto", "drop"})
        raise ConfigError(
            f"features.{name}.encode is {settings.encode!r}, and {name!r} is {feature.dtype}{shape}",
            f"one of {', '.join(allowed)}",
            "correct the settings of the preprocessing",
        )
    if settings.size is not None and role != "image":
        raise ConfigError(
            f"features.{name}.size is set, and {name!r} is {feature.dtype}", "size for images alone", "leave size out"
        )
    if settings.scale != "standard" and role != "number":
        raise ConfigError(
            f"features.{name}.scale is set, and {name!r} is a {role}", "scale for numbers alone", "leave scale out"
        )
    return role


def _settings(contract: Contract, config: PreprocessConfig) -> dict[str, FeatureSettings]:
    for name in config.features:
        if name not in contract.features:
            raise UnknownName("feature", name, contract.features)
    names = [keras_name(n) for n in contract.features]
    if len(set(names)) < len(names):
        raise ConfigError("two features differ only in '/' and '|'", "names that Keras can tell apart", "rename one")
    chosen = {n: config.features.get(n, FeatureSettings()) for n in contract.features}
    for name, feature in contract.features.items():
        if feature.dtype == "datetime" and chosen[name].encode == "auto":
            chosen[name] = chosen[name].model_copy(update={"encode": config.datetimes})
    return chosen


def _batches(files: Sequence[Path], seen: dict[str, Seen]) -> Iterator[pl.DataFrame]:
    """The columns that are to be looked at, in frames of bounded size."""
    import pyarrow.parquet as pq

    columns = [n for n, s in seen.items() if s.role not in ("image", "dropped")]
    for path in files:
        with pq.ParquetFile(path) as shard:
            if not columns:
                yield pl.select(pl.repeat(0, shard.metadata.num_rows))
                continue
            for batch in shard.iter_batches(BATCH_ROWS, columns=columns):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame


def _look(
    batch: pl.DataFrame, contract: Contract, settings: dict[str, FeatureSettings], seen: dict[str, Seen], shares: bool
) -> int:
    """Add a batch to what was seen; returns its number of rows."""
    scalars = [n for n, s in seen.items() if s.role in ("number", "buckets")]
    logs = [n for n in scalars if settings[n].scale == "log1p"]
    numbers = batch.select(_float64(batch, n) for n in scalars)
    _merge(numbers, seen, "moments")
    _merge(numbers.select(pl.col(n).sign() * pl.col(n).abs().log1p() for n in logs), seen, "logs")
    for name, feature in contract.features.items():
        found = seen[name]
        if found.role == "buckets" or settings[name].scale == "quantile" or (shares and found.role == "number"):
            found.quantiles.add(numbers[name].fill_nan(None).drop_nulls().to_numpy())
        elif found.role == "category":
            found.counts.add(_as_served(batch[name], feature))
        elif found.role == "tensor":
            found.moments.merge(tensor_moments(raw_array(name, feature, batch[name])))
        elif found.role == "calendar":
            _look_at_parts(found, batch[name], settings[name].encode)
    return batch.height


def _look_at_parts(found: Seen, series: pl.Series, encode: Encoding) -> None:
    """Add a batch of datetimes to what was seen of their parts."""
    seconds = series.drop_nulls().cast(pl.Datetime("us")).dt.epoch("s").to_numpy()
    parts: tuple[CalendarPart, ...] = ("moment", *PARTS) if encode == "moment" else PARTS
    for part in parts:
        seen = found.parts.setdefault(part, Seen("number"))
        values = calendar_part(seconds, part).astype(np.float64)
        seen.quantiles.add(values)
        seen.moments.merge(scalar_moments(pl.DataFrame({part: values}))[part])
        seen.moments.missing += series.null_count()


def _merge(numbers: pl.DataFrame, seen: dict[str, Seen], part: Literal["moments", "logs"]) -> None:
    if numbers.width:
        for name, moments in scalar_moments(numbers).items():
            getattr(seen[name], part).merge(moments)


def _float64(batch: pl.DataFrame, name: str) -> pl.Expr:
    column = pl.col(name)
    temporal = batch.schema[name].is_temporal()
    return (column.cast(pl.Datetime("us")).dt.epoch("s") if temporal else column).cast(pl.Float64)


def _as_served(values: pl.Series, feature: Feature) -> pl.Series:
    """Category values as the served model gets them: a nullable integer passes through float32."""
    if feature.dtype == "string":
        return values.cast(pl.String)
    if raw_input(feature).dtype == "int64":
        return values.cast(pl.Int64)
    _refuse_merged(values)
    return values.cast(pl.Float32).cast(pl.Int64)


def _refuse_merged(codes: pl.Series) -> None:
    """Raise where codes would travel as float32, because they may be missing, and lose digits on the way."""
    long = codes.filter((codes.cast(pl.Float64).abs() > EXACT_IN_FLOAT32).fill_null(False))
    if len(long):
        raise DataInvalid(
            f"{codes.name!r} is a category with the value {long[0]}, may be missing, and has no limits in the contract",
            f"a min or max that says how far the numbers go; up to {EXACT_IN_FLOAT32:,} they are sent as float32",
            f"write `max: {max(abs(v) for v in long)}` (and `min`) for it in the contract, or make it dtype string",
        )


def _plan(name: str, feature: Feature, own: FeatureSettings, config: PreprocessConfig, seen: Seen) -> FeaturePlan:
    match seen.role:
        case "dropped":
            return DroppedPlan(reason="left out by the settings")
        case "image":
            factor, offset = _image_scale(config.image_scale, feature)
            size = None if own.size in (None, feature.shape[:2]) else own.size
            return ImagePlan(size=size, factor=factor, offset=offset)
        case "category":
            return _category(own, config, seen.counts)
        case "calendar":
            return _calendar(feature, own, config, seen)
    if seen.moments.count == 0:
        return DroppedPlan(reason="no value in the training split")
    _refuse_infinite(name, seen.moments)
    if 0 < max(abs(seen.moments.low), abs(seen.moments.high)) < FLOAT32_TINY:
        return DroppedPlan(reason=f"every number is nearer to 0 than {FLOAT32_TINY:.2g}, which float32 holds as 0")
    match seen.role:
        case "tensor":
            mean, variance = np.atleast_1d(seen.moments.mean), _usable(np.atleast_1d(seen.moments.variance))
            return TensorPlan(mean=tuple(mean.tolist()), variance=tuple(variance.tolist()))
        case "buckets":
            return _buckets(feature, own, config, seen)
        case _:
            return _number(feature, own, config, seen)


def _image_scale(scale: str, feature: Feature) -> tuple[float, float]:
    """Factor and offset that bring the pixels 0 .. ``max`` of the contract into the range asked for."""
    brightest = feature.max or BRIGHTEST
    return {"unit": (1 / brightest, 0.0), "signed": (2 / brightest, -1.0), "none": (1.0, 0.0)}[scale]


def _category(own: FeatureSettings, config: PreprocessConfig, counts: ValueCounts) -> FeaturePlan:
    minimum = own.min_frequency or config.min_frequency
    frequent = counts.most_frequent(minimum, own.max_vocabulary or config.max_vocabulary)
    values = tuple(v for v in frequent if v not in (UNKNOWN_TEXT, NO_INTEGER, MISSING_INT) and "\0" not in str(v))
    if not values:
        return DroppedPlan(reason=f"no value occurs in at least {minimum} training rows")
    output = _output(own, config, len(values))
    return CategoryPlan(values=values, output=output, approximate=counts.approximate)


def _output(own: FeatureSettings, config: PreprocessConfig, known: int) -> Output:
    if own.encode in ("one_hot", "embedding"):
        return own.encode
    return "one_hot" if known <= config.one_hot_up_to else "embedding"


def _buckets(feature: Feature, own: FeatureSettings, config: PreprocessConfig, seen: Seen) -> FeaturePlan:
    origin = _origin(feature, seen.moments)
    inner = np.linspace(0, 1, own.buckets + 1)[1:-1]
    edges = np.unique((seen.quantiles.at(inner) - origin).astype(np.float32))
    edges = edges[edges > np.float32(seen.moments.low - origin)]
    if edges.size == 0:
        return DroppedPlan(reason="one value only, nothing to divide into buckets")
    boundaries = tuple(edges.astype(np.float64).tolist())
    return BucketPlan(boundaries=boundaries, origin=origin, output=_output(own, config, len(boundaries) + 1))


def _calendar(feature: Feature, own: FeatureSettings, config: PreprocessConfig, seen: Seen) -> FeaturePlan:
    """The parts that vary; all but the first without an indicator.

    The moment itself is a share of the training moments, so that later ones count as the last, and no trend goes on.
    """
    parts: dict[CalendarPart, NumberPlan] = {}
    for part, one in seen.parts.items():
        if one.moments.count and one.moments.low < one.moments.high:
            bounded = own.model_copy(update={"scale": "quantile"}) if part == "moment" else own
            number = _number(feature, bounded, config, one)
            parts[part] = number.model_copy(update={"indicator": number.indicator and not parts})
    if not parts:
        return DroppedPlan(reason="no moment that varies in the training split")
    return CalendarPlan(parts=parts)


def _number(feature: Feature, own: FeatureSettings, config: PreprocessConfig, seen: Seen) -> NumberPlan:
    indicator = config.missing_indicator and feature.nullable and seen.moments.missing > 0
    plan = _unshared(feature, own, seen, indicator)
    if not config.shares or plan.knots or len(seen.quantiles.values) < 3:
        return plan
    knots, shares = _knots(seen.quantiles, plan.origin)
    if len(knots) < 2:
        return plan
    return plan.model_copy(update={"knots": knots, "shares": shares})


def _unshared(feature: Feature, own: FeatureSettings, seen: Seen, indicator: bool) -> NumberPlan:
    """The plan of a number by its scale alone."""
    if own.scale == "log1p":
        return _scaled("log1p", 0, float(seen.logs.mean), float(seen.logs.variance), indicator)
    origin = _origin(feature, seen.moments)
    low, high = seen.moments.low - origin, seen.moments.high - origin
    if own.scale == "none" or (own.scale == "quantile" and low == high):
        return NumberPlan(scale="none", origin=origin, mean=0.0 if own.scale == "none" else low, variance=1.0,
                          indicator=indicator)  # fmt: skip
    if own.scale == "minmax":
        return _scaled("minmax", origin, (low + high) / 2, ((high - low) / 2) ** 2, indicator)
    if own.scale == "quantile":
        knots, shares = _knots(seen.quantiles, origin)
        return NumberPlan(scale="quantile", origin=origin, mean=0.5, variance=0.25, knots=knots, shares=shares,
                          indicator=indicator)  # fmt: skip
    return _scaled("standard", origin, float(seen.moments.mean) - origin, float(seen.moments.variance), indicator)


def _scaled(
    scale: Literal["standard", "minmax", "log1p"], origin: int, mean: float, variance: float, indicator: bool
) -> NumberPlan:
    """Centre and width, brought into the range of float32 by a power of two where they are far from 1."""
    usable = float(_usable(np.array(variance), mean))
    exponent = round(math.log2(math.sqrt(usable)))
    factor = 1.0 if abs(exponent) < 16 else 2.0**-exponent
    return NumberPlan(scale=scale, origin=origin, factor=factor, mean=mean * factor,
                      variance=usable * factor * factor, indicator=indicator)  # fmt: skip


def _usable(variance: np.ndarray, mean: float = 0.0) -> np.ndarray:
    """1 in place of a variance that is 0 up to rounding: a value that never varied is not blown up when it does."""
    return np.where(variance <= 1e-14 * mean * mean, 1.0, variance)


def _origin(feature: Feature, moments: Moments) -> int:
    large = max(abs(moments.low), abs(moments.high)) >= EXACT_IN_FLOAT32
    return round(float(moments.mean)) if large and raw_input(feature).dtype == "int64" else 0


def _knots(quantiles: Quantiles, origin: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Distinct float32 knots and the cumulative share at each; a value that fills several steps gets their middle."""
    shares = np.linspace(0, 1, QUANTILE_STEPS + 1)
    values = (quantiles.at(shares) - origin).astype(np.float32)
    values = np.where(np.abs(values) < FLOAT32_TINY, np.float32(0), values)
    knots, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.bincount(where, weights=shares) / counts
    return tuple(knots.astype(np.float64).tolist()), tuple(middle.tolist())


def _refuse_infinite(name: str, moments: Moments) -> None:
    extreme = moments.high if abs(moments.high) >= abs(moments.low) else moments.low
    if abs(extreme) <= FLOAT32_MAX:
        return
    raise DataInvalid(
        f"{name!r} holds {extreme!r} in the training split",
        f"numbers that a float32 can hold, up to {FLOAT32_MAX:.2g}",
        "correct the rows, or give the feature a min and max so that validation finds them",
        [{"split": "train", "column": name, "rule": "finite float32", "severity": "critical", "unexpected": None,
          "checked": moments.count, "samples": [str(extreme)]}],
    )  # fmt: skip
