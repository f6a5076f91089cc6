"""Chains that many pipelines share, so that a definition is about ten lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kilnworks.components.compress import CompressConfig, LitertConfig, compress, to_litert
from kilnworks.components.deploy import DeployConfig, deploy
from kilnworks.components.evaluate import EvaluateConfig, evaluate
from kilnworks.components.explain import ExplainConfig, explain
from kilnworks.components.export import ExportConfig, export
from kilnworks.components.ingest import IngestConfig, ingest
from kilnworks.components.preprocess import PreprocessConfig, preprocess
from kilnworks.components.train import TrainConfig, finetune, train
from kilnworks.components.validate import ValidateConfig, validate
from kilnworks.pipelines.core.graph import Champion, Latest, Pipeline, Step

ROOT = Path(__file__).resolve().parents[2]
"""Root of the repository: where ``data/`` lies, and ``schemas/contracts/``."""


def supervised(
    name: str,
    examples: IngestConfig,
    model: TrainConfig,
    *,
    validation: ValidateConfig = ValidateConfig(),
    transform: PreprocessConfig = PreprocessConfig(),
    evaluation: EvaluateConfig = EvaluateConfig(),
    servable: ExportConfig = ExportConfig(),
    deployment: DeployConfig = DeployConfig(),
    base: Champion | Latest | None = None,
    compressed: CompressConfig | None = None,
    litert: LitertConfig | None = None,
    explained: ExplainConfig | None = None,
    more: Sequence[Step] = (),
    **operations: Any,
) -> Pipeline:
    """Rows with a label in, a deployed model out.

    Args:
        name: of the pipeline and of the model that clients ask for.
        examples: where the rows come from, their contract and the splits.
        model: architecture and training.
        validation: what is done about rules that are broken.
        transform: preprocessing by feature.
        evaluation: metrics and the gate.
        servable: signatures and the skew check.
        deployment: where versions are published, and how many are kept.
        base: a trained model of images whose layers the model stands on, such as ``Champion("digits", "model")``.
        compressed: makes the trained model smaller before it is judged and served; None serves it as it was trained.
        litert: makes a file for LiteRT of the model beside the served one; None makes none.
        explained: says in the report what the model leans on, and what moved the answers to some rows; None leaves it
            to ``kilnworks explain``.
        more: further steps, such as your own, fed by any of these.
        **operations: further fields of ``Pipeline``: description, schedule, tags, owner.
    """
    judged = "model" if compressed is None else "compressed"
    return Pipeline(
        name,
        steps=(
            Step("examples", ingest, examples, retries=2),
            Step("checked", validate, validation, {"examples": "examples"}),
            Step("transform", preprocess, transform, {"examples": "checked"}),
            _trained(model, base),
            *_compressed(compressed, litert, judged),
            Step("evaluation", evaluate, evaluation, {"model": judged, "examples": "checked"}),
            Step(
                "servable",
                export,
                servable,
                {"model": judged, "examples": "checked", "evaluation": "evaluation"},
            ),
            Step("deployment", deploy, deployment, {"servable": "servable"}, retries=2),
            *_explained(explained, judged),
            *more,
        ),
        **operations,
    )


def _compressed(config: CompressConfig | None, litert: LitertConfig | None, judged: str) -> Iterator[Step]:
    """The steps that make a trained model smaller."""
    if config is not None:
        yield Step("compressed", compress, config, {"model": "model", "examples": "checked"})
    if litert is not None:
        yield Step("litert", to_litert, litert, {"model": judged, "examples": "checked"})


def _explained(config: ExplainConfig | None, judged: str) -> Iterator[Step]:
    """The step that explains the model that is served; nothing waits for it."""
    if config is not None:
        yield Step("explained", explain, config, {"model": judged, "examples": "checked"})


def _trained(model: TrainConfig, base: Champion | Latest | None) -> Step:
    """The step that makes the model."""
    inputs: dict[str, Any] = {"examples": "checked", "transform": "transform"}
    if base is None:
        return Step("model", train, model, inputs, retries=1)
    return Step("model", finetune, model, {**inputs, "base": base}, retries=1)
