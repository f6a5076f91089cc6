"""Raw data in: one source a file, one interface (``base.py``).

``AnySource`` is what a step takes; its members are told apart by ``kind``. A definition may hand in an object of any
other subclass of ``Source``.
"""

from typing import Annotated

from pydantic import Field, SerializeAsAny

from components.sources.base import Source, Wanted
from components.sources.csv import CsvSource
from components.sources.image_folder import ImageFolderSource
from components.sources.image_list import ImageListSource
from components.sources.jsonl import JsonLinesSource
from components.sources.npz import NpzSource
from components.sources.parquet import ParquetSource
from components.sources.splitting.existing_splits import GivenSplits
from components.sources.splitting.splits import AnySplit, AsGiven, ByHash, ByTime, Shares
from components.sources.sql import SqlSource
from components.sources.tfds import TfdsSource
from schemas.config import accept_any
from schemas.number_format import NumberFormat

AnySource = Annotated[
    CsvSource
    | ParquetSource
    | JsonLinesSource
    | NpzSource
    | TfdsSource
    | ImageFolderSource
    | ImageListSource
    | SqlSource
    | GivenSplits,
    Field(discriminator="kind"),
    SerializeAsAny(),
    accept_any(Source),
]

__all__ = [
    "AnySource",
    "AnySplit",
    "AsGiven",
    "ByHash",
    "ByTime",
    "CsvSource",
    "GivenSplits",
    "ImageFolderSource",
    "ImageListSource",
    "JsonLinesSource",
    "NpzSource",
    "NumberFormat",
    "ParquetSource",
    "Shares",
    "Source",
    "SqlSource",
    "TfdsSource",
    "Wanted",
]
