"""When new data is worth a retraining: the rules that a pipeline's definition may set."""

from typing import ClassVar

from pydantic import Field

from kilnworks.schemas.config import Config


class RetrainPolicy(Config):
    """Rules for retraining on data that arrives in a landing folder. Nothing in that folder is moved or deleted.

    Times are in seconds; a day is a day of UTC.
    """

    path_fields: ClassVar[tuple[str, ...]] = ("landing", "base")

    landing: str
    """Folder, relative to the project, or URL that fsspec knows (``s3://...``), into which new files are put."""
    pattern: str = "*"
    """Names of the files that count, as a glob, e.g. ``*.csv``. Hidden and unfinished names never do."""
    setting: str = "examples.source.path"
    """The pipeline's setting that is pointed at the pinned copy of the data."""
    base: str | None = None
    """File or folder, relative to the project, with the rows that every training starts from; None: only what has
    landed."""
    min_new_rows: int = Field(default=1, ge=1)
    """Fewest rows, over all new files together, that are worth a run. A file without rows, e.g. an image, is one."""
    settle_seconds: float = Field(default=10.0, ge=0)
    """How long a file must keep its size and time before it counts as finished."""
    coalesce_seconds: float = Field(default=60.0, ge=0)
    """How long no further file may arrive before a run starts, so that a burst makes one run."""
    max_wait_seconds: float = Field(default=3600.0, ge=0)
    """After this long a steady trickle is not waited for any more."""
    cool_down_seconds: float = Field(default=3600.0, ge=0)
    """Shortest time between the starts of two runs."""
    max_per_day: int = Field(default=4, ge=1)
    """Most runs that may start on one day."""
    poll_seconds: float = Field(default=15.0, gt=0)
    """How often the folder is looked at."""
