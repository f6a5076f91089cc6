"""A pipeline's rules for retraining, held against the pipeline itself."""

from pathlib import Path

from kilnworks.components.sources.paths import missing_file
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.schemas.errors import ConfigError


def check_retraining(pipeline: Pipeline) -> None:
    """Raise ``ConfigError`` where the rules name a setting that the pipeline has not, or base data that is not there.

    The landing folder need not exist yet.
    """
    policy = pipeline.operations.retrain
    if policy is None:
        return
    try:
        pipeline.configured({policy.setting: policy.landing})
    except ConfigError as error:
        raise ConfigError(
            f"{pipeline.name}: `setting` of RetrainPolicy: {error.got}", error.wanted, error.fix, error.details
        ) from None
    base = None if policy.base is None else Path(policy.base).expanduser()
    if base is not None and not base.exists():
        missing = missing_file(base)
        raise ConfigError(
            f"{pipeline.name}: `base` of RetrainPolicy: {missing.got}", "a file or folder of rows", missing.fix
        )
