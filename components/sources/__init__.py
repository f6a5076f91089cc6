"""Raw data in: one source a file, one interface (``base.py``).

``AnySource`` is what a step takes; its members are told apart by ``kind``. A definition may hand in an object of any
other subclass of ``Source``.
"""

from typing import Annotated

from pydantic import Field, SerializeAsAny

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.boxes.scenes import ScenesSource
from kilnworks.components.sources.boxes.source import BoxesSource
from kilnworks.components.sources.csv import CsvSource
from kilnworks.components.sources.environment import EnvironmentSource
from kilnworks.components.sources.image_folder import ImageFolderSource
from kilnworks.components.sources.image_list import ImageListSource
from kilnworks.components.sources.jsonl import JsonLinesSource
from kilnworks.components.sources.npz import NpzSource
from kilnworks.components.sources.parquet import ParquetSource
from kilnworks.components.sources.splitting.existing_splits import GivenSplits
from kilnworks.components.sources.splitting.splits import AnySplit, AsGiven, ByHash, ByTime, Shares
from kilnworks.components.sources.sql import SqlSource
from kilnworks.components.sources.tfds import TfdsSource
from kilnworks.schemas.config import accept_any
from kilnworks.schemas.number_format import NumberFormat

AnySource = Annotated[
    CsvSource
    | ParquetSource
    | JsonLinesSource
    | NpzSource
    | TfdsSource
    | ImageFolderSource
    | ImageListSource
    | BoxesSource
    | ScenesSource
    | SqlSource
    | EnvironmentSource
    | GivenSplits,
    Field(discriminator="kind"),
    SerializeAsAny(),
    accept_any(Source),
]

__all__ = [
    "AnySource",
    "AnySplit",
    "AsGiven",
    "BoxesSource",
    "ByHash",
    "ByTime",
    "CsvSource",
    "EnvironmentSource",
    "GivenSplits",
    "ImageFolderSource",
    "ImageListSource",
    "JsonLinesSource",
    "NpzSource",
    "NumberFormat",
    "ParquetSource",
    "ScenesSource",
    "Shares",
    "Source",
    "SqlSource",
    "TfdsSource",
    "Wanted",
]
