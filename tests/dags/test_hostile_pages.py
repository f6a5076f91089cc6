"""Pages, notes and questions in Airflow of runs whose every text tries to become markup."""

import json
from types import SimpleNamespace

import pytest

from kilnworks.components.reporting.report import render_report
from kilnworks.dags import live
from kilnworks.dags.pages import overview, said, waiting
from kilnworks.dags.side_by_side import side_by_side
from kilnworks.dags.summaries import Summaries
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.files import write_json
from kilnworks.schemas.markdown import cell, code, escaped
from tests.hostile import HOSTILE, MARK, harmless


@pytest.fixture(params=range(len(HOSTILE)), ids=lambda place: HOSTILE[place][:12])
def text(request):
    return HOSTILE[request.param]


@pytest.fixture
def store(tmp_path, text):
    """A store where every text of two runs, a decision and an alert is hostile."""
    store = Store(tmp_path)
    for number in range(2):
        made = store.run("churn", f"r{number}")
        made.begin(text, {text: text})
        made.record("model", text, seconds=1.0, reason=text, progress={"done": 1, "total": 2, "note": text})
        made.record("evaluation", "failed", seconds=1.0, reason=text, error={"got": text, "wanted": text, "fix": text})
        config = {text: [number, text]}
        write_json(made.path / "model" / "manifest.json", {"config": config, "fingerprint": text})
        (made.path / "model" / "history.csv").write_text(f"epoch,{json.dumps(text).replace(',', ';')}\n1,0.5\n2,0.4\n")
        write_json(made.path / "evaluation" / "manifest.json", {"fingerprint": text})
        write_json(made.path / "evaluation" / "evaluation.json", {"metrics": {text: {"value": number / 2}}})
        write_json(made.path / "deployment" / "manifest.json", {"fingerprint": text})
        write_json(made.path / "deployment" / "deployment.json", {"version": text, "path": text})
        decision = {"gate": text, "passed": False, "rule": text, "headline": text, "checks": [{"name": text}]}
        write_json(made.path / "evaluation" / "decision.json", decision)
    write_json(tmp_path / "retraining/churn/decisions/000001-x.json", {"at": 0, "verdict": text, "headline": text})
    alert = {"at": 0, "kind": text, "pipeline": text, "run_id": text, "task": text, "text": text}
    write_json(tmp_path / "alerts" / "x.json", alert)
    return store


def test_no_page_has_markup_of_a_run(store, text):
    every = Summaries().newest(store, "churn", 10)
    assert len(every) == 2
    run = every[0].run
    shown = {
        "overview": harmless(overview(store, ["churn", text]), scripts=1).words,
        "compare": harmless(side_by_side(every, every), scripts=1).words,
        "live": harmless(live.live(run, "nonce"), scripts=1).words,
        "said": harmless(said(text, text)).words,
        "waiting": harmless(waiting(text, text), refreshes=1).words,
        "report": harmless(render_report(run.path)).words,
    }
    for page in ("overview", "compare", "said", "report"):
        assert text in shown[page], page


def test_a_record_of_another_shape_leaves_the_page_whole(tmp_path):
    write_json(tmp_path / "alerts" / "x.json", {"at": 0})
    write_json(tmp_path / "retraining/churn/decisions/000001-x.json", {"at": 0, "verdict": ["<b>"]})
    assert "&lt;b&gt;" in overview(Store(tmp_path), ["churn"])


@pytest.mark.parametrize("write", [escaped, cell, code], ids=["text", "cell", "code"])
def test_markdown_makes_nothing_of_a_text(write, text):
    """Read by the parser of Jupyter and MyST, which knows HTML, links by reference and tables."""
    from markdown_it import MarkdownIt

    read = MarkdownIt("commonmark", {"html": True}).enable("table")
    for prefix in ("", "> ", "* ", "why: ", "| a |\n|---|\n| "):
        tree = harmless(read.render(prefix + write(text)))
        assert not {"a", "h1", "h2"} & {tag for tag, _ in tree.elements}
        assert MARK in tree.words


def test_a_definition_of_a_link_is_none():
    from markdown_it import MarkdownIt

    for text in (f"[a]: https://{MARK}.example\n\n[a] ![a]", f"> [a]: https://{MARK}.example\n\n[a][a]"):
        assert "<a" not in MarkdownIt().render(escaped(text))
        assert "<a" in MarkdownIt().render(text)


@pytest.mark.slow
def test_the_note_of_a_run_is_text(project, text):
    from markdown_it import MarkdownIt

    from kilnworks.dags.notes import on_dag_run_failed

    Store(project).run("toy", "r1").record("model", "failed", reason=text)
    dag_run = SimpleNamespace(dag_id="toy", run_id="r1", note=None, dag=SimpleNamespace(tags={"kilnworks"}))
    on_dag_run_failed(dag_run, "")
    read = harmless(MarkdownIt("commonmark", {"html": True}).render(dag_run.note))
    assert {tag for tag, _ in read.elements} <= {"p", "code"}
