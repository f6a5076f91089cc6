"""The walk along every path by which a version can become the champion: who decided, and that all of it is recorded.

Each path is a row of ``PATHS``: what was there before, the command, and what comes of it. Where a version goes live,
the pointer, the record of the move, the decision record of the run, the reports of both runs and the published folder
say the same; where none does, nothing has moved and the run holds the gate that is closed.
"""

import hashlib
import html
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kilnworks.components.retraining.ledger import LandedData, opened
from kilnworks.pipelines.core.approval import NOBODY, record_answer
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import moves, read_champion
from kilnworks.schemas.files import read_json
from tests.effort import some
from tests.pipelines.test_promotion import Shop

ROOT = Path(__file__).parents[2]
GATES = "the gates"
ANN = ("--by", "ann", "--reason", "it is better")
NEW, OLD = "2026-03-01/2026-04-01", "2026-01-01/2026-02-01"
EVERY_KIND = {"run", "resume", "again", "cached", "backfill", "retrain", "approval", "promote", "rollback", "at once"}


@dataclass(frozen=True)
class Live:
    """A version goes live.

    Attributes:
        run: whose model.
        action: what the move is called.
        by: who decided.
        reason: words of the recorded reason.
        mark: of the published files.
    """

    run: str
    action: str = "deploy"
    by: str = GATES
    reason: str = "its gates are open"
    mark: str = "b"


@dataclass(frozen=True)
class Held:
    """Nothing moves; the run of that id was stopped by that gate."""

    run: str
    gate: str


Act = Callable[[Shop], object]


@dataclass(frozen=True)
class Walk:
    """``kind``: one of ``EVERY_KIND``. ``before``: what was there. ``act``: the step along the path."""

    kind: str
    name: str
    before: Act
    act: Act
    ends: Live | Held


def ran(run: str, *more: str, mark: str = "b", approval: str = "None") -> Act:
    """``kilnworks run``, of a definition with this mark."""

    def act(shop: Shop) -> None:
        shop.define(mark=mark, approval=approval)
        shop.run(run, *more)

    return act


def defined(mark: str) -> Act:
    """The definition as it was when the models had this mark."""
    return lambda shop: shop.define(mark=mark)


def said(*command: str, **environment: str) -> Act:
    """Another command, in an environment as Airflow makes it."""

    def act(shop: Shop) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            shop(*command)

    return act


def each(*acts: Act) -> Act:
    """One after the other."""

    def act(shop: Shop) -> None:
        for one in acts:
            one(shop)

    return act


def answered(run: str, by: str, *, approved: bool = True) -> Act:
    """The answer that Airflow's task of the question writes."""

    def act(shop: Shop) -> None:
        this = Store.at(str(shop.store)).run("shop", run)
        record_answer(this, "deployment", approved=approved, by=by, comment="seen by all", settings={})

    return act


def ordered(run: str) -> Act:
    """Data has landed, and the decision of the retraining claims this run."""

    def act(shop: Shop) -> None:
        with opened(shop.store, "shop") as ledger:
            ledger.batches.append(LandedData(run_id=run, fingerprint="f", new=[], rows=1, claimed=0.0))

    return act


def at_once(*commands: tuple[str, ...]) -> Act:
    """Each in a process of its own, started together."""

    def act(shop: Shop) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        processes = [
            subprocess.Popen([sys.executable, "-m", "kilnworks", *words], env=environment, cwd=shop.root)
            for words in commands
        ]
        assert [process.wait(120) for process in processes] == [0] * len(commands)

    return act


def step(run: str, *names: str, **environment: str) -> Act:
    """What a task of Airflow calls."""
    return said("step", "shop", *names, "--run-id", run, **environment)


def nothing(shop: Shop) -> None:
    """No path leads here yet."""


FIRST = ran("r1", mark="a")
TWO = each(FIRST, ran("r2"))
ASKS = each(FIRST, ran("r2", approval="Approval()"))
"""A champion, and a run that waits for a yes."""
TRIAL = each(FIRST, ran("r2", "--set", "servable.mark=b", mark="a"))
HALF = each(FIRST, ran("r2", "--to", "servable"))
"""A champion, and a run that ended before its deployment."""
NEW_LIVE = each(ran("new", "--interval", NEW, mark="a"))

