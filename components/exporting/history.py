"""What a forecast needs to go on from: the contract of the rows, and the last ones of each group."""

from __future__ import annotations

from pathlib import Path

from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.contract import dump_contract
from kilnworks.schemas.wire import HISTORY_FILE, SERIES_FILE


def write_history(saved_model: Path, examples: Examples) -> None:
    """Write both below ``assets.extra``; rows of all splits count, as far back as a window reaches."""
    import polars as pl

    contract = examples.contract
    assert contract.series is not None and contract.time is not None
    files = [file for split in examples.splits for file in examples.files(split)]
    rows = pl.scan_parquet(files, glob=False).select(contract.columns).collect()
    by = [contract.series.group] if contract.series.group else []
    ordered = rows.sort(*by, contract.time)
    last = ordered.group_by(by, maintain_order=True).tail(contract.series.window) if by else ordered.tail(
        contract.series.window
    )  # fmt: skip
    last.select(contract.columns).write_parquet(saved_model / HISTORY_FILE)
    (saved_model / SERIES_FILE).write_text(dump_contract(contract), encoding="utf-8")
