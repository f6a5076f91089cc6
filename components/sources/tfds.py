"""Rows from a TensorFlow Datasets builder that is prepared on disk (or can be downloaded)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from kilnworks.components.sources.base import Source, Wanted, fingerprint_files
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.paths import local
from kilnworks.components.sources.splitting.splits import NAMES
from kilnworks.components.sources.tfds_folders import DEFAULT, INFO, VARIABLE, default_data_dir, full_name
from kilnworks.schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import polars as pl


Part = Literal["train", "val", "test"]


class TfdsSource(Source):
    """A data set by its name in TensorFlow Datasets. Its splits are kept: goes with ``split: AsGiven``.

    Read by ``as_dataset`` in batches, so tfrecord files; the parquet format of tensorflow-datasets loses rows and is
    refused. After reading, the rows are counted against the builder's own count. Images of another shape than the
    contract's, or of several, are decoded and resized as files are.
    """

    location_fields: ClassVar[tuple[str, ...]] = ("data_dir",)

    kind: Literal["tfds"] = "tfds"
    name: str
    """Name, optionally with config and version: ``mnist`` or ``my_set/plain:1.0.0``."""
    data_dir: str | None = None
    """Where prepared data sets lie, or the prepared folder of one version itself, with its ``dataset_info.json``; by
    default ``$TFDS_DATA_DIR``, and ``~/tensorflow_datasets`` where that is not set."""
    parts: dict[Part, str] | None = Field(default=None, min_length=1)
    """Our split -> split of the data set; slices such as ``train[:90%]`` are allowed. By default those that are named
    train, validation or test; where none is, all of the data set is ``train``."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Feature of the data set -> column of the contract, where the names differ."""
    download: bool = False
    """Whether to fetch and prepare the data set where it is not on disk; needs a network."""

    def __str__(self) -> str:
        """Name and folder, for messages."""
        return f"data set {self.name} in {self.folder()}"

    def folder(self) -> Path:
        """Where the data set is looked for."""
        return local(self.data_dir or default_data_dir())

    def files(self) -> list[Path]:
        """The prepared files with the metadata beside them."""
        return sorted(p for p in Path(self.builder().data_dir).iterdir() if p.is_file())

    def fingerprint(self) -> str:
        """SHA-256 of the data files; metadata counts without download sizes and dates."""
        builder = self.builder()
        data = [p for p in self.files() if p.suffix not in (".json", ".txt")]
        features = json.dumps(builder.info.features.to_json(), sort_keys=True, default=str)
        return hashlib.sha256((fingerprint_files(data) + features).encode()).hexdigest()

    def splits(self) -> tuple[str, ...]:
        """Our splits that the data set gives."""
        have = self._parts(self.builder()) if self.parts is None else self.parts
        return tuple(name for name in ("train", "val", "test") if name in have)

    def column_names(self, split: str | None = None) -> list[str]:
        """The top-level features, renamed."""
        return [self.columns.get(name, name) for name in self._features(self.builder())]

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Batches of a split. Raises ``DataUnreadable`` where fewer or more rows come than the builder counts."""
        import polars as pl

        builder = self.builder()
        theirs = self._parts(builder)[split or "train"]  # type: ignore[index]
        features = {self.columns.get(name, name): name for name in self._features(builder)}
        expected, seen = self._expected(builder, theirs), 0
        columns = {features[name]: wanted.columns[name] for name in names}
        encoded = [n for n, f in builder.info.features.items() if _stays_encoded(f, columns.get(n))]
        for batch in self._numpy_batches(builder, theirs, wanted.batch_rows, encoded):
            frame = pl.DataFrame(
                [_series(name, batch[features[name]], builder.info.features[features[name]]) for name in names]
            )
            seen += frame.height
            yield frame
        if seen != expected:
            raise DataUnreadable(
                f"{self}: split {theirs!r} gave {seen} rows, its metadata counts {expected}",
                "every row that the metadata counts",
                "prepare the data set again, in tfrecord format",
            )

    def _parts(self, builder: Any) -> dict[Part, str]:
        if self.parts is not None:
            return self.parts
        named: dict[Part, str] = {NAMES[name]: name for name in builder.info.splits if name in NAMES}
        return named or {"train": "all"}

    def _numpy_batches(self, builder: Any, split: str, rows: int, encoded: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Batches by feature; images named in ``encoded`` as the bytes of their files."""
        import tensorflow as tf
        import tensorflow_datasets as tfds

        config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
        decoders = {name: tfds.decode.SkipDecoding() for name in encoded}
        data = builder.as_dataset(split=split, shuffle_files=False, read_config=config, decoders=decoders)
        try:
            yield from tfds.as_numpy(data.batch(rows))
        except tf.errors.OpError as error:
            raise DataUnreadable(
                f"{self}: {error.message}", "readable tfrecord files", "prepare the data set again"
            ) from None

    def _expected(self, builder: Any, split: str) -> int:
        try:
            return int(builder.info.splits[split].num_examples)
        except (KeyError, ValueError) as error:
            have = ", ".join(builder.info.splits) or "none"
            raise DataUnreadable(
                f"{self} has no split {split!r} ({error})", f"one of {have}", "correct `parts`"
            ) from None

    def _features(self, builder: Any) -> list[str]:
        import tensorflow_datasets as tfds

        if not isinstance(builder.info.features, tfds.features.FeaturesDict):
            raise DataUnreadable(
                f"{self} has no named features", "a data set of named features", "use another data set"
            )
        return list(builder.info.features)

    def builder(self) -> Any:
        """The prepared builder; downloads only where ``download`` says so."""
        import tensorflow_datasets as tfds

        folder = self.folder()
        if not self.download and not folder.is_dir():
            raise DataUnreadable(
                f"no file or folder {folder} for data set {self.name}",
                f"prepared data sets in `data_dir`, in ${VARIABLE} or in {DEFAULT}",
                "say where they lie, or set `download: true` where a network exists",
            )
        builder = self._find(folder)
        if builder.info.file_format == tfds.core.FileFormat.PARQUET:
            raise DataUnreadable(
                f"{self} is prepared in parquet format, from which tensorflow-datasets drops rows",
                "a data set in tfrecord format",
                "prepare it again",
            )
        if self.download:
            builder.download_and_prepare()
        return builder

    def _inside(self, folder: Path) -> Any:
        """The builder of a prepared folder, which must be that of the named data set."""
        import tensorflow_datasets as tfds

        found = full_name(folder)
        if found != self.name.partition(":")[0]:
            raise DataUnreadable(f"{self}: the folder holds {found}", self.name, "correct `name` or `data_dir`")
        return tfds.core.load.read_only_builder.builder_from_directory(folder)

    def _find(self, folder: Path) -> Any:
        import tensorflow_datasets as tfds

        try:
            if (folder / INFO).is_file():
                return self._inside(folder)
            if self.download:
                return tfds.builder(self.name, data_dir=folder)
            return tfds.core.load.read_only_builder.builder_from_files(self.name, data_dir=folder)
        except (tfds.core.DatasetNotFoundError, FileNotFoundError, ValueError) as error:
            have = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
            reason = str(error).partition("\n")[0]
            raise DataUnreadable(
                f"{self}: not prepared there ({reason})",
                f"one of {', '.join(have)}" if have else "a prepared data set",
                "correct `name` or `data_dir`, or set `download: true` where a network exists",
            ) from None


def _stays_encoded(feature: Any, column: Column | None) -> bool:
    """Whether images are left as files: nobody wants them, their shape varies, or it is not the wanted one."""
    import tensorflow_datasets as tfds

    fits = column is not None and (column.dtype != "image" or feature.shape == column.shape)
    return isinstance(feature, tfds.features.Image) and not fits


def _series(name: str, values: Any, feature: Any) -> pl.Series:
    """One batch of a feature as a column: class labels as their names, text decoded, tensors flat."""
    import numpy as np
    import polars as pl
    import tensorflow_datasets as tfds

    if isinstance(feature, tfds.features.ClassLabel):
        texts = np.array([*feature.names, None], dtype=object)
        return pl.Series(name, texts[values].tolist(), dtype=pl.String)
    if values.dtype.kind in "OS" and isinstance(feature, tfds.features.Image):
        return pl.Series(name, values.tolist(), dtype=pl.Binary)
    if values.dtype.kind in "OS":
        return pl.Series(name, [value.decode("utf-8") for value in values.tolist()], dtype=pl.String)
    return pl.Series(name, np.ascontiguousarray(values.reshape(len(values), -1) if values.ndim > 1 else values))
