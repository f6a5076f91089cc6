"""Batching parameters: from the text proto to checked settings, common to all models or one model's own."""

import os
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from kilnworks.components.serving.errors import invalid_argument
from kilnworks.components.serving.settings.text_protos import read_text_proto
from kilnworks.schemas.errors import ConfigError

PER_MODEL_FILE = "batching_params.pbtxt"


@dataclass(frozen=True)
class BatchSettings:
    """How requests are put together; defaults are TensorFlow's.

    Attributes:
        max_batch_size: rows of one request, and of one batch, at most.
        timeout_seconds: how long the first request of a batch waits for companions, at most.
        max_enqueued_batches: batches that may wait, at least 1; further requests are refused.
        threads: batches of a model that run at a time; requests that run alone are none.
        allowed_sizes: a batch is filled up to the next of these, ascending, the last one is ``max_batch_size``.
        pad_variable_length: make inputs of different inner shapes equal by padding.
        split: cut requests that are larger than ``max_execution_size`` into parts.
        max_execution_size: rows of one run, at most.
    """

    max_batch_size: int = 1000
    timeout_seconds: float = 0.0
    max_enqueued_batches: int = 10
    threads: int = os.cpu_count() or 1
    allowed_sizes: tuple[int, ...] = ()
    pad_variable_length: bool = False
    split: bool = False
    max_execution_size: int = 1000

    def padded_size(self, rows: int) -> int:
        """The allowed size that a batch of so many rows is filled up to."""
        return next((size for size in self.allowed_sizes if size >= rows), rows) if self.allowed_sizes else rows


def batch_settings(proto: Any) -> BatchSettings:
    """Checked settings of a ``BatchingParameters`` proto.

    Raises: ServingError INVALID_ARGUMENT for values that do not fit together, as the load of a model fails for them.
    """

    def given(name: str, default: Any) -> Any:
        """The value of a field that may be left out."""
        return getattr(proto, name).value if proto.HasField(name) else default

    rows, split = given("max_batch_size", BatchSettings.max_batch_size), given("enable_large_batch_splitting", False)
    found = BatchSettings(
        max_batch_size=rows,
        timeout_seconds=given("batch_timeout_micros", 0) / 1e6,
        max_enqueued_batches=given("max_enqueued_batches", BatchSettings.max_enqueued_batches),
        threads=given("num_batch_threads", BatchSettings.threads),
        allowed_sizes=tuple(proto.allowed_batch_sizes),
        pad_variable_length=proto.pad_variable_length_inputs,
        split=split,
        max_execution_size=given("max_execution_batch_size", rows) if split else rows,
    )
    _check(found)
    return replace(found, max_enqueued_batches=max(1, found.max_enqueued_batches))


def _check(found: BatchSettings) -> None:
    if found.max_batch_size <= 0:
        raise invalid_argument(f"input_batch_size_limit must be positive; was {found.max_batch_size}")
    if found.timeout_seconds < 0:
        raise invalid_argument(f"batch_timeout_micros must be non-negative; was {round(found.timeout_seconds * 1e6)}")
    if found.max_enqueued_batches < (1 if found.split else 0):
        raise invalid_argument(f"max_enqueued_batches must be positive; was {found.max_enqueued_batches}")
    if found.threads < 1:
        raise invalid_argument(f"num_batch_threads must be positive; was {found.threads}")
    if found.split and not 0 < found.max_execution_size <= found.max_batch_size:
        raise invalid_argument(
            "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than or equal to "
            "max_execution_batch_size."
        )
    sizes = found.allowed_sizes
    if sizes and sizes[-1] != found.max_batch_size:
        raise invalid_argument(
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
            f"{sizes[-1]}; expected {found.max_batch_size}"
        )
    if any(low >= high for low, high in pairwise(sizes)) or (sizes and sizes[0] <= 0):
        raise invalid_argument("allowed_batch_sizes entries must be positive and monotonically increasing")


def common_settings(path: str) -> BatchSettings:
    """Settings of ``--batching_parameters_file``; the defaults without a file. Raises ``ConfigError``."""
    return batch_settings(read_text_proto("BatchingParameters", Path(path))) if path else BatchSettings()


def model_settings(version_directory: str) -> BatchSettings | None:
    """A model's own settings, from ``batching_params.pbtxt`` in its directory; None when there is no such file.

    Raises: ServingError INVALID_ARGUMENT when the file cannot be used; the load of the version fails.
    """
    path = Path(version_directory) / PER_MODEL_FILE
    if not path.is_file():
        return None
    try:
        return batch_settings(read_text_proto("BatchingParameters", path))
    except ConfigError as error:
        raise invalid_argument(error.got) from None
