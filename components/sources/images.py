"""From an image file to pixels of the contract's shape."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from schemas.errors import DataUnreadable

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Decoded:
    """Pixels ``uint8 [H, W, C]`` in the wanted shape, and what the file held before that."""

    pixels: np.ndarray
    height: int
    width: int
    channels: int


def decode_image(content: bytes, shape: tuple[int, ...], where: str) -> Decoded:
    """Decode, turn upright (EXIF), convert to the wanted channels and resize (antialiased, aspect not kept).

    Args:
        content: bytes of a PNG, JPEG, GIF (first frame), BMP, TIFF or WebP.
        shape: wanted ``(height, width, channels)``; channels 1, 3 or 4.
        where: the file or row, for the message.

    Raises:
        DataUnreadable: the bytes are no image, cut off, or absurdly large.
    """
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(content)) as opened:
            channels_before = len(opened.getbands())
            upright = ImageOps.exif_transpose(opened)
            picture = upright.convert(MODES[channels])
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataUnreadable(
            f"{where}: {_reason(content, error)}", "a whole image file", "replace or remove it"
        ) from None
    before = picture.size
    if before != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.asarray(picture, dtype=np.uint8).reshape(height, width, channels)
    return Decoded(pixels, before[1], before[0], channels_before)


def _reason(content: bytes, error: Exception) -> str:
    if not content:
        return "is empty"
    if isinstance(error, UnidentifiedImageError):
        return "is not an image that can be read"
    return f"is a broken image ({str(error).strip() or type(error).__name__})"
