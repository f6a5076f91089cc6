"""Great Expectations on Spark: for examples that one machine does not hold.

The workers read the shards themselves, so the files lie where all of them can (a shared file system). The profile is
made of the same partial results as elsewhere: each worker sends those of its rows, and they are merged here.
"""

from __future__ import annotations

import math
import os
import pickle
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilnworks.components.quality.engines.types import rules_for, rules_with_types
from kilnworks.components.quality.expectations.gx import evaluate, load_gx
from kilnworks.components.quality.expectations.results import RESULT_FORMAT, SAMPLES
from kilnworks.components.quality.expectations.rule import WHOLE
from kilnworks.components.quality.expectations.run_gx import Checked, check_whole, read_results, shared_columns
from kilnworks.components.quality.expectations.suite import compile_suite
from kilnworks.components.quality.rows.uniqueness import Shared
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, StepFailed
from kilnworks.schemas.places import CLONE

if TYPE_CHECKING:
    from kilnworks.components.quality.profile.profile import Part

TYPES = {
    "float": ("DoubleType", "FloatType"),
    "int": ("LongType", "IntegerType"),
    "bool": ("BooleanType",),
    "string": ("StringType",),
    "datetime": ("TimestampNTZType", "TimestampType"),
}
UNSET_PARTITIONS = "200"
"""What Spark cuts a shuffle into when nobody says otherwise; too many for most clusters."""
ELEMENTS = {"ShortType": "uint8", "FloatType": "float32", "LongType": "int64"}
"""Spark has no unsigned bytes; it reads them as short integers."""


@contextmanager
def session(master: str) -> Iterator[Any]:
    """A Spark session on ``master`` (``local[2]``, ``spark://host:7077``), stopped at the end.

    Workers run this interpreter and find our packages where they are here.

    Raises:
        ConfigError: there is no Java, or no session comes about.
    """
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    load_gx(spark=True)
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.showConsoleProgress": "false",
        **({} if CLONE is None else {"spark.executorEnv.PYTHONPATH": str(CLONE)}),
        "spark.driver.host": os.environ.get("SPARK_DRIVER_HOST", "127.0.0.1"),
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master(master).appName("kilnworks")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except (PySparkException, Py4JError, OSError, RuntimeError) as error:
        raise ConfigError(
            f"no Spark session on {master}: {_reason(error)}",
            "Java 17 and a master that answers",
            "install openjdk-17-jre-headless, or check `spark_master`; `engine: pandas` needs neither",
        ) from None
    if spark.conf.get("spark.sql.shuffle.partitions") == UNSET_PARTITIONS:
        spark.conf.set("spark.sql.shuffle.partitions", str(max(8, 3 * spark.sparkContext.defaultParallelism)))
    try:
        yield spark
    except (PySparkException, Py4JError) as error:
        raise StepFailed(
            f"Spark on {master} gave up: {_reason(error)}",
            "a cluster whose workers can read the shards and run this Python",
            "see the log of Spark; the shards must lie where every worker finds them",
        ) from None
    finally:
        spark.stop()


