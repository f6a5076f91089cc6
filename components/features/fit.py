"""Fit a transform: one pass over the training shards, each feature looked at by its kind."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from kilnworks.components.features.derived.settings import refuse_names
from kilnworks.components.features.encoded import keras_name
from kilnworks.components.features.kinds.base import Observer
from kilnworks.components.features.kinds.choice import kind_of
from kilnworks.components.features.kinds.dropped import DroppedPlan
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataUnreadable, UnknownName

BATCH_ROWS = 1 << 18


def fit_plan(contract: Contract, files: Sequence[Path], config: PreprocessConfig) -> TransformPlan:
    """See ``FeatureTransform.fit``."""
    observers = _observers(contract, config)
    looked = [name for name, observer in observers.items() if observer.reads]
    rows = sum(_look(batch, observers) for batch in batches(files, looked))
    if rows == 0:
        raise DataUnreadable("the training split has no rows", "at least one row", "check the split and its source")
    features: dict[str, Any] = {name: observer.plan() for name, observer in observers.items()}
    plan = TransformPlan(contract=contract, rows=rows, features=features, shares=config.shares)
    if not plan.encoded and contract.series is None:
        reasons = "; ".join(f"{n}: {p.reason}" for n, p in features.items() if isinstance(p, DroppedPlan))
        raise DataUnreadable(f"no feature is left to learn from ({reasons})", "at least one", "check data and settings")
    return _with_derived(plan, files, config)


def _with_derived(plan: TransformPlan, files: Sequence[Path], config: PreprocessConfig) -> TransformPlan:
    """The plan with what is made of several features, which are looked at once more."""
    if not config.derived:
        return plan
    from kilnworks.components.features.derived.fit import fit_derived

    return plan.model_copy(update={"derived": fit_derived(plan, files, config.derived)})


def _observers(contract: Contract, config: PreprocessConfig) -> dict[str, Observer]:
    """What looks at each feature, in the order of the contract."""
    for name in config.features:
        if name not in contract.features:
            raise UnknownName("feature", name, contract.features)
    refuse_names(config.derived, contract)
    names = [keras_name(n) for n in contract.features]
    if len(set(names)) < len(names):
        raise ConfigError("two features differ only in '/' and '|'", "names that Keras can tell apart", "rename one")
    kinds = {
        name: kind_of(name, feature, config.features.get(name, FeatureSettings()), config)
        for name, feature in contract.features.items()
    }
    return {name: kind.observer(name, contract.features[name]) for name, kind in kinds.items()}


def batches(files: Sequence[Path], columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
    """Some columns of Parquet shards in order, in frames of at most ``rows``; without columns frames of zeros.

    A column that a shard lacks is left out: who uses it says so in words of its own. Polars reads the row groups that
    a frame needs, for less than half of what pyarrow's batches take as frames (decision 368). Each column is one piece
    of memory, so that sums are added in the same order wherever row groups end.
    """
    for path in files:
        shard = pl.scan_parquet(path, glob=False)
        height = int(shard.select(pl.len()).collect().item())
        if not columns:
            yield pl.select(pl.repeat(0, height))
            continue
        held = shard.collect_schema()
        there = [name for name in dict.fromkeys(columns) if name in held]
        for start in range(0, height, rows):
            yield shard.select(there).slice(start, rows).collect().rechunk()


def _look(batch: pl.DataFrame, observers: Mapping[str, Observer]) -> int:
    """Show a batch to all; returns its number of rows."""
    for name, observer in observers.items():
        if observer.reads:
            observer.look(batch[name])
    return batch.height
