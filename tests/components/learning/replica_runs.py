"""Trainings in a process of their own, for the tests: ``python -m tests.components.learning.replica_runs FILE``.

FILE holds a list of ``{"name", "root", "data", "config", "kill_at"}``. A run works in ``root`` (by default ``name``)
beside FILE and leaves ``out-name/weights.npz`` there. At ``kill_at`` epochs, which may be a fraction, the process kills
itself.
"""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np


def weights(model) -> list[np.ndarray]:
    """The weights of a finished training."""
    import keras

    return [np.array(w) for w in keras.saving.load_model(model.keras_path, compile=False).get_weights()]


def main(file: Path) -> None:
    """Run everything that the file names, in order."""
    from kilnworks.components.train import TrainConfig, train
    from kilnworks.schemas.artifacts import CheckedExamples, Transform
    from kilnworks.schemas.errors import KilnworksError
    from tests.components.learning.training_examples import context

    for run in json.loads(file.read_text()):
        root = file.parent / run.get("root", run["name"])

        def progress(now, kill_at=run.get("kill_at")) -> None:
            if kill_at and now.done >= kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        out = root / f"out-{run['name']}"
        out.mkdir(parents=True)
        data = Path(run["data"])
        try:
            model = train(
                TrainConfig.model_validate(run["config"]),
                CheckedExamples(data / "examples"),
                Transform(data / "transform"),
                out,
                context(root, progress),
            )
        except KilnworksError as error:
            (out / "error.json").write_text(json.dumps(error.record()))
            continue
        np.savez(out / "weights.npz", *weights(model))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
