"""The gate on a Spark cluster of two processes of its own, a master and a worker: the same report as here."""

import importlib.util
import io
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.sources import AsGiven, GivenSplits, ParquetSource
from kilnworks.components.validate import ValidateConfig, validate
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.files import read_json
from tests import needed
from tests.waiting import first

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore"),
]

CONTRACT = parse_contract(
    """
    name: kinds
    key: id
    features:
      x: {dtype: float, nullable: true, max_missing: 0.5, min: -3, max: 3}
      n: {dtype: int, min: 0, max: 9}
      w: {dtype: string, max_length: 4, regex: "[a-z]+$"}
      i: {dtype: image, shape: [2, 3, 1], max: 200}
      secret: {dtype: string, sensitive: true, max_length: 3}
    label: {name: y, dtype: string, classes: ["no", "yes"]}
    checks:
      - {expectation: expect_column_mean_to_be_between, kwargs: {column: n, min_value: 100}, severity: warning}
    """
)


SMALL = """\
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.sql.shuffle.partitions 2
spark.sql.adaptive.enabled false
spark.master.rest.enabled false
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
"""
"""Settings for tables of a few rows: compiling each query, or Java's code a second time, costs more than running it."""


@pytest.fixture(scope="module", autouse=True)
def java() -> Iterator[None]:
    """A Java for Spark, in the environment until the tests of this file have ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", needed.java())
        yield


@pytest.fixture(scope="module")
def master(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a standalone cluster; both processes end with the test."""
    spark = importlib.util.find_spec("pyspark")  # found, not loaded: a process keeps what it loads
    assert spark is not None and spark.origin is not None

    home = Path(spark.origin).parent
    work = tmp_path_factory.mktemp("spark")
    (work / "spark-defaults.conf").write_text(SMALL)
    os.environ["SPARK_CONF_DIR"] = str(work)
    env = {**os.environ, "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    env |= {"SPARK_WORKER_DIR": str(work), "SPARK_DAEMON_MEMORY": "512m", "SPARK_NO_DAEMONIZE": "1"}

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = (work / f"{name}.log").open("wb")
        command = [str(home / "bin/spark-class"), f"org.apache.spark.deploy.{name.lower()}.{name}", *arguments]
        return subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT, cwd=work)

    processes = [start("Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")]
    try:
        url = _awaited(work / "Master.log", r"spark://127\.0\.0\.1:\d+", processes)
        worker = ["--host", "127.0.0.1", "--cores", "2", "--memory", "1g", "--webui-port", "0", url]
        processes.append(start("Worker", *worker))
        _awaited(work / "Worker.log", r"Successfully registered with master", processes)
        yield url
    finally:
        os.environ.pop("SPARK_CONF_DIR", None)
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=30)


def _awaited(log: Path, pattern: str, processes: list[subprocess.Popen[bytes]], seconds: float = 90) -> str:
    """The first text of a log that matches."""

    def look() -> re.Match[str] | None:
        found = re.search(pattern, log.read_text(errors="replace"))
        assert found or all(p.poll() is None for p in processes), log.read_text(errors="replace")[-2000:]
        return found

    found = first(look, seconds, every=0.2)
    assert found is not None, f"no {pattern} in {log.read_text(errors='replace')[-2000:]}"
    return found[0]


def frame_of(start: int, rows: int, *, spoiled: bool) -> pl.DataFrame:
    r = np.random.default_rng(start)
    n = r.integers(0, 10, rows)
    ids = [f"k{start + i}" for i in range(rows)]
    word = np.array(["abc", "de", "xyzw"])[r.integers(0, 3, rows)]
    pixels = r.integers(0, 200, (rows, 6))
    if spoiled:
        n[:3], ids[7], word[:2], pixels[4, 1] = 99, ids[8], "A1", 250
    return pl.DataFrame(
        {
            "id": ids,
            "x": [None if u < 0.2 else float(v) for u, v in zip(r.random(rows), r.uniform(-3, 3, rows), strict=True)],
            "n": n,
            "w": word,
            "i": [png(row, coloured=spoiled and i == 6) for i, row in enumerate(pixels.astype(np.uint8))],
            "secret": [f"person{i}" if spoiled and i == 11 else "ok" for i in range(rows)],
            "y": np.array(["no", "yes"])[r.integers(0, 2, rows)],
        }
    )


def png(pixels: np.ndarray, *, coloured: bool) -> bytes:
    """A file of 2 x 3 grey pixels, or of as many colours."""
    written = io.BytesIO()
    Image.fromarray(pixels.reshape(2, 3)).convert("RGB" if coloured else "L").save(written, "PNG")
    return written.getvalue()


def judged(examples: Examples, out: Path, config: ValidateConfig) -> tuple[dict, dict, bool]:
    """Outcomes by rule and split, the profile, and whether the gate closed."""
    out.mkdir()
    closed = False
    try:
        validate(config, examples, out)
    except DataInvalid:
        closed = True
    outcomes = read_json(out / "validation.json")["outcomes"]
    return {(o["rule"], o["split"]): o for o in outcomes}, read_json(out / "profile.json"), closed


def alike(a, b, where=""):
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            alike(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for one, two in zip(a, b, strict=True):
            alike(one, two, where)
    else:
        assert a == (pytest.approx(b, rel=1e-6, abs=1e-9) if isinstance(a, float) else b), where


@pytest.mark.nightly
def test_cluster_and_this_process_agree(tmp_path, master):
    parts = {"train": frame_of(0, 90, spoiled=True), "test": frame_of(89, 40, spoiled=False)}
    for name, frame in parts.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    source = GivenSplits(**{n: ParquetSource(path=str(tmp_path / f"{n}.parquet")) for n in parts})
    config = IngestConfig(contract=CONTRACT, source=source, split=AsGiven(val=0), rows_per_shard=50)
    examples = ingest(config, tmp_path / "examples")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = judged(examples, tmp_path / "there", ValidateConfig(engine="spark", spark_master=master))
    here = judged(examples, tmp_path / "here", ValidateConfig())
    assert there[2] and here[2], "the gate is closed"
    assert there[0].keys() == here[0].keys()
    for key, one in here[0].items():
        other = there[0][key]
        for field in ("success", "unexpected", "could_not_check", "severity", "text"):
            assert one[field] == other[field], (key, field, one, other)
        if one["unexpected"] is not None:
            assert one["checked"] == other["checked"] and set(one["samples"]) == set(other["samples"]), (
                key,
                one,
                other,
            )
    alike(here[1], there[1])
    assert here[0]["i: channels", "train"]["unexpected"] == 1
    assert "person11" not in (tmp_path / "there/validation.json").read_text()
    assert (tmp_path / "there/data_docs/index.html").is_file()
