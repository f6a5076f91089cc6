"""A pipeline of seconds whose models are real SavedModels: one number decides how good each is."""

from pathlib import Path
from shutil import copytree

from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.schemas.artifacts import CheckedExamples, Evaluation, Examples, Model, Servable
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import read_json, write_json
from kilnworks.schemas.wire import CONTRACT_FILE, TASK_FILE

TREE = {
    "name": "shop",
    "features": {"x": {"dtype": "float"}},
    "label": {"name": "y", "dtype": "string", "classes": ["no", "yes"]},
}


class DrawConfig(Config):
    """Where the rows are."""

    path: str


class LearnConfig(Config):
    """A model that gives ``sigmoid(slope * x + bias)``."""

    slope: float = 1.0
    bias: float = 0.0
    mark: str = ""
    takes: str = "x"


class JudgeConfig(JudgeSettings):
    """Which rows are judged."""

    split: str = "test"


def draw(config: DrawConfig, out: Path) -> Examples:
    """The rows of a CSV file, half of them to test on. A form of all that ``ingest`` takes is long to read."""
    from kilnworks.components.ingest import IngestConfig, ingest
    from kilnworks.components.sources import ByHash, CsvSource
    from kilnworks.components.sources.splitting.splits import Shares

    split = ByHash(shares=Shares(train=0.4, val=0.1, test=0.5))
    contract, source = Contract.model_validate(TREE), CsvSource(path=config.path)
    return ingest(IngestConfig(contract=contract, source=source, split=split), out)


def check(config: Config, examples: Examples, out: Path) -> CheckedExamples:
    """The examples as they are."""
    copytree(examples.path, out, dirs_exist_ok=True)
    (out / "manifest.json").unlink(missing_ok=True)
    return CheckedExamples(out)


def learn(config: LearnConfig, examples: CheckedExamples, out: Path) -> Model:
    """What is set, and no more."""
    write_json(out / "training.json", config.model_dump(mode="json"))
    return Model(out)


def judge(config: JudgeConfig, model: Model, examples: CheckedExamples, out: Path) -> Evaluation:
    """A number, so that there is an evaluation."""
    slope = read_json(model.path / "training.json")["slope"]
    write_json(
        out / "evaluation.json", {"task": "binary", "metrics": {"auc": {"value": slope, "low": None, "high": None}}}
    )
    return Evaluation(out)


def grade(config: Config, model: Model, examples: CheckedExamples, out: Path) -> Evaluation:
    """``judge`` with nothing to set."""
    return judge(JudgeConfig(), model, examples, out)


def export(config: Config, model: Model, evaluation: Evaluation, out: Path) -> Servable:
    """A SavedModel in the form that a trained one has."""
    import tensorflow as tf

    from kilnworks.components.tasks.binary import Binary
    from kilnworks.components.tasks.choose import write_task

    told = read_json(model.path / "training.json")
    name, saved = told["takes"], out / "model"

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name)])
        def serve(self, x):
            score = tf.sigmoid(told["slope"] * x + told["bias"])
            return {"probabilities": tf.stack([1 - score, score], axis=1), "score": score}

    net = Net()
    tf.saved_model.save(net, str(saved), signatures={"serving_default": net.serve})
    contract = Contract.model_validate({**TREE, "features": {name: {"dtype": "float"}}})
    write_json(saved / CONTRACT_FILE, contract.model_dump(mode="json"))
    write_task(Binary.of(contract), (saved / TASK_FILE).parent)
    write_json(out / "servable.json", {"metrics": {}, "signatures": {}})
    return Servable(out)
