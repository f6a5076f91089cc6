"""``contract check`` for images: a folder of classes, a table that names files, or encoded images in a table."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kilnworks.components.quality.expectations.outcome import Outcome
from kilnworks.components.quality.expectations.rule import WHOLE
from kilnworks.components.quality.expectations.rules import rules_of
from kilnworks.components.quality.expectations.run_gx import check_splits
from kilnworks.components.quality.expectations.sample_rows import sample_rows
from kilnworks.components.quality.expectations.suite import compile_suite
from kilnworks.components.quality.rows.batches import Rows, rows_of_files
from kilnworks.components.quality.screening.probes.evidence import Failure
from kilnworks.components.sources import (
    ImageFolderSource,
    ImageListSource,
    JsonLinesSource,
    NpzSource,
    ParquetSource,
    Wanted,
)
from kilnworks.components.sources.base import Source
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.shards import ShardWriter
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid

BATCH = "batch"
"""What the rows are called beside the splits of a pipeline."""
ROWS_PER_SHARD = 10_000


def check_images(contract: Contract, path: Path) -> tuple[int, list[Failure], int]:
    """Rows, broken rules, and how many rules were checked.

    The rules are those of the suite; that a batch holds every class is not asked.

    Raises:
        DataUnreadable: no images are there, or some are broken.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = _stored(_source(contract, path), contract, Path(folder))
            return rows.height, *_judged(rows, contract)
    except DataInvalid as error:
        found = [Failure(f["column"], f["rule"], f["severity"], error.got) for f in error.details["failures"]]
        return 0, found, len(found)


def _source(contract: Contract, path: Path) -> Source:
    image = next(name for name, feature in contract.features.items() if feature.dtype == "image")
    label = contract.label.name if contract.label else "label"
    file = contract.key or "file"
    if path.is_dir():
        return ImageFolderSource(path=str(path), image=image, label=label, file=file)
    kinds = {".parquet": ParquetSource, ".pq": ParquetSource, ".jsonl": JsonLinesSource, ".npz": NpzSource}
    kind = kinds.get(path.suffix.lower())
    return kind(path=str(path)) if kind else ImageListSource(path=str(path), file=file, image=image)


def _stored(source: Source, contract: Contract, folder: Path) -> Rows:
    """All rows in files, so that memory stays bounded."""
    writer = ShardWriter(folder, BATCH, ROWS_PER_SHARD)
    wanted = Wanted(contract_columns(contract), any_extra=True)
    for part in source.splits() or (None,):
        for frame in source.frames(wanted, part):
            writer.add(frame)
    return rows_of_files([folder / file for file in writer.close()["files"]], contract)


def _judged(rows: Rows, contract: Contract) -> tuple[list[Failure], int]:
    rules = [rule for rule in rules_of(contract) if not rule.name.endswith(": every class")]
    suites = {n: compile_suite(n, [rule for rule in rules if rule.applies_to(n)]) for n in (BATCH, WHOLE)}
    outcomes = [o for one in check_splits({BATCH: rows}, contract, suites) for o in one.outcomes]
    broken = sorted((o for o in outcomes if not o.success), key=lambda o: o.severity != "critical")
    shown = sample_rows(broken, {BATCH: rows}, contract)
    return [_failure(one, shown, contract) for one in broken], len(outcomes)


def _failure(one: Outcome, shown: Sequence[dict[str, Any]], contract: Contract) -> Failure:
    """The rule, what was seen, and the keys and places (from 1) of the first rows that break it."""
    same = [s for s in shown if (s["column"], s["rule"]) == (one.column, one.text)]
    rows = [row for s in same for row in s["rows"]]
    place = same[0]["names"].index(contract.key) if same and contract.key in same[0]["names"] else None
    keys = [str(row["cells"][place]) for row in rows] if place is not None else []
    counts = f"{one.unexpected} of {one.checked} rows" if one.unexpected else one.line()
    seen = f"{counts}: {', '.join(keys)}" if keys else counts
    return Failure(one.column, one.text, one.severity, seen, "", tuple(row["row"] + 1 for row in rows))