PATHS = [
    Walk("run", "the first", nothing, FIRST, Live("r1", mark="a")),
    Walk("run", "a newer one", FIRST, ran("r2"), Live("r2")),
    Walk("run", "told to train only", FIRST, ran("r2", "--train-only"), Held("r2", "train only")),
    Walk("run", "a trial", FIRST, ran("r2", "--set", "servable.mark=c", mark="a"), Held("r2", "trial")),
    Walk(
        "run",
        "a trial that is asked for",
        FIRST,
        ran("r2", "--set", "servable.mark=b", "--promote", *ANN, mark="a"),
        Live("r2", "promote", "ann", "it is better"),
    ),
    Walk("run", "task by task", FIRST, each(ran("r2", "--to", "servable"), step("r2", "deployment")), Live("r2")),
    Walk(
        "run",
        "asked for in the form",
        FIRST,
        each(ran("r2", "--to", "servable"), step("r2", "deployment", KILNWORKS_LIVE="promote", KILNWORKS_BY="bea")),
        Live("r2", "promote", "bea", "asked for in the form"),
    ),
    Walk(
        "run",
        "train only in the form",
        FIRST,
        each(ran("r2", "--to", "servable"), step("r2", "deployment", KILNWORKS_LIVE="train only")),
        Held("r2", "train only"),
    ),
    Walk("resume", "after the training", HALF, ran("r2"), Live("r2")),
    Walk("resume", "when another is live", each(HALF, ran("r3", mark="c")), ran("r2"), Held("r2", "order")),
    Walk("again", "an old run", TWO, ran("r1", mark="a"), Held("r1", "order")),
    Walk("again", "afresh", TWO, ran("r1", "--fresh", mark="a"), Held("r1", "order")),
    Walk(
        "again", "by its task", TWO, each(lambda s: s.define(mark="a"), step("r1", "deployment")), Held("r1", "order")
    ),
    Walk(
        "again",
        "asked for",
        TWO,
        ran("r1", "--promote", *ANN, mark="a"),
        Live("r1", "promote", "ann", "it is better", mark="a"),
    ),
    Walk("cached", "an older model", TWO, ran("r3", mark="a"), Held("r3", "order")),
    Walk("cached", "a newer model", HALF, ran("r3"), Live("r3")),
    Walk("backfill", "an older window", NEW_LIVE, ran("old", "--interval", OLD), Held("old", "order")),
    Walk(
        "backfill",
        "a newer window",
        each(ran("old", "--interval", OLD, mark="a")),
        ran("new", "--interval", NEW),
        Live("new"),
    ),
    Walk(
        "backfill",
        "an older window that is asked for",
        NEW_LIVE,
        ran("old", "--interval", OLD, "--promote", *ANN),
        Live("old", "promote", "ann", "it is better"),
    ),
    Walk(
        "retrain",
        "on data that landed",
        each(FIRST, ordered("retrain__1")),
        ran("retrain__1", "--set", "servable.data=pinned", mark="a"),
        Live("retrain__1", mark="a"),
    ),
    Walk(
        "retrain",
        "that nobody ordered",
        FIRST,
        ran("retrain__1", "--set", "servable.data=pinned", mark="a"),
        Held("retrain__1", "trial"),
    ),
    Walk("approval", "not yet given", FIRST, ran("r2", approval="Approval()"), Held("r2", "approval")),
    Walk(
        "approval",
        "on the command line",
        ASKS,
        ran("r2", "--approve", *ANN, approval="Approval()"),
        Live("r2", by="ann", reason="it is better"),
    ),
    Walk(
        "approval",
        "by a click",
        ASKS,
        each(answered("r2", "cleo"), step("r2", "deployment")),
        Live("r2", by="cleo", reason="approved by cleo: seen by all"),
    ),
    Walk(
        "approval",
        "nobody in time and the definition says yes",
        ASKS,
        each(answered("r2", NOBODY), step("r2", "deployment")),
        Live("r2", by=NOBODY, reason="approved by nobody in time"),
    ),
    Walk(
        "approval",
        "rejected and run again",
        each(ASKS, answered("r2", "cleo", approved=False)),
        ran("r2", approval="Approval()"),
        Held("r2", "approval"),
    ),
    Walk(
        "promote",
        "a trial",
        TRIAL,
        said("promote", "shop", "--run", "r2", *ANN),
        Live("r2", "promote", "ann", "it is better"),
    ),
    Walk(
        "promote",
        "an old run",
        TWO,
        said("promote", "shop", "--run", "r1", *ANN),
        Live("r1", "promote", "ann", "it is better", mark="a"),
    ),
    Walk(
        "promote",
        "by the DAG",
        TRIAL,
        said("promote", "shop", "--run=r2", "--reason=why not", KILNWORKS_BY="dora"),
        Live("r2", "promote", "dora", "why not"),
    ),
    Walk(
        "promote",
        "what waits for a yes",
        ASKS,
        said("promote", "shop", "--run", "r2", *ANN),
        Live("r2", "promote", "ann", "it is better"),
    ),
    Walk(
        "rollback",
        "to the one before",
        TWO,
        said("rollback", "shop", *ANN),
        Live("r1", "rollback", "ann", "it is better", mark="a"),
    ),
    Walk(
        "rollback",
        "to a version",
        each(TWO, ran("r3", mark="c")),
        said("rollback", "shop", "--to", "1", *ANN),
        Live("r1", "rollback", "ann", "it is better", mark="a"),
    ),
    Walk(
        "rollback",
        "and the run that was left comes again",
        each(TWO, said("rollback", "shop", *ANN)),
        ran("r2"),
        Held("r2", "order"),
    ),
    Walk(
        "at once",
        "two promotions",
        each(TRIAL, ran("r3", "--to", "servable", mark="c")),
        at_once(("promote", "shop", "--run", "r2", *ANN), ("promote", "shop", "--run", "r3", *ANN)),
        Live("r2 r3", "promote", "ann", "it is better", mark="b c"),
    ),
    Walk(
        "at once",
        "the same run twice",
        HALF,
        at_once(*[("step", "shop", "deployment", "--run-id", "r2")] * 2),
        Live("r2"),
    ),
]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    (tmp_path / "pipelines").mkdir()
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return Shop(tmp_path)


