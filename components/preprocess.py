"""preprocess: fit the transform of the raw features to the training split."""

from pathlib import Path

from kilnworks.components.features.settings import Derived, FeatureSettings, PreprocessConfig
from kilnworks.schemas.artifacts import CheckedExamples, Transform
from kilnworks.schemas.errors import DataUnreadable

__all__ = ["Derived", "FeatureSettings", "PreprocessConfig", "preprocess"]

TRAIN = "train"


def preprocess(config: PreprocessConfig, examples: CheckedExamples, out: Path) -> Transform:
    """Learn means, vocabularies and boundaries in one pass over the training split, and save them as Keras layers.

    Only the training split is read: nothing of validation or test rows reaches the model.

    Raises:
        ConfigError: an override names no feature, or an encoding that its dtype cannot have; what is derived cannot
            be made of these features.
        DataInvalid: an infinite number in a feature.
        DataUnreadable: there is no training split, it has no row, or no feature of it has a value.
    """
    from kilnworks.components.features.transform import FeatureTransform

    if TRAIN not in examples.splits:
        raise DataUnreadable(
            f"the examples have no split {TRAIN!r}, only {', '.join(examples.splits)}",
            f"a split {TRAIN!r} to learn from",
            "check the split settings of the ingest step",
        )
    FeatureTransform.fit(examples.contract, examples.files(TRAIN), config).save(out)
    return Transform(out)
