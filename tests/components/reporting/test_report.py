"""The page is well formed, needs nothing else, escapes everything, and shows what there is of any run."""

import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.reporting.report import render_report, write_report
from kilnworks.schemas.contract import parse_contract
from kilnworks.schemas.decision import DecisionRecord
from kilnworks.schemas.errors import StepSkipped
from tests.components.reporting.invented_run import CHAIN, EVIL, InventedRun, dump, fingerprint
from tests.components.tasks.judged import judged

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Checks the nesting of a page and collects what tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def assert_self_contained(page: Page, text: str) -> None:
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcset", "xlink:href", "action", "data")
        if name == "href":
            assert value.startswith("#") or not re.match(r"[a-z]+:|//", value)
    assert "url(" not in text
    assert "@import" not in text
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+", text))
    assert addresses <= {"http://www.w3.org"}
    assert "default-src 'none'" in text


def build(kind: str, store: Path) -> InventedRun:
    run = InventedRun(store)
    if kind == "done":
        run.done()
    elif kind == "failed":
        run.examples()
        shutil.rmtree(run.path / "checked")
        run.checked_failed()
    elif kind == "skipped":
        run.examples()
        run.checked()
        run.model()
        run.evaluation(limit=0.99)
    elif kind == "running":
        run.examples()
        run.checked()
        run.outcome("transform", "running", seconds=30.0, progress={"done": 1.0, "total": 4.0, "note": "epoch 1 of 4"})
    return run


SHOWN = {
    "done": {"steps", "data", "training", "evaluation", "gates", "serving", "environment"},
    "failed": {"problems", "steps", "data", "environment"},
    "skipped": {"problems", "steps", "data", "training", "evaluation", "gates", "environment"},
    "running": {"steps", "data", "environment"},
    "empty": {"steps"},
}
ORDER = ["problems", "evaluation", "gates", "steps", "data", "training", "serving", "environment"]
"""Results stand before the columns of the data."""


@pytest.mark.parametrize("kind", SHOWN)
def test_every_state_of_a_run_has_its_sections_and_nothing_from_outside(tmp_path: Path, kind: str) -> None:
    text = render_report(build(kind, tmp_path).path)
    page = Page(text)
    assert_self_contained(page, text)
    assert page.ids == [name for name in ORDER if name in SHOWN[kind]]
    linked = {value[1:] for tag, name, value in page.attributes if tag == "a" and name == "href" and value[0] == "#"}
    assert linked == SHOWN[kind]


def test_a_done_run_shows_numbers_lineage_signature_and_command(tmp_path: Path) -> None:
    run = build("done", tmp_path)
    page = Page(render_report(run.path))
    for words in (
        "finished",
        "kilnworks run churn --run-id 20260102-030405 --set model.epochs=12",
        "champion",
        "best epoch 9",
        "What another threshold would give",
        "Confusion",
        "evaluation gate passed",
        "serving_default",
        "seconds since 1970-01-01 UTC",
        "largest difference 1.2e-07 on 1,000 rows",
        "from run 20260101-000000",
        "36 rules kept",
        "could not check",
        "the pattern could not be compiled",
        "keras",
        "By plan",
        "Why these devices a batch of 512 rows gives each of 2 of 2 devices 256 rows",
        "Read anew in every epoch yes",
    ):
        assert words in page.text, words
    auc = json.loads((run.path / "evaluation" / "evaluation.json").read_text())["metrics"]["auc"]
    assert f"{auc['value']:.4g}" in page.text
    assert f"{auc['low']:.4g} – {auc['high']:.4g}" in page.text
    for step in CHAIN:
        assert fingerprint(step)[:12] in page.text


def test_what_the_model_leans_on_stands_behind_its_numbers(tmp_path: Path) -> None:
    run = build("done", tmp_path)
    place = run.path / "evaluation" / "evaluation.json"
    features = [{"name": "tenure", "fall": 0.11}, {"name": "plan", "fall": 0.02}]
    partial = [{"name": "tenure", "x": [1.0, 5.0, 9.0], "y": [0.6, 0.4, 0.1]}]
    leans = {"metric": "auc", "rows": 300, "features": features, "partial": partial}
    dump(place, {**json.loads(place.read_text()), "explained": leans})
    text = render_report(run.path)
    words = ["95 % interval", "What the model leans on", "fall of AUC without the feature", "mean answer by tenure"]
    places = [text.index(one) for one in [*words, 'id="data"']]
    assert places == sorted(places)


