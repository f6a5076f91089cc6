"""Step 1: raw data in, Parquet shards of one form out, split into train, val and test.

Values pass as they are: what breaks a rule of the contract is found by ``validate``. Only what cannot be held in its
dtype, and columns that are missing or unknown, stop here.
"""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from kilnworks.components.sources import AnySource, AnySplit, ByHash, Source, Wanted
from kilnworks.components.sources.columns import Column, contract_columns
from kilnworks.components.sources.window import Window, in_window
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract, load_contract
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.files import write_json


class IngestConfig(Config):
    """Where the data lies, what it looks like, and how it is split."""

    contract: Contract
    """The contract, or the path of its YAML file."""
    source: AnySource
    """Where the raw data lies; ``kind`` is csv, parquet, jsonl, npz, tfds, sql, image_folder,
    image_list, environment or splits."""
    split: AnySplit = ByHash()
    """How rows find their split; ``kind`` is hash, time or given."""
    window: Window | None = None
    """Only rows whose time lies in it; ``{start, end}``. The contract names the time column. None: all rows."""
    check_in_database: bool = False
    """Whether an SQL source is checked against the contract inside its database before any row leaves it."""
    rows_per_shard: int = Field(default=1_000_000, ge=1)
    """Most rows of one Parquet shard; shards also stay below about 512 MB."""

    @field_validator("contract", mode="before")
    @classmethod
    def _contract_from_file(cls, value: Any) -> Any:
        return load_contract(value) if isinstance(value, str | Path) else value


def ingest(config: IngestConfig, out: Path) -> Examples:
    """Read the source once, in batches, and write each split's shards and ``examples.json``.

    Raises:
        DataUnreadable: the source is missing, empty or broken, or a value cannot be held in its dtype.
        DataInvalid: a column is missing, renamed or unknown; with ``check_in_database``, a critical rule is broken.
        UnknownName: a check of the contract names no expectation; said here, before anything is read.
    """
    from kilnworks.components.quality.expectations.expectation_names import refuse_unknown_checks
    from kilnworks.components.sources.shards import ShardWriter, shard_rows
    from kilnworks.components.sources.splitting.assign import make_assigner

    contract = config.contract
    refuse_unknown_checks(contract)
    if config.check_in_database:
        _check_in_database(config.source, contract, out)
    source = in_window(config.source, config.window, contract)
    wanted = Wanted(contract_columns(contract), frozenset(contract.ignore))
    assigner = make_assigner(config.split, contract, source, wanted)
    extra = {name: Column(name, "key") for name in assigner.extra_columns}
    asked = Wanted({**wanted.columns, **extra}, wanted.ignore)
    rows = shard_rows(wanted.columns.values(), config.rows_per_shard)
    writers = {split: ShardWriter(out, split, rows) for split in assigner.splits}
    for part in assigner.source_splits:
        for frame in source.frames(asked, part):
            for split, found in assigner.assign(frame, part).items():
                writers[split].add(found)
    splits = {split: writer.close() for split, writer in writers.items()}
    write_json(out / "examples.json", {"contract": contract.model_dump(mode="json"), "splits": splits})
    return Examples(out)


def _check_in_database(source: Source, contract: Contract, out: Path) -> None:
    """Write ``validation.json`` and ``data_docs`` of the table; raise ``DataInvalid`` for a broken critical rule."""
    from kilnworks.components.sources.sql import SqlSource

    if not isinstance(source, SqlSource):
        raise ConfigError(
            f"check_in_database with a source of kind {getattr(source, 'kind', '?')}",
            "a source of kind sql",
            "leave check_in_database out; the step `checked` checks every other source",
        )
    from kilnworks.components.quality.engines.sql import check_in_database, rows_checked
    from kilnworks.components.quality.expectations.data_docs import write_data_docs
    from kilnworks.components.quality.expectations.verdict import refuse_broken, report

    checked = check_in_database(source.url, source.query, contract)
    outcomes = [outcome for one in checked for outcome in one.outcomes]
    write_json(out / "validation.json", report(outcomes, contract, rows_checked(checked), "SQL"))
    write_data_docs(checked, contract, out / "data_docs")
    refuse_broken(outcomes, contract, 20)
