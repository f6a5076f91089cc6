"""The numbers of four pipelines, to the last digit: a change that moves one of them does it on purpose.

``golden/NAME.json`` holds what two epochs of each gave on each kind of machine, all by the same code: the learning
curve, the evaluation, and what is served. After a change that is meant to move numbers, write them anew on each with
``python -m tests.pipelines.test_golden`` and say why they moved. What was added since is not looked at; what was there
stays. On a machine of another kind only the curve and the metrics are compared, and not to the last digit: a row that
changes its place moves a point of a curve, or a bin, by one row of few.
"""

import csv
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from kilnworks.components.ingest import IngestConfig
from kilnworks.components.modeling.mlp import Mlp
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.preprocess import PreprocessConfig
from kilnworks.components.sources import CsvSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.churn import CHURN
from kilnworks.pipelines.core.chains import ROOT, supervised
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.digits import DIGITS
from kilnworks.schemas.contract import Contract
from tests.effort import some

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden"
SERVED = ("task", "signatures", "parameters", "metrics", "skew")
"""What of ``servable.json`` is held; sizes of files depend on more than the model."""


def charges() -> Pipeline:
    """A regression on the customers of ``churn``: what they pay a month."""
    tree = CHURN["examples"].config.contract.model_dump(mode="json")
    tree["features"].pop("MonthlyCharges")
    tree |= {
        "name": "charges",
        "checks": [],
        "ignore": ["Churn"],
        "label": {"name": "MonthlyCharges", "dtype": "float", "min": 0},
    }
    source = CsvSource(path=str(ROOT / "data/churn.csv"))
    return supervised(
        "charges", IngestConfig(contract=Contract.model_validate(tree), source=source), TrainConfig(model=Mlp())
    )


def members() -> Pipeline:
    """The ensemble in one network that a first definition of a table gets, on the customers of ``churn``."""
    return supervised(
        "tabular",
        CHURN["examples"].config,
        TrainConfig(model=Tabular(members=4, units=(32, 32), bins=8, prior=1e-4), batch=128),
        transform=PreprocessConfig(shares=True),
    )


PIPELINES = {"churn": CHURN, "digits": DIGITS, "charges": charges(), "tabular": members()}


def machines() -> tuple[str, str]:
    """What decides the order in which a processor adds, exactly and roughly.

    The widest instructions, and how many processors work at once; exactly also the maker and model, by whose caches
    Eigen and oneDNN cut their work. A model without numbers of its own is held to those of its instructions.
    """
    told = Path("/proc/cpuinfo").read_text() if sys.platform == "linux" else ""
    first = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", told.partition("\n\n")[0], re.MULTILINE))
    flags = first.get("flags", "").split()
    widest = next((flag for flag in ("avx512f", "avx2") if flag in flags), "other")
    kind = f"{widest} x {os.cpu_count()}"
    return f"{kind}, {' '.join(first.get(name, '?') for name in ('vendor_id', 'cpu family', 'model'))}", kind


def measured(name: str, folder: Path) -> dict[str, Any]:
    """Two epochs of the pipeline; its numbers."""
    pipeline = PIPELINES[name].configured({"model.epochs": 2, "evaluation.min": {}})
    run = Store(folder).run(name, "golden")
    run.begin("test", {})
    run_all(pipeline, run, selected=pipeline.between(None, "servable"))
    with (run.step_path("model") / "history.csv").open() as file:
        curve = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    evaluation = json.loads((run.step_path("evaluation") / "evaluation.json").read_text())
    servable = json.loads((run.step_path("servable") / "servable.json").read_text())
    return {"history": curve, "evaluation": evaluation, "servable": {k: servable[k] for k in SERVED}}


def rough(numbers: dict[str, Any]) -> dict[str, Any]:
    """What can be compared on a machine of another kind."""
    return {"history": numbers["history"], "evaluation": {"metrics": numbers["evaluation"]["metrics"]}}


def moved(old: Any, new: Any, exact: bool, at: str = "") -> Iterator[str]:
    """Where ``new`` differs from ``old``."""
    if isinstance(old, dict):
        for key, value in old.items():
            if at == ".evaluation.gate" and key == "inputs":
                continue  # fingerprints: they say which code it was, and move with every change of it
            if not isinstance(new, dict) or key not in new:
                yield f"{at}.{key}: gone"
            else:
                yield from moved(value, new[key], exact, f"{at}.{key}")
    elif isinstance(old, list):
        if not isinstance(new, list) or len(old) != len(new):
            yield f"{at}: {len(old)} entries, now {new!r}"
        else:
            for i, (one, other) in enumerate(zip(old, new, strict=True)):
                yield from moved(one, other, exact, f"{at}[{i}]")
    elif isinstance(old, float) and not exact:
        if old != pytest.approx(new, rel=0.02, abs=0.02):
            yield f"{at}: {old!r}, now {new!r}"
    elif old != new and (exact or not isinstance(old, int)):
        yield f"{at}: {old!r}, now {new!r}"


@pytest.mark.parametrize("name", some(sorted(PIPELINES), ["churn", "digits"]))
def test_not_a_digit_has_moved(name: str, tmp_path: Path) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    here = next((kind for kind in machines() if kind in golden), None)
    held = golden[here] if here else rough(next(iter(golden.values())))
    differences = list(moved(held, measured(name, tmp_path), here is not None))
    assert not differences, "\n".join(differences[:20])


if __name__ == "__main__":
    for asked in sys.argv[1:] or PIPELINES:
        with TemporaryDirectory() as scratch:
            file = GOLDEN / f"{asked}.json"
            held = json.loads(file.read_text()) if file.is_file() else {}
            file.write_text(json.dumps(held | {machines()[0]: measured(asked, Path(scratch))}) + "\n")
