"""A run directory as the store lays it out, made in a moment: done, failed, skipped, running or half there."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.quality.expectations.outcome import Outcome, failures
from kilnworks.components.quality.profile.profile import column_statistics
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.decision import DecisionRecord
from kilnworks.schemas.errors import DataInvalid, StepSkipped
from tests.components.tasks.judged import judged

EVIL = "<script>alert(1)</script>"

CONTRACT = parse_contract(f"""
name: churn
description: Customers of a telephone company, one row each & <b>nothing else</b>.
features:
  tenure: {{dtype: int, min: 0, max: 100, unit: months, description: Months since the first bill.}}
  charges: {{dtype: float, min: 0, unit: USD, nullable: true, description: Monthly bill.}}
  plan: {{dtype: string, allowed: [Month-to-month, One year, Two year], description: Length of the contract.}}
  payment: {{dtype: string, description: How the bill is paid.}}
  "{EVIL}": {{dtype: float, description: "{EVIL}"}}
  income: {{dtype: float, sensitive: true, description: Yearly income.}}
label: {{name: Churn, dtype: string, classes: ["No", "Yes"], description: Left within the month.}}
""")

CHAIN = {
    "examples": ("Examples", "kilnworks.components.ingest.ingest", {}),
    "checked": ("CheckedExamples", "kilnworks.components.validate.validate", {"examples": "examples"}),
    "transform": ("Transform", "kilnworks.components.preprocess.preprocess", {"examples": "checked"}),
    "model": ("Model", "kilnworks.components.train.train", {"examples": "checked", "transform": "transform"}),
    "evaluation": ("Evaluation", "kilnworks.components.evaluate.evaluate", {"model": "model", "examples": "checked"}),
    "servable": (
        "Servable",
        "kilnworks.components.export.export",
        {"model": "model", "examples": "checked", "evaluation": "evaluation"},
    ),
    "deployment": ("Deployment", "kilnworks.components.deploy.deploy", {"servable": "servable"}),
}
SECONDS = dict(zip(CHAIN, (0.21, 1.73, 0.94, 38.2, 1.12, 4.4, 0.31), strict=True))


def fingerprint(step: str) -> str:
    return hashlib.sha256(step.encode()).hexdigest()


def dump(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


class InventedRun:
    """Builds one run below ``store``; each method adds what a step leaves."""

    def __init__(self, store: Path, run_id: str = "20260102-030405", pipeline: str = "churn") -> None:
        self.store, self.run_id, self.pipeline = store, run_id, pipeline
        self.path = store / "runs" / pipeline / run_id
        run = {
            "pipeline": pipeline,
            "run_id": run_id,
            "started": "2026-01-02T03:04:05.678Z",
            "command": f"kilnworks run {pipeline} --run-id {run_id} --set model.epochs=12",
            "overrides": {"model.epochs": 12},
            "trigger": "command line",
        }
        dump(self.path / "run.json", run)

    def outcome(self, step: str, outcome: str, **values: Any) -> None:
        at = f"2026-01-02T03:04:{10 + list(CHAIN).index(step):02d}.000Z"
        dump(self.path / "outcomes" / f"{step}.json", {"step": step, "outcome": outcome, "at": at, **values})

    def finish(self, step: str, outcome: str = "done", **config: Any) -> None:
        kind, component, inputs = CHAIN[step]
        base = {"pipeline": self.pipeline, "run_id": self.run_id}
        files = {p.name: {"size": p.stat().st_size} for p in (self.path / step).glob("*") if p.is_file()}
        manifest = {
            **base,
            "kind": kind,
            "step": step,
            "component": component,
            "config": config,
            "inputs": {p: {**base, "step": s, "fingerprint": fingerprint(s)} for p, s in inputs.items()},
            "fingerprint": fingerprint(step),
            "code": "c",
            "libraries": {"polars": "2.1.0", "numpy": "2.4.6"} if step != "model" else {"keras": "3.15.1"},
            "files": files,
            "seconds": SECONDS[step],
            "cpu_seconds": SECONDS[step] * 1.1,
            "peak_memory_mb": 812.4,
        }
        dump(self.path / step / "manifest.json", manifest)
        reason = "from run 20260101-000000" if outcome == "cached" else ""
        seconds = 0.004 if outcome == "cached" else SECONDS[step]
        self.outcome(step, outcome, seconds=seconds, reason=reason, cached_from=reason or None, error=None)

    def examples(self, outcome: str = "done") -> None:
        rows = {"train": 4930, "val": 1050, "test": 1063}
        description = {
            "contract": CONTRACT.model_dump(mode="json"),
            "splits": {s: {"rows": n, "files": []} for s, n in rows.items()},
        }
        for step in ("examples", "checked"):
            dump(self.path / step / "examples.json", description)
        self.finish("examples", outcome, source={"path": "data/churn.csv"})

    def checked(self, outcome: str = "done") -> None:
        dump(self.path / "checked" / "profile.json", profile())
        dump(self.path / "checked" / "validation.json", validation())
        (self.path / "checked" / "data_docs").mkdir(parents=True, exist_ok=True)
        (self.path / "checked" / "data_docs" / "index.html").write_text("<html></html>")
        self.finish("checked", outcome)

    def checked_failed(self) -> None:
        broken = [
            Outcome(rule="tenure: range", text="is between 0 and 100", expectation="e", column="tenure", split="train",
                    severity="critical", success=False, unexpected=3, checked=4930, samples=(150, 151, 999)),
            Outcome(rule="income: null", text="is not missing", expectation="e", column="income", split="train",
                    severity="critical", success=False, unexpected=1, checked=4930, samples=("secret-4711",)),
        ]  # fmt: skip
        error = DataInvalid(
            "2 rules are broken in split train", "the contract churn", "correct the source", failures(broken)
        )
        dump(self.path / "checked.failed" / "error.json", error.record())
        self.outcome("checked", "failed", seconds=1.2, reason=error.got, error=error.record())

    def model(self) -> None:
        training = {
            "contract": CONTRACT.model_dump(mode="json"),
            "task": "binary",
            "seed": 7,
            "strategy": "mirrored",
            "replicas": 2,
            "epochs_run": 12,
            "best_epoch": 9,
            "monitor": "val_loss",
            "stopped_early": True,
            "batch": 512,
            "device": "cpu",
            "placement": "a batch of 512 rows gives each of 2 of 2 devices 256 rows",
            "streamed": True,
            "seconds": 36.9,
            "examples_per_second": 48211.3,
            "parameters": 12673,
            "config": {"epochs": 12, "optimizer": {"kind": "adamw", "learning_rate": 0.002}},
        }
        dump(self.path / "model" / "training.json", training)
        lines = ["epoch,loss,val_loss,auc,val_auc,learning_rate"]
        for e in range(12):
            loss, auc = 0.43 + 0.25 * 0.7**e, 0.86 - 0.15 * 0.7**e
            lines.append(f"{e},{loss},{loss + 0.012 + 0.0006 * e},{auc},{auc - 0.014},{0.002 * 0.5 ** (e // 6)}")
        (self.path / "model" / "history.csv").write_text("\n".join(lines) + "\n")
        self.finish("transform")
        self.finish("model", epochs=12, optimizer={"kind": "adamw", "learning_rate": 0.002})

    def evaluation(self, limit: float = 0.8) -> None:
        out = self.path / "scratch"
        out.mkdir(parents=True)
        config = EvaluateConfig(
            min={"auc": limit}, max={"log_loss": 0.6}, slices=("plan",), resamples=200, slice_min_rows=10
        )
        inputs = {"model": fingerprint("model"), "examples": fingerprint("checked")}
        try:
            judged(config, CONTRACT, *predictions(), inputs, out)
        except StepSkipped as closed:
            dump(out / "error.json", closed.record())
            out.rename(self.path / "evaluation.skipped")
            self.outcome("evaluation", "skipped", seconds=1.1, reason=closed.got, error=closed.record())
            for step in ("servable", "deployment"):
                self.outcome(step, "skipped", seconds=0.0, reason="evaluation was skipped", blocked_by="evaluation")
            return
        out.rename(self.path / "evaluation")
        self.finish("evaluation", min={"auc": limit})

    def served(self) -> None:
        since = {"dtype": "int64", "shape": [None], "unit": "seconds since 1970-01-01 UTC"}
        tensors = {
            "tenure": {"dtype": "int64", "shape": [None]},
            "since": since,
            EVIL: {"dtype": "float32", "shape": [None]},
        }
        outputs = {
            "probabilities": {"dtype": "float32", "shape": [None, 2]},
            "class": {"dtype": "string", "shape": [None]},
        }
        servable = {
            "signatures": {
                "serving_default": {"inputs": tensors, "outputs": outputs},
                "serve_tf_example": {"inputs": {"examples": {"dtype": "string", "shape": [None]}}, "outputs": outputs},
            },
            "bytes": 412_345,
            "skew": {"rows": 1000, "max_difference": 1.2e-7},
            "contract": CONTRACT.model_dump(mode="json"),
        }
        dump(self.path / "servable" / "servable.json", servable)
        (self.path / "servable" / "model").mkdir()
        self.finish("servable")
        published = self.store / "serving" / self.pipeline / "3"
        published.mkdir(parents=True)
        pointer = self.store / "champions" / f"{self.pipeline}.json"
        deployment = {"model": self.pipeline, "version": 3, "path": str(published), "champion": str(pointer)}
        dump(self.path / "deployment" / "deployment.json", deployment)
        DecisionRecord(gate="deployment", passed=True, rule="no server is given", next_action="ask the model").write(
            self.path / "deployment"
        )
        self.finish("deployment")
        dump(pointer, {"pipeline": self.pipeline, "run_id": self.run_id, "model": self.pipeline, "version": 3,
                       "path": str(published), "since": "2026-01-02T03:05:00Z"})  # fmt: skip

    def done(self) -> "InventedRun":
        self.examples("cached")
        self.checked("cached")
        self.model()
        self.evaluation()
        self.served()
        return self


def predictions(n: int = 1063) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.random(n) < 0.27
    score = 1 / (1 + np.exp(-(1.3 * rng.normal(size=n) + 2.2 * truth - 1.6)))
    plan = rng.choice(["Month-to-month", "One year", "Two year"], n, p=[0.55, 0.21, 0.24])
    frame = pl.DataFrame({"Churn": np.where(truth, "Yes", "No"), "plan": plan})
    return frame, np.stack([1 - score, score], axis=1).astype(np.float32)


def profile() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    sizes = {"train": 4930, "val": 1050, "test": 1063}
    return {split: {"rows": n, "features": _columns(rng, n)} for split, n in sizes.items()}


def _columns(rng: np.random.Generator, n: int) -> dict[str, Any]:
    tenure = np.concatenate([rng.exponential(12, n // 2), 72 - rng.exponential(15, n - n // 2)]).clip(0, 72)
    numbers = {"tenure": tenure, "charges": rng.normal(65, 25, n).clip(18, 119), EVIL: rng.normal(0, 1, n)}
    columns = {name: column_statistics(pl.Series(name, values)) for name, values in numbers.items()}
    columns["charges"] |= {"missing": 11, "missing_share": 11 / n}
    columns["income"] = column_statistics(pl.Series(rng.normal(43210, 9000, n)), sensitive=True)
    shares = {
        "plan": {"Month-to-month": 0.55, "Two year": 0.24, "One year": 0.21},
        "payment": {"Electronic check": 0.34, "Mailed check": 0.23, "Bank transfer (automatic)": 0.22, "Card": 0.21},
        "Churn": {"No": 0.735, "Yes": 0.265},
    }
    for name, top in shares.items():
        columns[name] = column_statistics(pl.Series(name, rng.choice(list(top), n, p=list(top.values()))))
    columns["Churn"]["classes"] = [{"value": v, "count": int(n * s), "share": s} for v, s in shares["Churn"].items()]
    return columns


def validation() -> dict[str, Any]:
    good = [
        outcome(column, text, split, success=True)
        for split in ("train", "val", "test")
        for column in ("tenure", "charges", "plan", "payment", "Churn", "income")
        for text in ("is a number or a text", "is not missing")
    ]
    odd = [
        outcome("charges", "has a mean between 60 and 64", "test", severity="warning", observed=65.1),
        outcome(
            "payment", "matches ^[A-Z]", "val", could_not_check=True, exception="the pattern could not be compiled"
        ),
    ]
    return {"success": True, "outcomes": [*good, *odd]}


def outcome(column: str | None, text: str, split: str, **values: Any) -> dict[str, Any]:
    base = {"rule": f"{column}: rule", "text": text, "expectation": "expect", "column": column, "split": split}
    return Outcome(**{**base, "severity": "critical", "success": False, **values}).record()
