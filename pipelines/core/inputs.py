"""What a step is given: artifacts of its run, of the champion's, or of the latest; and how its errors are told."""

from typing import Any

from kilnworks.pipelines.core.step import Champion, Latest, Source, Step
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.errors import KilnworksError, StepFailed, UnknownName
from kilnworks.schemas.extras import missing_extra
from kilnworks.schemas.masking import scrub


def inputs_of(step: Step, run: Run) -> tuple[dict[str, Artifact], dict[str, Any]]:
    """Artifacts for a step, by parameter, and where each comes from."""
    artifacts: dict[str, Artifact] = {}
    lineage: dict[str, Any] = {}
    for parameter, source in step.inputs.items():
        origin, name = origin_of(source, run)
        artifacts[parameter] = origin.load(name, step.signature.inputs[parameter])
        manifest = origin.manifest(name) or {}
        lineage[parameter] = {
            "pipeline": origin.pipeline,
            "run_id": origin.run_id,
            "step": name,
            "fingerprint": manifest["fingerprint"],
        }
    return artifacts, lineage


def origin_of(source: Source, run: Run) -> tuple[Run, str]:
    """Run and step that an input comes from."""
    if isinstance(source, Champion):
        run.store.pull(f"champions/{source.pipeline}.json")
        champion = read_champion(run.store.root, source.pipeline)
        return run.store.run(source.pipeline, champion.run_id), source.step
    if isinstance(source, Latest):
        for earlier in reversed(run.store.runs(source.pipeline)):
            if earlier.manifest(source.step) is not None:
                return earlier, source.step
        raise UnknownName(f"finished step of any run of {source.pipeline}", source.step, [])
    return run, source


def translate(error: BaseException, step: Step) -> KilnworksError:
    """An unforeseen error in the form that people and reports can use."""
    if isinstance(error, KilnworksError):
        return error
    missing = missing_extra(error, f"step {step.name}")
    if missing is not None:
        return missing
    text = f"{type(error).__name__}: {scrub(error)}".strip()
    return StepFailed(
        f"{step.component} raised {text}",
        "the artifact of a step that has ended",
        "see the traceback with --traceback; if the input is right, this is a bug worth reporting",
    )
