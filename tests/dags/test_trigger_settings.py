"""What a trigger gives is held against the form of its DAG: names, kinds, and values by their short names."""

import pytest

from kilnworks.pipelines.core.registry import load
from kilnworks.schemas.errors import ConfigError

pytestmark = pytest.mark.slow
ADAM = "model.optimizer.kind is 'adam'"


@pytest.fixture(scope="module")
def fields():
    """The form of the shipped definition, as Airflow keeps it."""
    from kilnworks.dags.factory import build_dag
    from kilnworks.dags.trigger_settings import Fields

    params = build_dag(load("churn")).params
    found = {name: params.get_param(name) for name in params}
    return Fields("churn", {n: p.value for n, p in found.items()}, {n: p.schema for n, p in found.items()})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"model.epochs": 3, "live": "train only"},
        {"model.optimizer.kind": "sgd", "model.optimizer.momentum": 0.9},
        {"model.optimizer.kind": "sgd", "model.optimizer.sgd.momentum": 0.9},
        {"model.optimizer": {"kind": "sgd", "momentum": 0.9}},
        {"model.optimizer.kind": "my_project.optimizers:Lion", "model.optimizer.tail": 1},
        {"evaluation.min.auc": 0.8, "transform.features.age.buckets": 4},
        {"model.metrics.0": "auc"},
    ],
)
def test_what_the_command_line_would_take_is_taken(fields, given):
    fields.check(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model.epoch": 3}, "churn has no setting 'model.epoch'.*did you mean 'model.epochs'"),
        ({"epochs": 3}, "no setting 'epochs'.*did you mean 'model.epochs'"),
        ({"mode.epochs": 3}, "did you mean 'model.epochs'"),
        ({"model.optimizer.momentum": 0.9}, "no setting 'model.optimizer.momentum'"),
        ({"model.optimizer.kind": "sgd", "model.optimizer.momentun": 0.9}, "did you mean 'model.optimizer.momentum'"),
        ({"model.optimizer.sgd.momentum": 0.9}, f"a setting of 'sgd', and {ADAM}.*set model.optimizer.kind to 'sgd'"),
        ({"model.optimizer.kind": "sdg"}, "'sdg'.*one of .*sgd.*did you mean 'sgd'"),
        ({"model.optimizer.kind": "sgd", "model.optimizer.momentum": 5}, "5 is greater than or equal to the maximum"),
        ({"": 1}, "no setting ''"),
        ({"model.epochs": 0}, "model.epochs: 0 is less than the minimum of 1.*whole number from 1 on"),
        ({"model.label_smoothing": 1.5}, "model.label_smoothing: 1.5 is greater.*number from 0 on and below 1"),
        ({"model.precision": "float8"}, "'float8' is not one of.*one of 'float32', 'mixed_float16'"),
        ({"model.batch": "many"}, "'many' is not of type 'integer'.*whole number from 1 on"),
    ],
)
def test_what_no_run_could_take_is_refused_with_the_nearest(fields, given, words):
    with pytest.raises(ConfigError, match=f"(?s){words}"):
        fields.check(given)


def test_a_list_of_kinds_takes_the_place_of_a_class_by_rest_and_nothing_else(fields):
    """The form shows a list; the server holds a value against the rule below it."""
    from airflow.sdk import Param
    from airflow.sdk.exceptions import ParamValidationError

    rules = fields.rules["model.model.kind"]
    assert rules["enum"][:2] == ["mlp", "cnn"]
    for good in ("cnn", "my_project.models:MyNet"):
        assert Param(good, **rules).resolve() == good
    for bad in ("mpl", "my project:Net", 3, None):
        with pytest.raises(ParamValidationError):
            Param(bad, **rules).resolve()


def test_no_field_has_a_rule_that_the_form_would_apply_without_a_word(fields):
    for name, rules in fields.rules.items():
        assert not rules.keys() & {"minimum", "maximum", "minLength", "maxLength"}, name


def test_help_is_a_text_without_raw_markup():
    from kilnworks.dags.factory import build_dag

    params = build_dag(load("churn")).params
    for name in params.keys() - {"live"}:
        said = params.get_param(name).description
        assert said and "`" not in said, name
