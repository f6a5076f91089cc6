"""The notebook of ``docs/python.md`` runs in a fresh project, and what it shows is right."""

import json
import os
import re
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from kilnworks.pipelines.cli.app import main
from tests import preloaded

ROOT = Path(__file__).parents[2]

KERNEL = """
    import builtins
    class ZMQInteractiveShell: pass  # by this name a kernel is known
    builtins.get_ipython = ZMQInteractiveShell
"""

CHECKS = """
    import json
    import polars as pl, pytest
    from sklearn.metrics import roc_auc_score
    from kilnworks.schemas.errors import ConfigError, DataInvalid, DataUnreadable, RequestInvalid, UnknownName

    test = run.rows("test")
    recorded = json.loads((run.folder / "evaluation/evaluation.json").read_text())
    assert run.metrics().filter(metric="auc")["value"].item() == recorded["metrics"]["auc"]["value"]
    auc = roc_auc_score((test["Churn"] == "Yes").to_numpy(), answers["probability_Yes"].to_numpy())
    assert auc == pytest.approx(recorded["metrics"]["auc"]["value"], abs=1e-6), "answers stand in the order of the rows"

    assert list(told.index) == test["customerID"].to_list()
    assert told["probability_Yes"].to_list() == answers["probability_Yes"].to_list()
    for rows in (test.lazy(), test.to_dict(as_series=False), test.to_dicts(), test.drop("Churn", "customerID")):
        assert customers.predict(rows).equals(answers)
    test.write_csv("some.csv")
    assert customers.predict("some.csv")["class"].to_list() == answers["class"].to_list()

    assert run.history().height == 6 and run.history()["epoch"].to_list() == [1, 2, 3, 4, 5, 6]
    assert run.steps()["step"].to_list() == [step.name for step in customers.definition().steps]
    assert set(run.outcome.values()) == {"done"} and run.report.is_file()
    assert customers.runs()["run"].to_list() == [run.id] and customers.runs()["live"].to_list() == [True]
    assert customers.find_run().outcome == run.outcome and kilnworks.names() == NAMES

    for wrong, error, words in [
        (test.drop("tenure"), DataInvalid, "tenure"),
        (test.with_columns(tenure=pl.lit(500)), RequestInvalid, "tenure"),
        (7, DataUnreadable, "int"),
        ({"tenure": [1, "x"]}, DataUnreadable, "table"),
        ("nowhere.csv", DataUnreadable, "nowhere.csv"),
    ]:
        with pytest.raises(error, match=words) as caught:
            customers.predict(wrong)
        assert "/tmp" not in str(caught.value) and "parquet" not in str(caught.value)
    with pytest.raises(UnknownName, match="customers"):
        kilnworks.load("custommers")
    with pytest.raises(ConfigError, match="epoch"):
        customers.run({"model.epoch": 3})
    with pytest.raises(ConfigError, match="kilnworks init"):
        kilnworks.load("customers", project="own")
    with pytest.raises(UnknownName, match="test"):
        run.rows("tests")
    import os, pathlib
    for place in ("other", pathlib.Path("other")):  # counts from where it was loaded
        elsewhere = kilnworks.load("customers", store=place)
        os.chdir("own")
        assert elsewhere.store.root == pathlib.Path("../other").resolve() and elsewhere.runs().is_empty()
        os.chdir("..")
    one = customers.predict(test.row(0, named=True))
    from polars.testing import assert_frame_equal
    assert_frame_equal(one, answers[:1], check_exact=False, rel_tol=1e-5, abs_tol=1e-6)
    trial = customers.run({"model.batch": 16, "model.epochs": 6}, quiet=True, last="deployment")
    assert trial.outcome["deployment"] == "skipped" and trial.outcome["checked"] == "cached"
    assert "trial" in trial.steps().filter(step="deployment")["reason"].item()
    assert "leavers" not in trial.outcome
    assert customers.predict(test).equals(answers), "a trial publishes nothing"
"""


def cells() -> list[str]:
    """The code of the notebook, cell by cell."""
    notebook = json.loads((ROOT / "docs/python.ipynb").read_text())
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["name"]) == (4, "python3")
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_three_lines_are_those_of_the_notebook(page):
    blocks = re.findall(r"```python\n(import kilnworks\n.*?)```", (ROOT / page).read_text(), re.S)
    written = [re.sub(r"  #.*", "", block).strip() for block in blocks]
    assert written == [cells()[0]] and len([line for line in written[0].splitlines()[1:] if line]) == 3


@pytest.mark.slow
def test_the_notebook_runs_in_a_fresh_project(tmp_path, monkeypatch):
    monkeypatch.delenv("KILNWORKS_ROOT", raising=False)
    assert main(["init", str(tmp_path / "shop")]) == 0
    names = sorted(path.stem for path in (ROOT / "pipelines").glob("*.py") if not path.stem.startswith("_"))
    names = sorted([*names, "customers"])
    code = "\n".join([dedent(KERNEL), *cells(), f"NAMES = {names!r}", dedent(CHECKS)])
    (tmp_path / "walked_notebook.py").write_text(code)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("KILNWORKS")}
    done = subprocess.run(
        [*preloaded.python(), "-m", "walked_notebook"],
        cwd=tmp_path / "shop",
        env={**clean, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "model: done in" in done.stdout, "lines of the stream; in a kernel, rich gives each an output of its own"
