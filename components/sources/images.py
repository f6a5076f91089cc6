"""From image files to pixels of the contract's shape, and what the files held before.

The pixels are what a model sees; ``FileFacts`` is what checks look at, so that a picture that had to be enlarged, lost
its colours or came with 16 bits is seen.
"""

import io
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from PIL import Image, ImageOps, UnidentifiedImageError

from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.paths import listed
from kilnworks.schemas.contract import FILE_PARTS
from kilnworks.schemas.errors import DataUnreadable

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class FileFacts:
    """What an image file holds.

    Attributes:
        height, width: in pixels, upright.
        channels: 1 grey, 2 grey with transparency, 3 colours, 4 colours with transparency (or CMYK).
        dtype: of a sample: ``uint8``, ``uint16``, or ``bool`` for black and white.
    """

    height: int
    width: int
    channels: int
    dtype: str


@dataclass(frozen=True)
class Decoded:
    """Pixels ``uint8 [H, W, C]`` in the wanted shape, and what the file held before that."""

    pixels: np.ndarray
    facts: FileFacts


def decode_image(content: bytes, shape: tuple[int, ...], where: str) -> Decoded:
    """Decode, turn upright (EXIF), convert to 8 bits and the channels, and resize (antialiased, aspect not kept).

    Args:
        content: bytes of a PNG, JPEG, GIF (first frame), BMP, TIFF or WebP.
        shape: wanted ``(height, width, channels)``; channels 1, 3 or 4.
        where: the file or row, for the message.

    Raises:
        DataUnreadable: the bytes are no image, cut off, absurdly large, or hold numbers of 32 bits.
    """
    height, width, channels = shape
    picture, facts = open_image(content, where, MODES[channels])
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return Decoded(np.asarray(picture, dtype=np.uint8).reshape(height, width, channels), facts)


def open_image(content: bytes, where: str, mode: str) -> tuple[Image.Image, FileFacts]:
    """The picture upright in ``L``, ``RGB`` or ``RGBA``, and what the file held. Raises as ``decode_image``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # twice as large is refused
            opened = Image.open(io.BytesIO(content))
        with opened:
            channels, dtype = _channels(opened), _dtype(opened)
            upright = ImageOps.exif_transpose(opened)
            picture = _eight_bits(upright).convert(mode)
    except Exception as error:  # decoders raise nearly anything on broken bytes: struct.error, zlib.error, IndexError
        raise DataUnreadable(
            f"{where}: {_reason(content, error)}", "a whole image file", "replace or remove it"
        ) from None
    return picture, FileFacts(picture.height, picture.width, channels, dtype)


def image_columns(column: Column, contents: Iterable[tuple[bytes, str]], rows: int) -> list[pl.Series]:
    """``rows`` images as a column of pixels, and columns of what the files held (``FILE_PARTS``).

    Args:
        column: the wanted column of pixels.
        contents: bytes of each image, and words for where it is.
        rows: how many images there are.

    Raises:
        DataUnreadable: naming the images that are broken, all at once.
    """
    pixels = np.empty((rows, *column.shape), dtype=np.uint8)
    facts: list[FileFacts] = []
    broken: list[str] = []
    for row, (content, where) in enumerate(contents):
        try:
            decoded = decode_image(content, column.shape, where)
        except DataUnreadable as error:
            broken.append(error.got)
            continue
        pixels[row] = decoded.pixels
        facts.append(decoded.facts)
    if broken:
        raise broken_images(broken)
    return [pixels_series(column, pixels), *facts_columns(column, facts)]


def broken_images(broken: Sequence[str]) -> DataUnreadable:
    """What to raise for image files that cannot be read, of which each has words."""
    return DataUnreadable(listed(broken, "; "), "whole image files", "replace or remove them")


def facts_columns(column: Column, facts: Sequence[FileFacts]) -> list[pl.Series]:
    """What the files of a column of pixels held, a column for each of ``FILE_PARTS``."""
    found = []
    for part in FILE_PARTS:
        dtype = pl.String if part == "dtype" else pl.Int64
        found.append(pl.Series(f"{column.name}__{part}", [getattr(one, part) for one in facts], dtype=dtype))
    return found


def pixels_series(column: Column, pixels: np.ndarray) -> pl.Series:
    """``uint8 [N, H, W, C]`` as a column."""
    if not len(pixels):
        return pl.Series(column.name, [], dtype=pl.Array(pl.UInt8, column.size))
    return pl.Series(column.name, np.ascontiguousarray(pixels.reshape(len(pixels), column.size)))


def _channels(opened: Image.Image) -> int:
    """Channels of the picture; those of the colours behind a palette."""
    if opened.mode != "P":
        return len(opened.getbands())
    colours = np.array(opened.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)
    grey = bool((colours == colours[:, :1]).all())
    return (1 if grey else 3) + ("transparency" in opened.info)


def _dtype(opened: Image.Image) -> str:
    """Type of a sample in the file; colours of 16 bits are known by how the decoder reads them."""
    if opened.mode == "1":
        return "bool"
    return "uint16" if opened.mode.startswith("I;16") or ";16" in str(getattr(opened, "tile", "")) else "uint8"


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits brought to 0..255, of which the library alone would make all above 255 white."""
    if picture.mode in ("I", "F"):
        raise ValueError("numbers of 32 bits, of which no range is known")
    if not picture.mode.startswith("I;16"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _reason(content: bytes, error: Exception) -> str:
    if not content:
        return "is empty"
    if isinstance(error, UnidentifiedImageError):
        return "is not an image that can be read"
    return f"is a broken image ({str(error).strip() or type(error).__name__})"
