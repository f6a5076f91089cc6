"""How far one set of rows has moved from another, feature by feature and all together, as plain values.

::

    {"new": "test", "reference": "train", "rows": {"new": n, "reference": n}, "thresholds": {}, "drifted": [names],
     "features": [{"feature", "kind", "statistics", "log_p", "beyond", "score", "bins", "new", "reference"}, ...],
     "domain": {"auc", "log_p", "telling": [[name, fall]], "drifted"} or null}
"""

from __future__ import annotations

import json
import math
from typing import Any

import polars as pl

from kilnworks.components.quality.drift.compare import FeatureDrift, compare
from kilnworks.components.quality.drift.domain_classifier import domain_classifier
from kilnworks.components.quality.drift.text_traits import traits, with_traits
from kilnworks.components.quality.rows.batches import Rows
from kilnworks.components.quality.stats.summary import Summary, summarise
from kilnworks.components.sketches.counts import ValueCounts
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.reference import DriftThresholds

FILE = "drift.json"
ROWS = 50_000
"""Rows of either side that are compared by default, evenly spread over all."""


def thresholds_of(contract: Contract) -> DriftThresholds:
    """From where drift counts: what the contract says, else what it was inferred with, else the defaults."""
    inferred = contract.reference.drift if contract.reference else DriftThresholds()
    return contract.drift or inferred


def advancing(contract: Contract) -> frozenset[str]:
    """Features that move on from file to file, so that another level is no drift."""
    return frozenset(n for n, f in contract.features.items() if f.advances is not None)


def moved(
    new: Rows,
    reference: Rows,
    contract: Contract,
    names: tuple[str, str],
    *,
    rows: int = ROWS,
    classifier: bool = False,
    with_label: bool = True,
) -> dict[str, Any]:
    """Compare two sets of rows.

    Args:
        new: the rows that may have moved.
        reference: those that they are compared with.
        contract: of both; it holds the thresholds.
        names: what the two are called.
        rows: most rows of either side.
        classifier: whether a small model is to try to tell the two apart; takes seconds.
        with_label: whether the label is compared too; what is served has none.
    """
    here, there = sample(new, contract, rows, with_label), sample(reference, contract, rows, with_label)
    here, there = traits(here, there, contract)
    contract = with_traits(contract)
    compared = _contract_a_class(contract)
    before = summarise(there, compared)
    now = summarise(here, compared, like=before)
    limits = thresholds_of(contract)
    found = compare(now, before, limits, advancing(contract))
    domain = _domain(here, there, contract, limits) if classifier else None
    drifted = [one.feature for one in found if one.drifted]
    return {
        "new": names[0],
        "reference": names[1],
        "rows": {"new": here.height, "reference": there.height},
        "thresholds": limits.limits(),
        "drifted": drifted,
        "features": [_record(one, before, contract) for one in found],
        "domain": domain,
    }


def sample(rows: Rows, contract: Contract, most: int, with_label: bool) -> pl.DataFrame:
    """Scalar features, and the label, of rows spread evenly over all."""
    label = contract.label.name if contract.label and with_label else None
    scalars = [name for name, feature in contract.features.items() if not feature.shape]
    names = [name for name in [*scalars, *([label] if label else [])] if name in rows.schema]
    every = max(1, -(-rows.height // most))
    found = rows.thinned(names, every)
    return _a_column_a_class(found, contract) if label in names else found


def _a_column_a_class(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """A label of many classes as one of true and false a class: combinations are hardly ever the same."""
    label = contract.label
    if label is None or not label.several:
        return frame
    if label.boxes is not None:
        return frame.drop(label.name).with_columns(
            frame.get_column(label.name).str.contains(f"[{json.dumps(c, ensure_ascii=False)},", literal=True)
            .cast(pl.String).alias(f"{label.name}: {c}")
            for c in label.classes or ()
        )  # fmt: skip
    each = frame.get_column(label.name).str.split(label.separator)
    columns = [each.list.contains(str(c)).cast(pl.String).alias(f"{label.name}: {c}") for c in label.classes or ()]
    return frame.drop(label.name).with_columns(columns)


def _contract_a_class(contract: Contract) -> Contract:
    """The contract of ``_a_column_a_class``."""
    label = contract.label
    if label is None or not label.several:
        return contract
    columns = {f"{label.name}: {c}": Feature(dtype="string") for c in label.classes or ()}
    return contract.model_copy(update={"features": {**contract.features, **columns}, "label": None})


def _record(one: FeatureDrift, before: Summary, contract: Contract) -> dict[str, Any]:
    """Plain finite values; the bins of a sensitive feature are only numbered."""
    feature = contract.features.get(one.feature)
    record = one.record()
    if feature is not None and feature.sensitive:
        record["bins"] = [f"bin {i + 1}" for i in range(len(one.bins))]
    record["kind"] = "category" if isinstance(before[one.feature], ValueCounts) else "number"
    record["score"] = min(one.score, 1e6)
    record["log_p"] = {name: max(value, -1e6) for name, value in one.log_p.items()}
    return record


def _domain(
    here: pl.DataFrame, there: pl.DataFrame, contract: Contract, limits: DriftThresholds
) -> dict[str, Any] | None:
    """What the domain classifier says; it sees neither the label nor what advances by itself. None with few rows."""
    names = [n for n in contract.features if n in here.columns and n in there.columns and n not in advancing(contract)]
    if not names or min(here.height, there.height) < 20:
        return None
    found = domain_classifier(here.select(names), there.select(names))
    beyond = found.auc >= limits.domain_classifier and found.log_p <= math.log10(limits.significance)
    return {
        "auc": found.auc,
        "log_p": max(float(found.log_p), -1e6),
        "telling": [list(pair) for pair in found.telling],
        "drifted": bool(beyond),
    }
