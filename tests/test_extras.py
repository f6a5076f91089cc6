"""What each extra promises works where nothing else is installed, and what is missing is told in one line."""

import sys

import pytest

from kilnworks.schemas.extras import ALONE, EXTRAS, missing_extra
from tests.only import PROJECT, asked, closure, command, owners, plain, ran, refused
from tests.test_layers import FILES, ROOT, imported, label

FIXED = {
    *("tensorflow", "keras", "tensorflow-datasets", "apache-airflow", "tensorflow-serving-api"),
    *("great-expectations", "pytest"),
}
PLACES = {
    ("schemas", "pipelines", "kilnworks", "kilnworks_client"): (),
    ("components/dates", "components/charts", "components/monitoring", "components/reporting"): (),
    ("components/sources", "components/quality", "components/sketches", "components/retraining"): ("data",),
    ("components/cutting",): ("data",),
    (
        "components/features",
        "components/series",
        "components/modeling",
        "components/learning",
        "components/exporting",
    ): ("train",),
    ("components/tasks", "components/judging", "components/starting", "components/challenging"): ("train",),
    ("components/predicting", "components/deploying", "components/environments", "components/explaining"): ("train",),
    ("components/compressing", "components/diagnosing", "components/fairness"): ("train",),
    ("components/serving", "components/load"): ("serve",),
    ("components/tracking",): ("mlflow",),
    ("dags",): ("airflow",),
}
"""Folders -> the extra with which their files work, anywhere in them."""
ELSEWHERE = {
    "pipelines/cli": {"mlflow"},
    "pipelines/tuning": {"optuna"},
    "components/quality": {"pyspark", "py4j", "tensorflow_metadata"},
    "components/sources": {"tensorflow", "tensorflow_datasets"},
    "components/modeling": {"keras_hub"},
}
"""What a folder imports for some users only, who are told the extra."""


def third(path) -> set[str]:
    """Modules of others that a file imports, anywhere in it."""
    ours = {"schemas", "components", "pipelines", "dags", "kilnworks", "kilnworks_client"}
    return {name.partition(".")[0] for name in imported(path)} - sys.stdlib_module_names - ours


def belongs(path, folder: str) -> bool:
    return path.is_relative_to(ROOT / folder)


@pytest.mark.parametrize("folders", PLACES, ids=lambda folders: folders[-1])
def test_files_import_what_plain_kilnworks_and_their_extra_bring(folders):
    allowed = closure(*PLACES[folders])
    for path in (path for path in FILES if any(belongs(path, folder) for folder in folders)):
        known = set().union(*(names for folder, names in ELSEWHERE.items() if belongs(path, folder)))
        missing = {name for name in third(path) - known if not owners().get(name, frozenset()) & allowed}
        assert missing == set(), label(path)


def test_every_room_has_an_extra():
    named = {folder for folders in PLACES for folder in folders}
    rooms = {f"components/{path.parent.name}" for path in (ROOT / "components").glob("*/__init__.py")}
    assert rooms <= named


@pytest.mark.parametrize("module", EXTRAS)
def test_the_table_says_which_extras_bring_a_module(module):
    assert owners()[module] & closure() == frozenset(), "plain kilnworks brings it"
    assert EXTRAS[module] and set(EXTRAS[module]) <= set(ALONE)
    for extra in EXTRAS[module]:
        assert owners()[module] & closure(extra)


def test_whatever_an_extra_asks_for_is_in_the_table():
    for extra in ALONE:
        for one in asked(extra):
            held = {plain(one.name), *(f"{plain(one.name)}-{part}" for part in ("core", "binary"))}
            modules = {module for module, owner in owners().items() if owner & held}
            assert modules & EXTRAS.keys(), f"{one.name} of {extra}"


def test_the_packages_of_the_project_are_locked():
    assert {plain(one.name) for extra in ("all", "dev") for one in asked(extra)} >= FIXED
    assert set(PROJECT["optional-dependencies"]) == {*ALONE, "all", "dev"}
    assert set(map(str, asked("dev"))) >= set(map(str, asked("all")))
    assert {str(one) for extra in ALONE for one in asked(extra)} == set(map(str, asked("all")))


@pytest.mark.parametrize(
    ("extras", "lacks"),
    [
        ((), {"tensorflow", "airflow", "great_expectations", "mlflow", "pyspark", "pandas", "sklearn"}),
        (("data",), {"tensorflow", "airflow", "mlflow", "pyspark"}),
        (("train",), {"airflow", "mlflow", "pyspark", "httptools", "grpc_health"}),
        (("serve",), {"airflow", "mlflow", "pyspark", "great_expectations", "pandas", "sklearn", "pyarrow"}),
        (("airflow",), {"tensorflow", "keras", "mlflow", "pyspark", "great_expectations", "sklearn"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_an_extra_leaves_out_what_others_need(extras, lacks):
    assert lacks <= set(refused(*extras))


@pytest.mark.slow
def test_plain_kilnworks_shows_what_there_is(tmp_path):
    said = ran(command(["list"], ["show", "churn"], ["runs", "churn"]), folder=tmp_path)
    assert "churn" in said and "MonthlyCharges" in said and "no runs yet" in said
    said = ran(command(["load", "127.0.0.1:9", "churn"]), folder=tmp_path, ok=False)
    assert "ServerUnavailable" in said and "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "who", "extra"),
    [
        (("serve", "--port=0"), "kilnworks serve", "serve"),
        (("run", "churn"), "step examples", "data"),
        (
            ("contract", "check", "schemas/contracts/churn.yaml", "data/churn/churn.csv"),
            "kilnworks contract check",
            "data",
        ),
    ],
    ids=["serve", "run", "contract"],
)
def test_a_missing_extra_is_told_and_not_traced(tmp_path, words, who, extra):
    said = ran(command(words), folder=tmp_path, ok=False)
    got, wanted, fix = said[said.index("ExtraMissing: ") :].splitlines()[:3]
    assert got.startswith(f"ExtraMissing: {who} needs ") and got.endswith(", which is not installed")
    assert wanted == f"  wanted: the extra '{extra}'" and fix == f"  to do:  pip install 'kilnworks[{extra}]'"
    assert "Traceback" not in said


def test_a_definition_that_imports_what_is_not_there_is_told_the_extra(tmp_path):
    """Its error names the file and the line; the mend is the extra."""
    error = ModuleNotFoundError("No module named 'keras'", name="keras.layers")
    found = missing_extra(error, "the definition")
    assert found is not None and (found.exit_code, found.details) == (2, {"extra": "train", "module": "keras"})


def test_other_modules_that_are_missing_are_no_extra():
    assert missing_extra(ModuleNotFoundError("x", name="somebody.else"), "kilnworks run") is None
    assert missing_extra(ModuleNotFoundError("x"), "kilnworks run") is None
    assert missing_extra(ImportError("x", name="tensorflow"), "kilnworks run") is None
