"""The report tells what ails a training where it was measured, and the newest cross-validation."""

from kilnworks.components.reporting.diagnose_page import render_diagnosis
from kilnworks.components.reporting.report import render_report
from kilnworks.components.reporting.sections.diagnosis import leaning
from tests.components.reporting.invented_run import InventedRun, dump


def losses(loss, constant=0.6, shuffled=0.9):
    wave = [0.01 * (i % 5 - 2) for i in range(50)]
    kinds = {"loss": loss, "constant": constant, "shuffled": shuffled}
    return {"rows": 500, **{name: [value + w for w in wave] for name, value in kinds.items()}}


def page(tmp_path, train, val):
    run = InventedRun(tmp_path)
    run.examples()
    dump(run.path / "model" / "diagnosis.json", {"epoch": 3, "train": losses(train), "val": losses(val)})
    run.model()
    return render_report(run.path)


def test_a_gap_is_named_with_what_to_try(tmp_path):
    text = page(tmp_path, 0.1, 0.5)
    assert "High variance" in text and "kilnworks tune churn" in text and "kilnworks diagnose churn" in text


def test_where_nothing_is_to_be_seen_it_says_so(tmp_path):
    text = page(tmp_path, 0.40, 0.42)
    assert "Neither high bias nor high variance" in text and "Loss at the best epoch" in text


def test_only_what_was_looked_for_is_said_not_to_be_there(tmp_path):
    run = InventedRun(tmp_path)
    dump(run.path / "model" / "diagnosis.json", {"epoch": 3, "train": losses(0.4)})
    run.model()
    text = render_report(run.path)
    assert "Neither high bias nor sick layers can be seen." in text, "there are no validation rows"


def test_the_page_of_a_diagnosis_without_a_closer_look_says_what_was_looked_for():
    """As of a series, whose rows are not judged one by one."""
    sides = {"epoch": 3, "train": losses(0.40), "val": losses(0.42)}
    point = {"share": 1.0, "rows": 500, "best_epoch": 3, "seconds": 2.0, "run_id": "r1", "sides": sides}
    text = render_diagnosis({
        "pipeline": "demand", "name": "d1", "written": "today", "points": [point], "training": {"best_epoch": 3},
        "history": {}, "health": [], "leans": {}, "confident": {}, "simple": {}, "doubling": None, "verdicts": [],
        "looked_for": ["high bias", "high variance", "sick layers"],
    })  # fmt: skip
    assert "Neither high bias nor high variance nor sick layers can be seen." in text and "A closer look" not in text


def test_a_run_without_the_measure_has_no_such_section(tmp_path):
    run = InventedRun(tmp_path)
    run.examples()
    run.model()
    assert 'id="diagnosis"' not in render_report(run.path)


def test_a_damaged_measure_is_no_section(tmp_path):
    run = InventedRun(tmp_path)
    run.model()
    dump(run.path / "model" / "diagnosis.json", {"train": {"loss": [None], "rows": "x"}, "val": 7})
    assert 'id="diagnosis"' not in render_report(run.path)


def test_the_newest_finished_cross_validation_is_shown(tmp_path):
    run = InventedRun(tmp_path)
    run.examples()
    summary = {"val_auc": {"mean": 0.8123, "sd": 0.01, "low": 0.8, "high": 0.83}, "loss": {"mean": 1.0, "sd": None}}
    for name, mean in (("20260101-000000-aaaa", 0.7), ("20260102-000000-bbbb", 0.8123)):
        told = {"name": name, "how": "stratified, seed 0", "written": "today", "folds": [{"rows": {"train": 100}}]}
        told["summary"] = {**summary, "val_auc": {**summary["val_auc"], "mean": mean}}
        dump(tmp_path / "crossval" / "churn" / name / "results.json", told)
    dump(tmp_path / "crossval" / "churn" / "20260103-000000-cccc" / "crossval.json", {"name": "not finished"})
    text = render_report(run.path)
    assert "20260102-000000-bbbb" in text and "0.8123" in text and "20260101-000000-aaaa" not in text
    assert "standard deviation over folds" in text


def test_a_leak_is_told_by_importance_alone_where_one_feature_does_it_all():
    results = {
        "explained": {"metric": "auc", "features": [{"name": "a", "fall": 0.48}, {"name": "b", "fall": 0.001}]},
        "metrics": {"auc": {"value": 0.999}},
        "simple": {"constant": {"metrics": {"auc": 0.5}}},
    }
    assert leaning(results, {})["skill"] > 0.99
    assert leaning({**results, "simple": {}}, {}) == {}
    read = {"features": {"a": {"dtype": "string", "text": True}}}
    assert leaning(results, read) == {}, "a text is what a model is to read"


def test_commands_have_the_settings_by_which_the_run_differs_from_its_definition(tmp_path):
    """The run was made with 12 epochs; what is to be tried is tried beside them."""
    assert "kilnworks run churn --set model.epochs=12 --set" in page(tmp_path, 0.1, 0.5)
