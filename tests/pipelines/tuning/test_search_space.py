"""What a search tries: declared or the architecture's own, conditional on choices, refused before the first trial."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from kilnworks.components.modeling.architectures import AnyModel
from kilnworks.components.modeling.generative.boltzmann import Rbm
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.space import Space
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.kinds import kinds_of, members_of
from kilnworks.schemas.search import Choice, Float, Int, Search

RATE = "model.optimizer.learning_rate"
WITHOUT = {"clusters", "custom"}
"""Architectures that are fitted without epochs, or whose settings are a user's own."""
NEEDED = {"transfer": {"weights": "imagenet"}, "dqn": {"environment": "CartPole-v1"}}
"""Settings that an architecture cannot do without."""


@pytest.fixture(scope="module")
def churn():
    return load("churn")


def searching(pipeline, **search):
    return replace(pipeline, search=Search(**search))


@pytest.mark.parametrize("kind", sorted(k for m in members_of(AnyModel) for k in kinds_of(m)))
def test_each_architecture_has_a_space_of_settings_that_it_takes(churn, kind):
    model = next(m for m in members_of(AnyModel) if kind in kinds_of(m))
    if kind in WITHOUT:
        assert not model.space
        return
    assert model.space
    made = model(**NEEDED.get(kind, {}))
    for name, dimension in model.space.items():
        for value in dimension.bounds():
            made.updated({name: value})


def test_without_a_space_in_the_definition_it_is_the_architectures_and_the_learning_rate(churn):
    space = Space.of(churn)
    assert not space.declared
    assert set(space.dimensions) == {"model.model.units", "model.model.dropout", "model.model.l2", RATE}
    assert space.dimensions[RATE] == Float(low=1e-4, high=1e-2, log=True)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("digits_rbm", {"units", "divergence_rate", "dropout"}),
        ("gridworld", {"units", "n_step", "target_every"}),
        ("groceries", {"units", "dropout", "fine_tune"}),
    ],
)
def test_spaces_of_examples_are_what_their_architecture_offers(name, settings):
    assert set(Space.of(load(name)).dimensions) == {*(f"model.model.{setting}" for setting in settings), RATE}


def test_the_learning_rate_is_left_out_where_no_optimizer_of_the_training_learns(churn):
    machine = churn.configured({"model.model.kind": "rbm"})
    assert set(Space.of(machine).dimensions) == {f"model.model.{setting}" for setting in Rbm.space}


@pytest.mark.parametrize(
    ("name", "dimension", "error", "says"),
    [
        ("model.model.unitz", Choice(values=((8,),)), UnknownName, "did you mean 'model.model.units'"),
        (RATE, Float(low=-1.0, high=1.0), ConfigError, RATE),
        ("model.model.dropout", Float(low=0.0, high=2.0), ConfigError, "less than 1"),
        ("evaluation.resamples", Choice(values=(10, 20)), ConfigError, "same validation rows"),
        ("examples.rows_per_shard", Choice(values=(10, 20)), ConfigError, "same validation rows"),
        ("model.monitor", Choice(values=("val_auc", "val_loss")), ConfigError, "same number"),
        ("model.label_smoothing", Float(low=0.0, high=0.2), ConfigError, "same number"),
    ],
)
def test_what_cannot_be_searched_over_is_refused_by_name(churn, name, dimension, error, says):
    with pytest.raises(error) as refused:
        Space.of(searching(churn, space={name: dimension}))
    assert says in str(refused.value)


def test_smoothed_labels_may_be_searched_over_where_the_objective_is_no_loss(churn):
    space = {"model.label_smoothing": Float(low=0.0, high=0.2)}
    assert Space.of(searching(churn, space=space, objective="val_auc")).dimensions == space


def test_settings_of_another_kind_are_asked_for_only_where_that_kind_is_chosen(churn):
    kinds = Choice(values=("mlp", "tabular"))
    space = Space.of(
        searching(
            churn,
            space={
                "model.model.kind": kinds,
                "model.model.units": Choice(values=((8,), (16,))),
                "model.model.tabular.members": Int(low=2, high=4),
                RATE: Float(low=1e-4, high=1e-2, log=True),
            },
        )
    )

    def asked(kind):
        names = []

        def ask(name, dimension):
            names.append(name)
            return {"model.model.kind": kind, RATE: 0.003}.get(name, dimension.bounds()[0])

        return names, space.overrides(ask)

    assert asked("mlp") == (
        ["model.model.kind", "model.model.units", RATE],
        {"model.model.units": (8,), RATE: 0.003},
    )
    names, overrides = asked("tabular")
    assert names == ["model.model.kind", "model.model.tabular.members", RATE]
    assert overrides == {"model.model.kind": "tabular", "model.model.members": 2, RATE: 0.003}
    made = churn.configured(overrides)["model"].config
    assert made.model.kind == "tabular" and made.model.members == 2


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Choice(values=(1, 2, 1)), "stands there twice"),
        (lambda: Float(low=2.0, high=1.0), "low must be below high"),
        (lambda: Float(low=0.0, high=1.0, log=True), "above 0"),
        (lambda: Int(low=1, high=9, log=True, step=2), "leave one of them out"),
    ],
)
def test_values_that_are_none(make, says):
    with pytest.raises(ValidationError, match=says):
        make()
