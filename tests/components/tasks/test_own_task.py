"""A task of a user's own: chosen by name, kept beside the model, judged, served, and asked."""

from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.tasks.choose import choose, read_task, task_of, write_task
from kilnworks.schemas.code import Code
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.files import read_json
from tests.components.learning.training_examples import TABLE, context, customers, small
from tests.components.tasks.own_tasks import Careful

HERE = "tests.components.tasks.own_tasks"


def test_it_is_kept_by_the_name_of_its_class(tmp_path: Path) -> None:
    task = Careful.of(TABLE)
    write_task(task, tmp_path)
    assert read_json(tmp_path / "task.json")["code"] == f"{HERE}:Careful"
    assert read_task(tmp_path / "task.json") == task


def test_what_is_no_task_is_refused() -> None:
    assert choose(TABLE, Code(path=f"{HERE}:Careful")) is Careful
    assert choose(TABLE, None, Careful) is Careful and choose(TABLE).kind == "binary"
    with pytest.raises(ConfigError, match="is no task"):
        choose(TABLE, Code(path=f"{HERE}:no_task"))
    with pytest.raises(UnknownName, match="did you mean"):
        choose(TABLE, Code(path=f"{HERE}:Carefull"))


@pytest.mark.slow
def test_it_is_trained_judged_and_served(tmp_path: Path) -> None:
    import keras

    from kilnworks.components.evaluate import EvaluateConfig, evaluate
    from kilnworks.components.export import ExportConfig, export
    from kilnworks.components.exporting.skew import expected_answers
    from kilnworks.components.serving.loading.saved_model import load_saved_model
    from kilnworks.components.train import train

    given, transform = customers(tmp_path, 256)
    (tmp_path / "model").mkdir()
    config = small(epochs=1, task=f"{HERE}:Careful")
    model = train(config, given, transform, tmp_path / "model", context(tmp_path))
    task = task_of(model)
    assert isinstance(task, Careful) and model.training["task"] == "careful"
    target, output = np.array([[1.0], [0.0]], np.float32), np.array([[0.8], [0.3]], np.float32)
    focal = keras.losses.BinaryFocalCrossentropy()(target, output)
    assert task.measure(target, output)["loss"] == pytest.approx(float(focal))
    (tmp_path / "evaluation").mkdir()
    evaluation = evaluate(EvaluateConfig(split="val", resamples=100), model, given, tmp_path / "evaluation")
    assert evaluation.results["task"] == "careful" and "auc" in evaluation.results["metrics"]
    servable = export(ExportConfig(split="val"), model, given, evaluation, tmp_path / "servable")
    assert servable.description["task"] == "careful"
    assert isinstance(read_task(servable.saved_model / "assets.extra" / "task.json"), Careful)
    loaded = load_saved_model(str(servable.saved_model))
    assert set(loaded.signature_defs) >= {"serving_default", "classify", "regress"}
    loaded.close()
    assert expected_answers(task, output)["class"].tolist() == [b"yes", b"no"]