def test_a_failed_run_says_got_wanted_and_what_to_do(tmp_path: Path) -> None:
    page = Page(render_report(build("failed", tmp_path).path))
    for words in ("2 rules are broken in split train", "the contract churn", "correct the source", "150, 151, 999"):
        assert words in page.text
    assert "3 of 4,930" in page.text


def test_a_skipped_run_shows_the_decision_and_the_evaluation_behind_it(tmp_path: Path) -> None:
    page = Page(render_report(build("skipped", tmp_path).path))
    assert "stopped at a gate" in page.text
    assert "is below 0.99" in page.text
    assert "not kept" in page.text
    assert "ROC" in page.text


def test_a_running_page_loads_itself_again_and_shows_progress(tmp_path: Path) -> None:
    text = render_report(build("running", tmp_path).path)
    assert 'http-equiv="refresh" content="5"' in text
    page = Page(text)
    assert "epoch 1 of 4" in page.text
    assert "1 min 30 s left" in page.text
    assert 'http-equiv="refresh"' not in render_report(build("done", tmp_path / "other").path)


def test_names_from_data_are_escaped_everywhere(tmp_path: Path) -> None:
    run = build("done", tmp_path)
    path = run.path / "outcomes" / "deployment.json"
    record = json.loads(path.read_text())
    error = {"type": "X", "got": EVIL, "wanted": '"><img src=x onerror=alert(1)>', "fix": EVIL, "details": {}}
    dump(path, {**record, "outcome": "failed", "reason": EVIL, "error": error})
    text = render_report(run.path)
    assert EVIL.lower() not in text.lower()
    assert "<b>nothing else</b>" not in text
    page = Page(text)
    assert_self_contained(page, text)
    assert EVIL in page.text


def test_values_of_sensitive_features_are_not_in_the_page(tmp_path: Path) -> None:
    failed = render_report(build("failed", tmp_path / "a").path)
    assert "secret-4711" not in failed
    assert "(masked)" in failed
    run = build("done", tmp_path / "b")
    profile = json.loads((run.path / "checked" / "profile.json").read_text())
    for split in profile.values():
        split["features"]["income"].update(
            min=31337.5, max=31338.5, mean=31337.75, top_values=[{"value": "31337.25", "count": 1}]
        )
    dump(run.path / "checked" / "profile.json", profile)
    text = render_report(run.path)
    assert "3133" not in text
    assert "Values are sensitive and not shown." in text


def test_what_is_made_of_several_features_is_told(tmp_path: Path) -> None:
    run = build("done", tmp_path)
    inputs = [{"feature": "tenure"}, {"feature": "charges"}]
    centres = [[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]]
    habits = {"method": "kmeans", "gives": "distances", "inputs": inputs, "centres": centres}
    axes = {"method": "pca", "gives": "distances", "inputs": inputs, "centres": [[0, 0]], "factors": [[[1, 0], [0, 1]]]}
    mixed = {"method": "gaussian_mixture", "gives": "membership", "inputs": inputs, "centres": centres[:2]}
    derived = {"habits": habits, "axes": axes, "mixed": mixed, "lost": {"method": "pca"}}
    dump(run.path / "transform" / "transform.json", {"derived": derived})
    text = Page(render_report(run.path)).text
    assert "Derived feature habits distances to 3 clusters by k-means in tenure, charges" in " ".join(text.split())
    assert "Derived feature axes the 2 largest principal components of tenure, charges" in " ".join(text.split())
    assert "membership of 2 clusters by a mixture of Gaussians in tenure, charges" in " ".join(text.split())


def test_broken_files_cost_their_section_and_no_other(tmp_path: Path) -> None:
    run = build("done", tmp_path)
    (run.path / "servable" / "servable.json").write_text("{ half a fi")
    dump(
        run.path / "evaluation" / "evaluation.json",
        {"task": "binary", "metrics": [1], "curves": {"residuals": {"x": 1}}},
    )
    bad = {"train": {"features": {"tenure": {"histogram": {"edges": [1, "x"]}}, "charges": 7}}, "val": None}
    dump(run.path / "checked" / "profile.json", bad)
    (run.path / "model" / "history.csv").write_text("epoch,loss\n0,nan\n1,\n")
    text = render_report(run.path)
    page = Page(text)
    assert "This part of the run could not be read" in page.text
    assert {"steps", "data", "training", "evaluation", "gates", "environment"} <= set(page.ids)


@pytest.mark.parametrize("lost", ["run.json", "outcomes", "checked/manifest.json", "examples"])
def test_a_run_that_lost_something_is_still_shown(tmp_path: Path, lost: str) -> None:
    run = build("done", tmp_path)
    target = run.path / lost
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    page = Page(render_report(run.path))
    assert {"steps", "training", "evaluation", "serving"} <= set(page.ids)
    assert "churn" in page.text


