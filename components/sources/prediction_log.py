"""What a model was asked, read from the server's prediction log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.paths import find_files
from kilnworks.schemas.dates import DateFormat
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.wire import MISSING_INT

if TYPE_CHECKING:
    import polars as pl

LENGTH_BYTES, CHECK_BYTES = 8, 4


@dataclass(frozen=True)
class Sampled:
    """What a log holds of what a server was asked.

    Attributes:
        requests: Predict requests in it; a server logs whole requests, whatever their number of rows.
        stand_for: about how many were asked, by the sampling rate in each record; None where one tells no rate.
    """

    requests: int
    stand_for: int | None

    def words(self) -> str:
        """The share and the counts, in a sentence; empty where every request was logged."""
        if self.stand_for is None:
            return f"the log holds {self.requests:,} requests and does not say what share of all requests that is"
        if self.stand_for <= self.requests:
            return ""
        return (
            f"the log holds {self.requests:,} of about {self.stand_for:,} requests, taken by chance at a rate of "
            f"{self.requests / self.stand_for:.2g} of requests (not of rows); "
            "serve --prediction_log_sampling_rate changes it"
        )


class PredictionLogSource(Source):
    """TFRecord files of ``PredictionLog`` records, as ``--prediction_log_dir`` writes them; Predict requests only."""

    kind: Literal["prediction_log"] = "prediction_log"
    path: str
    """A file, or the folder of the log."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The finished files, sorted by name; one that is being written starts with a dot.

        Raises:
            DataUnreadable: there is none; says so where the first one is still being written.
        """
        if list(Path(self.path).glob(".*.partial")) and not list(Path(self.path).rglob("[!.]*.tfrecord")):
            raise DataUnreadable(
                f"the first file of the log {self.path} is still being written",
                "a finished one",
                "wait some minutes, or stop the server",
            )
        return [file for file in find_files(self.path, (".tfrecord",)) if not file.name.startswith(".")]

    def column_names(self, split: str | None = None) -> list[str]:
        """Names of the inputs of the first request."""
        return list(next(self._requests()))

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Requests, several at a time, with what means "missing" in a request as null."""
        import polars as pl

        waiting: list[pl.DataFrame] = []
        rows = 0
        for request in self._requests():
            waiting.append(
                pl.DataFrame([_series(n, request[n], wanted.columns[n].dtype) for n in names if n in request])
            )
            rows += waiting[-1].height
            if rows >= wanted.batch_rows:
                yield pl.concat(waiting)
                waiting, rows = [], 0
        if waiting:
            yield pl.concat(waiting)

    def sampled(self) -> Sampled:
        """How many requests the log holds, and for about how many they stand."""
        rates = [float(record.log_metadata.sampling_config.sampling_rate) for record in self._logged()]
        told = [rate for rate in rates if 0 < rate <= 1]
        stand_for = sum(1 / rate for rate in told) if len(told) == len(rates) else None
        return Sampled(len(rates), None if stand_for is None else round(stand_for))

    def _requests(self) -> Iterator[dict[str, Any]]:
        """Arrays by input of every Predict request."""
        from kilnworks.components.serving.client import our_errors, tensors

        for record in self._logged():
            inputs = record.predict_log.request.inputs
            with our_errors():
                arrays = {name: tensors.from_proto(inputs[name]) for name in inputs}
            yield arrays

    def _logged(self) -> Iterator[Any]:
        """The record of every Predict request. Raises ``DataUnreadable`` where there is none."""
        from kilnworks_client import messages

        found = False
        for file in self.files():
            for data in _records(file):
                record = messages.PredictionLog.FromString(data)
                if record.WhichOneof("log_type") == "predict_log":
                    found = True
                    yield record
        if not found:
            raise DataUnreadable(
                f"{self.path} holds no Predict request", "at least one", "wait for requests, or raise the sampling rate"
            )


def _records(file: Path) -> Iterator[bytes]:
    """The records of a TFRecord file: length, its check, data, its check."""
    with file.open("rb") as handle:
        while head := handle.read(LENGTH_BYTES + CHECK_BYTES):
            size = int.from_bytes(head[:LENGTH_BYTES], "little")
            data = handle.read(size + CHECK_BYTES)
            if len(head) < LENGTH_BYTES + CHECK_BYTES or len(data) < size + CHECK_BYTES:
                raise DataUnreadable(f"{file} is cut off", "a whole TFRecord file", "copy it again")
            yield data[:size]


def _series(name: str, values: Any, dtype: str) -> pl.Series:
    """One input as a column in a form that the contract's dtype can be read from."""
    import numpy as np
    import polars as pl

    from kilnworks.components.dates.reading import read_dates

    if values.dtype.kind in "OSU":
        texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values.reshape(-1)]
        return pl.Series(name, texts, dtype=pl.String).replace("", None)
    flat = values.reshape(len(values), -1) if values.ndim > 1 else values
    series = pl.Series(name, np.ascontiguousarray(flat))
    if dtype == "datetime":
        return read_dates(series.cast(pl.Int64).replace(MISSING_INT, None), DateFormat(format="epoch s"))
    return series.replace(MISSING_INT, None) if dtype == "int" and series.dtype == pl.Int64 else series
