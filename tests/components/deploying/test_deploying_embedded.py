"""From an exported model to an answer of the embedded server, which takes up each version that is deployed."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from kilnworks.schemas.champion import read_champion
from tests.components.deploying.deploying_models import run_deploy
from tests.components.features import tabular
from tests.served import served

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model of every kind of feature, exported twice with different weights, and the rows it is asked about."""
    from kilnworks.components.export import ExportConfig, export
    from kilnworks.components.preprocess import preprocess

    folder = tmp_path_factory.mktemp("made")
    frame = tabular.rows(40, seed=3)
    examples = tabular.examples(folder / "e", tabular.contract(), {"train": [tabular.rows(300)], "test": [frame]})
    transform = preprocess(tabular.SETTINGS, examples, folder / "t")
    evaluation = tabular.evaluated(folder / "v")
    servables, models = [], []
    for seed in (1, 2):
        models.append(tabular.untrained(folder / f"m{seed}", transform, seed))
        servables.append(export(ExportConfig(keras_file=False), models[-1], examples, evaluation, folder / f"s{seed}"))
    return frame, models, servables


@pytest.fixture
def server():
    """Starts the embedded server on a base path and gives its gRPC address."""
    with ExitStack() as stack:

        def start(base):
            return stack.enter_context(served("--model_name=kinds", f"--model_base_path={base}"))

        yield start


def test_the_server_takes_up_what_is_deployed_and_answers_as_the_model_does(tmp_path, made, server):
    from kilnworks.components.features.raw import raw_arrays
    from kilnworks.components.learning.predict import predict
    from kilnworks.components.serving.client import Client

    frame, models, servables = made
    store = tmp_path / "store"
    first = run_deploy(store, servables[0], tmp_path / "1", pipeline="kinds")
    announced = server(Path(first.description["path"]).parent)
    address = f"127.0.0.1:{announced['grpc_port']}"
    run_deploy(store, servables[1], tmp_path / "2", run="r2", pipeline="kinds", server=address, server_seconds=60.0)
    assert read_champion(store, "kinds").run_id == "r2"
    raw = raw_arrays(tabular.contract(), frame)
    with Client(address) as client:
        answer = client.predict("kinds", raw)
        assert answer.version == 2
        np.testing.assert_allclose(
            answer.outputs["probabilities"], predict(models[1], frame)["probabilities"], atol=1e-5
        )
        classes = np.array([b"no", b"yes"])[answer.outputs["probabilities"].argmax(axis=1)]
        assert answer.outputs["class"].tolist() == classes.tolist()