def test_no_kind_of_path_is_left_out():
    assert {path.kind for path in PATHS} == EVERY_KIND
    with_champion = [path for path in PATHS if path.before is not nothing]
    assert {path.kind for path in with_champion} == EVERY_KIND


@pytest.mark.slow
@pytest.mark.parametrize("path", some(PATHS, PATHS[::2]), ids=lambda path: f"{path.kind}: {path.name}")
def test_who_decided_and_that_it_is_recorded(shop, path):
    path.before(shop)
    before, made = moves(shop.store, "shop"), champion(shop)
    files = digests(shop.store)
    path.act(shop)
    after = moves(shop.store, "shop")
    assert after[: len(before)] == before, "what was recorded stays as it was"
    if isinstance(path.ends, Held):
        held(shop, path.ends, made)
        assert after == before
    else:
        for move in after[len(before) :]:
            went_live(shop, path.ends, move)
        assert len(after) == len(before) + len(path.ends.run.split())
    chain(shop, after)
    assert files.items() <= digests(shop.store).items(), "a published version never changes"


def champion(shop: Shop) -> dict | None:
    path = shop.store / "champions" / "shop.json"
    return read_json(path) if path.is_file() else None


def digests(store: Path) -> dict[str, str]:
    """Each published file -> of its bytes."""
    files = [path for path in (store / "serving").glob("shop/[0-9]*/**/*") if path.is_file()]
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def went_live(shop: Shop, wanted: Live, move: dict) -> None:
    """The move says who decided and why, and so do the run and its report."""
    assert move["run_id"] in wanted.run.split()
    assert (move["action"], move["by"]) == (wanted.action, wanted.by)
    assert wanted.reason in move["reason"]
    assert Path(move["path"], "saved_model.pb").read_text()[0] in wanted.mark
    assert move["challenge"]["verdict"] in ("first", "same model", "unmeasured", "not asked")
    folder = shop.store / "runs" / "shop" / move["run_id"]
    if wanted.action != "rollback":  # which publishes what a run has published before
        kept = read_json(folder / "deployment" / "decision.json")
        assert kept["passed"] and kept["details"]["version"] == move["version"]
        assert wanted.by in kept["reason"] and wanted.reason in kept["reason"]
    shop("finish", "shop", "--run-id", move["run_id"])
    told(folder, "Went live", move)
    if move["previous"] is not None and move["previous"]["run_id"] != move["run_id"]:
        replaced = shop.store / "runs" / "shop" / move["previous"]["run_id"]
        told(replaced, f"of run {move['run_id']}", move)


def told(folder: Path, how: str, move: dict) -> None:
    """The report of a run names the move, who decided and why."""
    page = html.unescape((folder / "report.html").read_text())
    assert how in page
    assert f"version {move['version']}" in page
    assert f"{move['action']} by {move['by']}: {move['reason']} ({move['since']})" in page


def held(shop: Shop, wanted: Held, made: dict | None) -> None:
    """The champion is the one from before, and the run holds why."""
    assert champion(shop) == made
    folder = shop.store / "runs" / "shop" / wanted.run
    outcome = read_json(folder / "outcomes" / "deployment.json")
    assert outcome["outcome"] == "skipped"
    if (folder / "approvals" / "deployment.json").is_file():
        answer = read_json(folder / "approvals" / "deployment.json")
        assert not answer["passed"] and answer["details"]["by"] == "cleo"
    kept = read_json(folder / "deployment.skipped" / "decision.json")
    assert (kept["gate"], kept["passed"]) == (wanted.gate, False)
    assert kept["rule"] and kept["reason"] and kept["next_action"]


def chain(shop: Shop, recorded: list[dict]) -> None:
    """The pointer is the last move, each move names the one before it, and each has a version of its own."""
    names = [path.name for path in sorted((shop.store / "promotions" / "shop").glob("*"))]
    assert names == [f"{number:06d}.json" for number in range(1, len(recorded) + 1)]
    previous = None
    for move in recorded:
        assert move["previous"] == previous
        assert all(str(move[name]).strip() for name in ("by", "reason", "action", "since"))
        previous = {name: move[name] for name in previous or json.loads(pointer(shop))}
    versions = [move["version"] for move in recorded]
    assert versions == sorted(set(versions))
    if recorded:
        live = read_champion(shop.store, "shop")
        assert json.loads(pointer(shop)) == previous
        assert (Path(live.path) / "saved_model.pb").is_file()


def pointer(shop: Shop) -> str:
    return (shop.store / "champions" / "shop.json").read_text()
