"""Settings of features that are made of several numbers. Imports nothing heavy."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, UnknownName


class Derived(Config):
    """Clusters or principal components of some numbers, as further places of the numeric block.

    Found by scikit-learn on the training rows, in the numbers as their own settings scale them, 0 where one is missing.
    """

    of: tuple[str, ...] = Field(min_length=1)
    """Names of the features: numbers, truth values or moments."""
    method: Literal["kmeans", "gaussian_mixture", "pca"] = "kmeans"
    """k-means (Lloyd 1982), a mixture of Gaussians with full covariances (Dempster, Laird & Rubin 1977), or principal
    components (Pearson 1901)."""
    count: int = Field(default=4, ge=1)
    """Clusters, at least 2, or components, at most as many as there are numbers."""
    gives: Literal["distances", "membership"] = "distances"
    """Of clusters: the distance to each centre (for Gaussians in their own spreads, Mahalanobis 1936), less its mean
    over the training rows and divided by its deviation; or a number from 0 to 1 for each cluster: 1 for the nearest and
    0 for the others, for Gaussians the probability. Components are always divided by their deviation."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the starts, the best of which counts, and of the rows that are looked at where there are many."""

    @model_validator(mode="after")
    def _clusters_are_two_or_more(self) -> Self:
        if len(set(self.of)) < len(self.of):
            raise ValueError(f"of names a feature twice: {', '.join(self.of)}")
        if self.method != "pca" and self.count < 2:
            raise ValueError("count 1: of clusters there are at least 2")
        if self.method == "pca" and self.gives != "distances":
            raise ValueError(f"gives {self.gives!r} is for clusters and means nothing with pca: leave it out")
        return self


class AllDerived(Config):
    """What is made of several features."""

    derived: dict[str, Derived] = Field(default_factory=dict)
    """Further features by name, made of several numbers: distances to clusters, memberships of clusters, or principal
    components. They lie in the numeric block, so that every model that reads numbers reads them."""


def refuse_names(derived: Mapping[str, Derived], contract: Contract) -> None:
    """Raise ``UnknownName`` or ``ConfigError`` where a name of ``derived`` is taken, or is of no feature in ``of``."""
    for name, one in derived.items():
        if name in contract.columns:
            raise ConfigError(
                f"derived.{name}, and {name!r} is a column of the contract", "a name of its own", "give it another name"
            )
        for feature in one.of:
            if feature not in contract.features:
                raise UnknownName("feature", feature, contract.features)
