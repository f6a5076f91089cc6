"""What the clean data looked like, in numbers: the part of a contract that a program reads and a person need not.

It holds counts, quantiles, frequent values, tables of pairs and short fingerprints of keys and rows (40 bits), from
which ``contract check`` judges whether a batch may be another draw of the same source. Of features given as
``--sensitive`` it holds nothing.
"""

import base64
import json
import zlib
from typing import Any

from pydantic import Field

from kilnworks.schemas.code import Code
from kilnworks.schemas.config import Config


class OwnStatistic(Config):
    """A function of two histograms, and from where what it says counts as drift."""

    statistic: Code
    """``"my_project.drift:wasserstein"``: ``f(new, reference) -> float`` of rows in the same few bins, two float64
    arrays [B]; 0 = equal, larger = further apart."""
    threshold: float = Field(gt=0)
    """Smallest value that counts, in the unit of the function."""


class DriftThresholds(Config):
    """From where a change between two windows of data counts as drift."""

    psi: float = Field(default=0.2, gt=0)
    """Population stability index; 0.1 is moderate and 0.25 large by common usage."""
    jensen_shannon: float = Field(default=0.1, gt=0, le=1)
    """Jensen-Shannon distance (base 2), 0 to 1."""
    kolmogorov_smirnov: float = Field(default=0.1, gt=0, le=1)
    """Largest difference of the cumulative shares, 0 to 1."""
    chi_squared: float = Field(default=0.1, gt=0)
    """Cramer's V of the two-by-K table, 0 to 1."""
    missing_rate: float = Field(default=0.05, gt=0, le=1)
    """Change of the share of missing values, 0 to 1."""
    new_categories: float = Field(default=0.01, gt=0, le=1)
    """Share of rows with a category that the reference does not have, 0 to 1."""
    domain_classifier: float = Field(default=0.6, ge=0.5, le=1)
    """Area under the ROC curve of a model that tells old rows from new; 0.5 = cannot."""
    significance: float = Field(default=0.01, gt=0, lt=1)
    """Largest p-value after correction for the number of features."""
    own: tuple[OwnStatistic, ...] = Field(default=(), exclude_if=lambda own: not own)
    """Statistics of one's own, from a user's project."""

    def limits(self) -> dict[str, float]:
        """The threshold of each statistic by its name; one's own by its path."""
        plain = {name: getattr(self, name) for name in type(self).model_fields if name != "own"}
        return {**plain, **{one.statistic.path: one.threshold for one in self.own}}


class Reference(Config):
    """Statistics of the clean data and what to make of them."""

    rows: int = Field(ge=0)
    """Rows that the statistics were learned from."""
    off: tuple[str, ...] = ()
    """Rules that are not to be checked, as ``check`` prints them: ``"column: rule"``, ``"rule"`` or ``"column: *"``."""
    drift: DriftThresholds = DriftThresholds()
    """From where drift counts."""
    sketch: str = ""
    """The statistics: JSON, compressed (zlib) and written as base 64. Made by ``contract infer``."""

    @property
    def statistics(self) -> dict[str, Any]:
        """The content of ``sketch``."""
        return dict(json.loads(zlib.decompress(base64.b64decode(self.sketch)))) if self.sketch else {}


def pack_statistics(statistics: dict[str, Any]) -> str:
    """The text for ``Reference.sketch``, in lines of 116 characters."""
    text = json.dumps(statistics, separators=(",", ":"), allow_nan=False)
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return "\n".join(packed[i : i + 116] for i in range(0, len(packed), 116)) + "\n"
