"""Where training runs: one device, or a mirror of the model on several (data parallel, synchronous)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError

Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


FEWEST_ROWS = 256
"""Rows of a batch below which a device waits for the others longer than it computes."""
FEWEST_IMAGES = 32
"""The same for images, of which each is much more arithmetic."""


class Devices(Config):
    """Which devices train the model."""

    strategy: Literal["auto", "single", "mirrored"] = "auto"
    """``single``: the first GPU, or the CPU. ``mirrored``: ``tf.distribute.MirroredStrategy`` over ``replicas``
    devices. ``auto``: ``mirrored`` over as many devices as divide the batch and leave each at least
    ``min_replica_batch`` rows, else ``single``."""
    replicas: int | None = Field(default=None, ge=1, le=64)
    """Devices of ``mirrored``; by default every visible GPU, or the CPU where there is none."""
    kind: Literal["auto", "gpu", "cpu"] = "auto"
    """Kind of device. ``cpu`` splits the processor into ``replicas`` logical ones: for tests, slower than one."""
    min_replica_batch: int | None = Field(default=None, ge=1)
    """For ``auto``: fewest rows of a batch that are worth a device; by default 256, and 32 for images."""

    @model_validator(mode="after")
    def _replicas_are_mirrored(self) -> Self:
        if self.replicas is not None and self.strategy != "mirrored":
            raise ValueError(f"replicas is for strategy mirrored, not for {self.strategy}")
        if self.min_replica_batch is not None and self.strategy != "auto":
            raise ValueError(f"min_replica_batch is for strategy auto, not for {self.strategy}")
        return self

    def fewest_rows(self, images: bool) -> int:
        """``min_replica_batch`` in force."""
        return self.min_replica_batch or (FEWEST_IMAGES if images else FEWEST_ROWS)

    @property
    def known_replicas(self) -> int | None:
        """How many replicas there will be, where that does not depend on the machine; else None."""
        return 1 if self.strategy == "single" else self.replicas


@dataclass(frozen=True)
class Placement:
    """Devices found, and how the model is spread over them.

    Attributes:
        strategy: a ``tf.distribute.Strategy``; None on one device without one.
        name: ``single`` or ``mirrored``.
        replicas: copies of the model that train in step.
        kind: ``gpu`` or ``cpu``.
        why: what decided, in a sentence.
    """

    strategy: Any
    name: Literal["single", "mirrored"]
    replicas: int
    kind: Literal["gpu", "cpu"]
    why: str

    def scope(self) -> Any:
        """Context in which variables must be made."""
        return self.strategy.scope() if self.strategy is not None else nullcontext()


def place(devices: Devices, batch: int, *, images: bool = False) -> Placement:
    """Find the devices and take them.

    Args:
        devices: the settings.
        batch: rows of a step, over all replicas.
        images: whether the model sees images.

    Raises:
        ConfigError: more devices are asked for than there are, or the processor can no longer be split because
            TensorFlow has started in this process.
    """
    import tensorflow as tf

    gpus = [] if devices.kind == "cpu" else tf.config.list_physical_devices("GPU")
    if devices.kind == "gpu" and not gpus:
        raise ConfigError("no visible GPU", "at least one", "set kind to auto or cpu, or check the driver")
    _grow_memory(gpus)
    kind: Literal["gpu", "cpu"] = "gpu" if gpus else "cpu"
    asked = f"the settings say {devices.strategy}"
    if devices.strategy == "single":
        return Placement(None, "single", 1, kind, asked)
    if devices.strategy == "auto":
        count, why = worth(batch, len(gpus) or _processors(devices), devices.fewest_rows(images))
        return _mirrored(kind, count, why) if count > 1 else Placement(None, "single", 1, kind, why)
    if kind == "cpu":
        _split_processor(devices.replicas or 1, asked=devices.kind == "cpu")
        return _mirrored("cpu", devices.replicas or 1, asked)
    count = devices.replicas or len(gpus)
    if count > len(gpus):
        raise ConfigError(f"{count} replicas asked for, {len(gpus)} GPUs visible", f"at most {len(gpus)} replicas",
                          "lower replicas, leave it out to use all, or check CUDA_VISIBLE_DEVICES")  # fmt: skip
    return _mirrored("gpu", count, asked)


def worth(batch: int, devices: int, fewest: int) -> tuple[int, str]:
    """How many of ``devices`` a batch is worth if each is to get ``fewest`` rows, all the same number; and why.

    >>> worth(128, 8, 256)
    (1, 'a batch of 128 rows on 8 devices is 16 each; more than one device needs at least 256 each')
    >>> worth(2048, 8, 256)[0], worth(1024, 8, 256)[0], worth(1026, 4, 256)[0]
    (8, 4, 3)
    """
    if devices == 1:
        return 1, "there is one device"
    least = f"more than one device needs at least {fewest} each"
    count = max((n for n in range(2, devices + 1) if batch % n == 0 and batch // n >= fewest), default=1)
    if count > 1:
        return count, f"a batch of {batch} rows gives each of {count} of {devices} devices {batch // count} rows"
    if batch // 2 >= fewest:
        return 1, f"a batch of {batch} rows cannot be cut into equal parts for 2 to {devices} devices; {least}"
    return 1, f"a batch of {batch} rows on {devices} devices is {batch // devices} each; {least}"


def _processors(devices: Devices) -> int:
    """Logical processors where the process was split into several and ``kind`` asks for them, else 1."""
    import tensorflow as tf

    if devices.kind != "cpu":
        return 1
    physical = tf.config.list_physical_devices("CPU")[0]
    return len(tf.config.get_logical_device_configuration(physical) or [1])


def _mirrored(kind: Literal["gpu", "cpu"], count: int, why: str) -> Placement:
    return Placement(_mirror(kind, count), "mirrored", count, kind, why)


@cache
def _mirror(kind: Literal["gpu", "cpu"], count: int) -> Any:
    """The one strategy of this process over these devices.

    A second one would number its collective operations from the start again, and TensorFlow would take them for those
    of the first, whose shapes differ ("Shape mismatch in the collective instance").
    """
    import tensorflow as tf

    return tf.distribute.MirroredStrategy([f"/{kind}:{i}" for i in range(count)])


def _split_processor(count: int, asked: bool) -> None:
    """Make ``count`` logical processors out of the physical one."""
    import tensorflow as tf

    if count == 1:
        return
    if not asked:
        raise ConfigError(
            f"{count} replicas asked for, no GPU visible",
            "one replica a GPU",
            "set strategy auto; or kind cpu to split the processor, which is slower and meant for tests",
        )
    physical = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(physical, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:
        have = len(tf.config.list_logical_devices("CPU"))
        if have < count:
            raise ConfigError(
                f"{count} replicas asked for, {have} logical processors in this process",
                "the split before TensorFlow starts",
                "run the step in a process of its own",
            ) from None


def _grow_memory(gpus: list[Any]) -> None:
    """Take GPU memory as it is needed. Where TensorFlow has started already, its setting stays."""
    import tensorflow as tf

    for gpu in gpus:
        with _unless_started():
            tf.config.experimental.set_memory_growth(gpu, True)


@contextmanager
def _unless_started() -> Iterator[None]:
    """Ignore TensorFlow's refusal to change devices that are in use."""
    try:
        yield
    except RuntimeError as error:
        if "initialized" not in str(error):
            raise


@contextmanager
def precision(name: Precision) -> Iterator[None]:
    """Layers built inside compute in ``name``; their weights stay float32."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
