"""recut: the rows of checked examples, cut anew: a fold of a cross-validation, or a share of the training rows.

It stands between the checks and the preprocessing, so whatever is learned from training rows is learned from those of
the fold alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilnworks.components.cutting.settings import AnyCut, Fold, Share
from kilnworks.schemas.artifacts import CheckedExamples
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError, DataInvalid
from kilnworks.schemas.files import link_or_copy, write_json
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

POOL = ("train", "val")
"""Splits whose rows are cut anew."""


class RecutConfig(Config):
    """How the rows are cut anew."""

    cut: AnyCut


def recut(config: RecutConfig, examples: CheckedExamples, out: Path) -> CheckedExamples:
    """Write the rows of the new splits; rows keep their order.

    Raises:
        ConfigError: the contract lacks the column of the groups or the time, or has no classes where they are needed.
        DataInvalid: too few rows, groups or moments for the folds, or a part of a fold has one class.
    """
    cut = config.cut
    if isinstance(cut, Share):
        places, kept = _share(cut, examples), [name for name in examples.splits if name != "train"]
        splits = {
            **_written(examples, ("train",), places, out),
            **{name: _linked(examples, name, out) for name in kept},
        }
        splits = {name: splits[name] for name in examples.splits}
    else:
        splits = _written(examples, _pool(examples), _fold(cut, examples), out)
    contract = examples.contract.model_dump(mode="json")
    write_json(out / "examples.json", {"contract": contract, "splits": splits})
    return CheckedExamples(out)


def _pool(examples: CheckedExamples) -> tuple[str, ...]:
    return tuple(name for name in POOL if name in examples.splits)


def _share(cut: Share, examples: CheckedExamples) -> dict[str, NDArray[np.int64]]:
    import numpy as np

    rows = examples.rows("train")
    wanted = max(1, round(cut.share * rows))
    if examples.contract.series is not None:
        moments = _moments(examples, str(examples.contract.time), ("train",))
        return {"train": np.flatnonzero(moments >= np.sort(moments)[rows - wanted])}
    drawn = np.random.default_rng(cut.seed).permutation(rows)[:wanted]
    return {"train": np.sort(drawn)}


def _fold(cut: Fold, examples: CheckedExamples) -> dict[str, NDArray[np.int64]]:
    """Places of the rows of each split among all rows of the pool."""
    import numpy as np

    from kilnworks.components.cutting.folds import folds_of, refuse_one_class

    units, classes = _units(cut, examples), _classes(examples)
    if cut.by == "stratified" and classes is None:
        raise ConfigError("stratified folds of rows without classes", "a label with classes", "use --by plain")
    parts: dict[str, NDArray[np.int64]] = {}
    pool = np.arange(len(units))
    if cut.outer is not None:
        pool, parts["test"] = folds_of(cut.by, cut.outer, cut.seed, units, classes)[cut.outer_fold]
    inside = None if classes is None else classes[pool]
    train, val = folds_of(cut.by, cut.folds, cut.seed, units[pool], inside)[cut.fold]
    parts = {"train": pool[train], "val": pool[val], **parts}
    if classes is not None and examples.contract.label is not None and examples.contract.label.learned:
        refuse_one_class(classes, parts, f"fold {cut.fold + 1} of {cut.folds} ({cut.by})")
    return parts


def _units(cut: Fold, examples: CheckedExamples) -> NDArray[Any]:
    """What stays together, [N]: group, moment, key (of tiles, their photograph), or the content of the row."""
    import numpy as np

    from kilnworks.components.sources.splitting.hashing import CopyNumbers, hash_each, salted, whole_photographs

    contract = examples.contract
    if cut.column is not None and cut.column not in contract.columns:
        raise ConfigError(
            f"folds by column {cut.column!r}, which contract {contract.name!r} lacks",
            f"one of {listed(contract.columns)}",
            "name a column of the contract",
        )
    if cut.by == "time":
        return _moments(examples, str(cut.column), _pool(examples))
    name = cut.column or contract.key
    columns = [name] if name else list(contract.columns)
    frames = (whole_photographs(frame, contract) for frame in _frames(examples, columns, _pool(examples)))
    copies = CopyNumbers() if cut.copies == "apart" and not name else None
    units = []
    for frame in frames:
        hashes = hash_each(frame, columns)
        numbered = [] if copies is None else [copies.of(hashes)]
        units.append(salted([*hashes, *numbered], frame.height, 0))
    return np.concatenate(units)


def _moments(examples: CheckedExamples, column: str, splits: tuple[str, ...]) -> NDArray[Any]:
    """The time of each row of some splits, [N]. Raises ``DataInvalid`` where one has none."""
    import polars as pl

    moments = pl.concat([frame.get_column(column).to_physical() for frame in _frames(examples, [column], splits)])
    missing = moments.null_count() + (int(moments.is_nan().sum()) if moments.dtype.is_float() else 0)
    if missing:
        raise DataInvalid(
            f"folds by time, and {missing} rows have no {column!r}",
            "a time in every row",
            "fill it, or leave these rows out",
        )
    return moments.to_numpy()


def _classes(examples: CheckedExamples) -> NDArray[Any] | None:
    """The class of each row of the pool, [N] texts; None where a row has none, or any number of them."""
    import numpy as np
    import polars as pl

    label = examples.contract.label
    if label is None or label.classes is None or label.several:
        return None
    return np.concatenate(
        [f.get_column(label.name).cast(pl.String).to_numpy() for f in _frames(examples, [label.name], _pool(examples))]
    ).astype(str)


def _frames(examples: CheckedExamples, columns: list[str], splits: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    """Some columns of some splits, shard by shard."""
    import polars as pl

    for split in splits:
        for file in examples.files(split):
            yield pl.read_parquet(file, columns=columns, glob=False)


def _written(
    examples: CheckedExamples, sources: tuple[str, ...], places: dict[str, NDArray[np.int64]], out: Path
) -> dict[str, Any]:
    """Write rows by their places, shard after shard."""
    import polars as pl

    from kilnworks.components.sources.columns import contract_columns
    from kilnworks.components.sources.shards import ShardWriter, shard_rows

    most = shard_rows(contract_columns(examples.contract).values())
    writers = {split: ShardWriter(out, split, most) for split in places}
    begin = 0
    for file in (file for split in sources for file in examples.files(split)):
        frame = pl.read_parquet(file, glob=False)
        for split, rows in places.items():
            inside = rows[(rows >= begin) & (rows < begin + frame.height)] - begin
            writers[split].add(frame[inside])
        begin += frame.height
    return {split: writer.close() for split, writer in writers.items()}


def _linked(examples: CheckedExamples, split: str, out: Path) -> dict[str, Any]:
    """The shards of a split that stays."""
    (out / split).mkdir()
    names = []
    for file in examples.files(split):
        link_or_copy(file, out / split / file.name)
        names.append(f"{split}/{file.name}")
    return {"rows": examples.rows(split), "files": names}
