"""Clusters are judged without a label, and compared with one that is there and never learned from."""

import numpy as np
import polars as pl
import pytest

from kilnworks.components.evaluate import EvaluateConfig, conclude
from kilnworks.components.judging.cluster_settings import How
from kilnworks.components.tasks.choose import choose, read_task, write_task
from kilnworks.components.tasks.clusters import Clustering
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, StepSkipped

FEATURES = {"a": {"dtype": "float"}, "b": {"dtype": "float"}}
PLAIN = Contract.model_validate({"name": "p", "features": FEATURES})
LABEL = {"name": "kind", "dtype": "string", "classes": ["x", "y", "z"], "learned": False}
LABELLED = Contract.model_validate({"name": "p", "features": FEATURES, "label": LABEL})


def output(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """What a model of three centres gives, and the group of each row; rows of the last two groups overlap."""
    draw = np.random.default_rng(0)
    group = draw.choice(3, n, p=[0.5, 0.3, 0.2])
    centres = np.array([[0.0, 0.0], [6.0, 0.0], [6.0, 2.0]])
    rows = centres[group] + draw.normal(size=(n, 2))
    squared = ((rows[:, None] - centres) ** 2).sum(axis=2)
    return np.c_[-squared.min(axis=1) / 2, -squared / 2, squared, rows].astype(np.float32), group


def calibrated(contract: Contract, how: How = How()) -> Clustering:
    from kilnworks.components.judging.clusters import principal

    rows = output()[0][:, -2:]
    return Clustering.of(contract).calibrated(how, 3, ("a", "b"), rows, principal(rows), (0.9, 0.8, 1.0))


def evaluated(contract: Contract, config: EvaluateConfig, out) -> tuple[dict[str, np.ndarray], dict, np.ndarray]:
    task, (given, group) = calibrated(contract), output()
    answers = {name: np.asarray(values) for name, values in task.looked_at(given).items()}
    frame = pl.DataFrame({"kind": np.array(["x", "y", "z"])[group], "a": np.zeros(len(group))})
    return answers, conclude(config, task, contract, frame, answers, {}, out).results, group


@pytest.mark.slow
def test_metrics_are_those_of_scikit_learn(tmp_path) -> None:
    from sklearn import metrics

    answers, results, group = evaluated(LABELLED, EvaluateConfig(min={"silhouette": 0.2}), tmp_path)
    found, cluster = results["metrics"], answers["cluster"]
    assert found["silhouette"]["value"] == pytest.approx(
        metrics.silhouette_score(answers["columns"], cluster), rel=1e-4
    )
    assert found["adjusted_rand"]["value"] == pytest.approx(metrics.adjusted_rand_score(group, cluster))
    information = metrics.adjusted_mutual_info_score(group, cluster)
    assert found["adjusted_mutual_information"]["value"] == pytest.approx(information)
    assert (found["stability"]["low"], found["stability"]["value"], found["stability"]["high"]) == (0.8, 0.9, 1.0)
    assert all(one["low"] < one["value"] < one["high"] for one in found.values())
    assert Clustering.headlines(results)[-1] == "adjusted_rand"


@pytest.mark.slow
def test_what_is_typical_is_far_from_the_mean_of_all(tmp_path) -> None:
    answers, results, _ = evaluated(PLAIN, EvaluateConfig(), tmp_path)
    rows = answers["columns"].astype(float)
    for one in results["table"]:
        own = answers["cluster"] == one["cluster"]
        apart = (rows[own].mean(axis=0) - rows.mean(axis=0)) / rows.std(axis=0)
        assert {part["column"]: part["apart"] for part in one["typical"]} == pytest.approx(
            dict(zip("ab", apart, strict=True)), rel=1e-4
        )
        assert abs(one["typical"][0]["apart"]) >= abs(one["typical"][1]["apart"])
        assert one["rows"] == own.sum() and one["share"] == pytest.approx(own.mean())
    assert [name for name, _ in Clustering.pictures(results)] == ["principal_components", "tsne", "typical"]


@pytest.mark.slow
def test_the_view_is_that_of_a_principal_component_analysis(tmp_path) -> None:
    from sklearn.decomposition import PCA

    answers, results, _ = evaluated(PLAIN, EvaluateConfig(), tmp_path)
    view, pca = results["views"]["pca"], PCA(2).fit(answers["columns"].astype(float))
    wanted = pca.transform(answers["columns"].astype(float))
    assert np.abs(view["x"]) == pytest.approx(np.abs(wanted[:, 0]), abs=1e-3)
    assert view["explained"] == pytest.approx(pca.explained_variance_ratio_, rel=1e-3)
    assert view["cluster"] == answers["cluster"].tolist()


@pytest.mark.slow
def test_without_a_label_what_needs_one_is_undefined_and_no_limit_on_it_passes(tmp_path) -> None:
    _, results, _ = evaluated(PLAIN, EvaluateConfig(), tmp_path)
    assert results["metrics"]["adjusted_rand"]["value"] is None
    assert "no label" in results["metrics"]["adjusted_mutual_information"]["reason"]
    with pytest.raises(StepSkipped):
        evaluated(PLAIN, EvaluateConfig(min={"adjusted_rand": 0.1}), tmp_path)


def test_a_label_is_not_learned_from_and_has_classes() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0], "kind": ["z", "x"]})
    assert Clustering.learned(LABELLED, frame).tolist() == [0, 0]
    assert Clustering.of(LABELLED).judged_by(frame)[0].tolist() == [2, 0]
    assert Clustering.needed(PLAIN) == [] and choose(LABELLED, None, Clustering) is Clustering
    numbers = {"name": "kind", "dtype": "float", "learned": False}
    with pytest.raises(ConfigError, match="to compare clusters with"):
        Clustering.of(Contract.model_validate({"name": "p", "features": FEATURES, "label": numbers}))


def test_either_of_two_clusters_that_fit_equally_well_is_right() -> None:
    task = calibrated(PLAIN)
    wanted = {"cluster": np.array([0, 0, 2]), "distances": np.array([[1, 1.00001, 3], [1, 1.5, 3], [3, 2, 1.0]])}
    assert task.difference("cluster", np.array([1, 1, 2]), wanted).tolist() == [0, np.inf, 0]


def test_no_rows_have_answers_of_the_same_shapes_and_the_task_is_kept(tmp_path) -> None:
    task = calibrated(PLAIN, How(method="gaussian_mixture"))
    none = task.looked_at(np.zeros((0, task.outputs), np.float32))
    assert {name: tuple(values.shape) for name, values in none.items()} == {
        "cluster": (0,),
        "distance": (0,),
        "probabilities": (0, 3),
        "columns": (0, 2),
    }
    assert [a.name for a in task.answered] == ["cluster", "distance", "probabilities"]
    write_task(task, tmp_path)
    assert read_task(tmp_path / "task.json") == task