def _reason(error: Exception) -> str:
    """What Java or Spark said and the cause behind it, in one line without the frames of either."""
    lines = [line.strip(" :") for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return " ".join([" ".join(lines[:2])[:300], *(cause[:300] for cause in causes[-1:])])


def check_splits_on_spark(
    spark: Any, files: Mapping[str, Sequence[Path]], heights: Mapping[str, int], contract: Contract
) -> list[Checked]:
    """The rules on every split, then on the table of splits; as ``run_gx.check_splits``."""
    rules = rules_with_types(contract, TYPES)
    frames = {split: _read(spark, shards) for split, shards in files.items()}
    checked = []
    for split in (s for s in files if heights[s]):
        suite = compile_suite(f"{contract.name} {split}", rules_for(rules, split))
        engine = _engine(_with_tensor_columns(frames[split], contract))
        results = evaluate(engine, suite.expectation_configurations, RESULT_FORMAT)
        checked.append(read_results(results, split, suite, contract))
    suite = compile_suite(f"{contract.name} {WHOLE}", rules_for(rules, WHOLE))
    found = {name: _shared(frames, name) for name in shared_columns(contract)}
    return [*checked, check_whole(heights, found, contract, suite)]


def parts_on_spark(spark: Any, files: Mapping[str, Sequence[Path]], contract: Contract) -> dict[str, dict[str, Part]]:
    """Partial statistics by split and column, made by the workers."""
    text = contract.model_dump_json()
    return {
        split: _merged(_read(spark, shards).mapInArrow(_Sender(text), "part binary")) for split, shards in files.items()
    }


class _Sender:
    """What a worker does with its rows: partial statistics of each batch, as bytes."""

    def __init__(self, contract: str) -> None:
        self._contract = contract

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """One row a batch; batches without rows are passed over."""
        import polars as pl
        import pyarrow as pa

        from kilnworks.components.quality.profile.profile import parts_of_frame

        contract = Contract.model_validate_json(self._contract)
        for batch in batches:
            if batch.num_rows:
                frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
                data = pickle.dumps(parts_of_frame(_with_tensors(frame, contract), contract))
                yield pa.RecordBatch.from_arrays([pa.array([data], pa.binary())], names=["part"])


def _with_tensors(frame: Any, contract: Contract) -> Any:
    """Lists of tensor features as the fixed-size lists that the shards hold, where their length is the wanted one."""
    import polars as pl

    elements: dict[str, Any] = {"image": pl.UInt8, "float": pl.Float32, "int": pl.Int64}
    for name, feature in contract.features.items():
        size = math.prod(feature.shape)
        if feature.shape and name in frame.columns and (frame[name].list.len().fill_null(size) == size).all():
            frame = frame.with_columns(pl.col(name).cast(pl.List(elements[feature.dtype])).list.to_array(size))
    return frame


def _merged(sent: Any) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for row in sent.toLocalIterator():
        for name, part in pickle.loads(bytes(row.part)).items():
            found[name] = found[name].merge(part) if name in found else part
    return found


def _read(spark: Any, shards: Sequence[Path]) -> Any:
    return spark.read.parquet(*(_literal(Path(shard).resolve()) for shard in shards))


def _literal(path: Path) -> str:
    """A path in which no character is a pattern to Spark."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", str(path))


def _engine(frame: Any) -> Any:
    load_gx(spark=True)
    from great_expectations.execution_engine import SparkDFExecutionEngine

    return SparkDFExecutionEngine(batch_data_dict={"rows": frame}, force_reuse_spark_context=True, persist=False)


def _with_tensor_columns(frame: Any, contract: Contract) -> Any:
    """Columns of scalars in place of tensors, as ``frames.checked_frame`` makes them."""
    from pyspark.sql import functions

    for name, feature in contract.features.items():
        if not feature.shape or name not in frame.columns:
            continue
        element = type(frame.schema[name].dataType.elementType).__name__
        dtype, size = ELEMENTS.get(element, element), functions.size(name)
        whole, image = math.prod(feature.shape), feature.dtype == "image"
        parts = {"dtype": functions.lit(dtype), "size": functions.lit(-1) if image and dtype != "uint8" else size}
        for part, length in zip(("height", "width", "channels"), feature.shape if image else (), strict=False):
            parts[part] = functions.when(size == whole, functions.lit(length))
        numbers: Any = functions.col(name)
        if feature.dtype == "float":
            gaps = functions.filter(name, lambda one: functions.isnull(one) | functions.isnan(one))
            parts["missing"] = functions.size(gaps)
            numbers = functions.filter(name, lambda one: ~functions.isnan(one))
        parts |= {"min": functions.array_min(numbers), "max": functions.array_max(numbers)}
        columns = {f"{name}__{part}": value for part, value in parts.items()}
        frame = frame.withColumns({n: value for n, value in columns.items() if n not in frame.columns}).drop(name)
    return frame


def _shared(frames: Mapping[str, Any], column: str) -> Shared | None:
    """Values that stand in more than one split, found by the cluster."""
    from functools import reduce

    from pyspark.sql import functions

    if any(column not in frame.columns for frame in frames.values()):
        return None
    value = functions.col(column).cast("string").alias("value")
    parts = [
        frame.select(value)
        .dropna()
        .groupBy("value")
        .agg(functions.count("*").alias("rows"))
        .withColumn("split", functions.lit(split))
        for split, frame in frames.items()
    ]
    every = reduce(lambda a, b: a.unionByName(b), parts)
    both = every.groupBy("value").agg(functions.count("*").alias("splits")).where("splits > 1").select("value")
    counts = every.join(both, "value").groupBy("split").agg(functions.sum("rows").alias("rows")).collect()
    rows = {row["split"]: int(row["rows"]) for row in counts}
    samples = [row["value"] for row in both.orderBy("value").limit(SAMPLES).collect()]
    return Shared({split: rows.get(split, 0) for split in frames}, both.count(), tuple(samples))
