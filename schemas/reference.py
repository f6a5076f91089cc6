"""What the clean data looked like, in numbers: the part of a contract that a program reads and a person need not.

In a contract that a command wrote it lies in a file beside it, ``NAME-<hash>.statistics``, whose content the contract
names by its SHA-256: a contract that was copied alone, or beside another one's statistics, is refused.

It holds counts, quantiles, frequent values, tables of pairs and short fingerprints of keys and rows (40 bits), from
which ``contract check`` judges whether a batch may be another draw of the same source. Of features given as
``--sensitive`` it holds nothing.
"""

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from kilnworks.schemas.code import Code
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ContractError

SUFFIX = ".statistics"
LONGEST = 8 * 2**20
"""Most bytes of a file of statistics."""


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


class StatisticsFile(Config):
    """Where the statistics lie, and what they are."""

    file: str = Field(pattern=r"^[^/\\\x00]+$")
    """Name of a file beside the contract."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of its content, in hexadecimal digits."""


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
    statistics_file: StatisticsFile | None = Field(default=None, exclude_if=lambda value: value is None)
    """Where ``sketch`` lies instead; ``load_contract`` puts it back in its place."""

    def read(self, folder: Path) -> Self:
        """With the statistics of the file in the folder of the contract; as it is where they are in it.

        Raises:
            ContractError: the file is missing, or its content is another one.
        """
        named = self.statistics_file
        if named is None:
            return self
        path = folder / named.file
        fix = "copy it together with the contract, or write both anew by `kilnworks contract infer`"
        if not path.is_file() or path.stat().st_size > LONGEST:
            raise ContractError(f"no file {path}", "the statistics that the contract names, beside it", fix)
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != named.sha256:
            raise ContractError(f"{path} is not the file that the contract was written with", "its own content", fix)
        return self.model_copy(update={"sketch": content.decode("ascii"), "statistics_file": None})

    def apart(self, stem: str) -> tuple[Self, str, str]:
        """Without the statistics; the name of the file for them, of a contract with that stem; and its content."""
        found = hashlib.sha256(self.sketch.encode("ascii")).hexdigest()
        name = f"{stem}-{found[:8]}{SUFFIX}"
        named = StatisticsFile(file=name, sha256=found)
        return self.model_copy(update={"sketch": "", "statistics_file": named}), name, self.sketch

    @property
    def statistics(self) -> dict[str, Any]:
        """The content of ``sketch``. Raises ``ContractError`` where it was not read from its file."""
        if self.statistics_file is not None:
            raise ContractError(
                f"statistics in {self.statistics_file.file}, which was not read", "a contract with its statistics",
                "read the contract from its file, by load_contract",
            )  # fmt: skip
        return dict(json.loads(zlib.decompress(base64.b64decode(self.sketch)))) if self.sketch else {}


def pack_statistics(statistics: dict[str, Any]) -> str:
    """The text for ``Reference.sketch``, in lines of 116 characters."""
    text = json.dumps(statistics, separators=(",", ":"), allow_nan=False)
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return "\n".join(packed[i : i + 116] for i in range(0, len(packed), 116)) + "\n"
