"""How clusters are found. Imports nothing heavy."""

from typing import Literal

from pydantic import Field

from kilnworks.schemas.config import Config


class How(Config):
    """The method, and what it may be told."""

    method: Literal["kmeans", "gaussian_mixture"] = "kmeans"
    """k-means: the nearest of some centres; or a mixture of Gaussians, with a probability of each."""
    covariance: Literal["full", "diag"] = "full"
    """Of a Gaussian: of all pairs of columns, or of columns that are independent within a cluster."""
    least_variance: float = Field(default=1e-3, gt=0)
    """What is added to the variances of a Gaussian, in squared standard deviations of numbers."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the starts, the best of which counts."""