def test_multiclass_and_regression_have_their_own_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    flowers = parse_contract(
        "name: flowers\nfeatures: {x: {dtype: float}}\nlabel: {name: kind, dtype: int, classes: [0, 1, 2]}"
    )
    truth = rng.integers(0, 3, 150)
    probability = rng.dirichlet(np.ones(3), 150) + 0.3 * np.eye(3)[truth]
    probability /= probability.sum(axis=1, keepdims=True)
    first = InventedRun(tmp_path / "a")
    (first.path / "evaluation").mkdir()
    config = EvaluateConfig(resamples=100)
    judged(config, flowers, pl.DataFrame({"kind": truth}), probability, {}, first.path / "evaluation")
    first.finish("evaluation")
    page = Page(render_report(first.path))
    for words in ("Top-3 accuracy", "Macro F1", "taken for", "By class", "Calibration"):
        assert words in page.text

    houses = parse_contract("name: houses\nfeatures: {x: {dtype: float}}\nlabel: {name: price, dtype: float}")
    value = rng.normal(200, 30, 150)
    second = InventedRun(tmp_path / "b")
    (second.path / "evaluation").mkdir()
    frame, guess = pl.DataFrame({"price": value}), value + rng.normal(size=150)
    judged(config, houses, frame, guess, {}, second.path / "evaluation")
    second.finish("evaluation")
    page = Page(render_report(second.path))
    for words in ("Mean absolute error", "R²", "prediction minus truth", "Truth by prediction"):
        assert words in page.text


def test_writing_replaces_the_page_in_one_rename(tmp_path: Path) -> None:
    run = build("failed", tmp_path)
    path = write_report(run.path)
    assert path == run.path / "report.html"
    first = path.read_text()
    assert write_report(run.path).read_text() == first
    assert not list(run.path.glob("*.partial"))
    assert not list(run.path.glob(".*partial"))


@pytest.mark.slow
def test_the_report_needs_no_heavy_library(tmp_path: Path) -> None:
    run = build("done", tmp_path)
    code = (
        "import sys; from pathlib import Path; from kilnworks.components.reporting.report import write_report;"
        f"write_report(Path({str(run.path)!r}));"
        "heavy = ('numpy', 'polars', 'pandas', 'matplotlib', 'tensorflow', 'mlflow', 'sklearn');"
        "print([m for m in heavy if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("gate", "ended"), [("trial", "a trial, finished"), ("train only", "trained, as asked")])
def test_a_run_that_was_not_to_publish_did_not_stop(tmp_path: Path, gate: str, ended: str) -> None:
    run = build("done", tmp_path)
    closed = DecisionRecord(gate=gate, passed=False, rule="publishes nothing", reason="so", next_action="promote")
    error = StepSkipped(closed.headline, closed.rule, closed.next_action, closed.record())
    run.outcome("deployment", "skipped", seconds=0.0, reason=error.got, error=error.record())
    page = Page(render_report(run.path))
    assert ended in page.text and "Make this run again" in page.text
    assert "from where it stopped" not in page.text and "stopped at a gate" not in page.text


@pytest.mark.parametrize("passed", [True, False])
def test_an_approval_is_shown_with_who_when_why_and_what_was_changed(tmp_path: Path, passed: bool) -> None:
    run = build("done", tmp_path)
    record = DecisionRecord(
        gate="approval",
        passed=passed,
        rule="a person approves deployment",
        reason="approved by anna",
        details={"step": "deployment", "by": "anna", "comment": "as <b>agreed</b>", "settings": {"deployment.keep": 5}},
    )
    dump(run.path / "approvals" / "deployment.json", {"at": "2026-01-02T03:04:05.678Z", **record.record()})
    text = render_report(run.path)
    page = Page(text)
    for words in ("anna", "2026-01-02 03:04:05 UTC", "as <b>agreed</b>", "deployment.keep = 5", record.headline):
        assert words in page.text
    assert "<b>agreed</b>" not in text


def test_a_no_leaves_its_decision_in_a_run_that_has_made_no_other(tmp_path: Path) -> None:
    run = build("empty", tmp_path)
    run.outcome("deployment", "skipped", seconds=0.0, reason="approval gate closed: rejected by ben")
    record = DecisionRecord(gate="approval", passed=False, rule="a person approves deployment", details={"by": "ben"})
    dump(run.path / "approvals" / "deployment.json", {"at": "2026-01-02T03:04:05.678Z", **record.record()})
    page = Page(render_report(run.path))
    assert "gates" in page.ids
    assert "ben" in page.text
