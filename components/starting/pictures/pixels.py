"""A first pipeline for images that come as arrays: an ``.npz`` file, or a TensorFlow data set."""

from __future__ import annotations

import numpy as np
import polars as pl

from kilnworks.components.modeling.vision import Vision
from kilnworks.components.sources import GivenSplits, NpzSource, TfdsSource
from kilnworks.components.sources.base import Wanted
from kilnworks.components.sources.columns import Column, contract_columns
from kilnworks.components.sources.images import FileFacts
from kilnworks.components.starting.label import NAMES, refuse_one_class
from kilnworks.components.starting.open_data import Kind, data_set
from kilnworks.components.starting.pictures.archives import archive_of
from kilnworks.components.starting.pictures.file_checks import file_checks
from kilnworks.components.starting.pictures.flips import THUMB, flip_words, harmless_flips
from kilnworks.components.starting.pictures.images import SAMPLE, side
from kilnworks.components.starting.positive import with_positive
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.components.starting.settling import settle
from kilnworks.components.starting.sizes import vision
from kilnworks.components.starting.unsupported import refuse_label, refuse_many_classes
from kilnworks.schemas.contract import FILE_PARTS, Contract
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.words import named

Pixels = NpzSource | TfdsSource | GivenSplits
Shape = tuple[int | None, int | None, int]
"""Height and width, None where they vary, and channels."""


def pixel_column(data: str, kind: Kind) -> tuple[str, Shape] | None:
    """The column of images and their shape [H, W, C]; None where the data hold none.

    Images are uint8 [N, H, W] or [N, H, W, C] with 1, 3 or 4 channels; in a data set height and width may vary.
    """
    if kind == "npz":
        archive = archive_of(data)
        first = archive.train if isinstance(archive, GivenSplits) else archive
        assert isinstance(first, NpzSource)
        shapes = {n: (shape[1:], dtype) for n, (shape, dtype) in first.shapes().items()}
        shown = {n: (*s, 1) if len(s) == 2 else s for n, (s, dtype) in shapes.items() if dtype == np.uint8}
    elif kind == "tfds":
        import tensorflow_datasets as tfds

        features = data_set(data).builder().info.features
        shown = {n: f.shape for n, f in features.items() if isinstance(f, tfds.features.Image)}
    else:
        return None
    found = [(n, s) for n, s in shown.items() if len(s) == 3 and s[2] in (1, 3, 4)]
    return found[0] if found else None


def start_with_pixels(
    name: str, data: str, kind: Kind, image: str, sides: Shape, *, label: str | None = None, positive: str | None = None
) -> Recipe:
    """Look at arrays of images and decide on a first pipeline.

    Args:
        name: of the contract.
        data: the file, or the name of the data set.
        kind: ``npz`` or ``tfds``.
        image: column of the images.
        sides: height, width and channels in pixels.
        label: column of the classes; guessed where left out.
        positive: of two classes the one that is looked for; the rarer one where left out.

    Raises:
        UnknownName: no such column or class.
        ConfigError: fewer than two classes, or more than a tenth of the images.
    """
    source: Pixels = archive_of(data) if kind == "npz" else data_set(data)
    names = source.column_names(source.splits()[0] if source.splits() else None)
    chosen, guess = _label(names, image, label)
    labels = _rows(source, Wanted({chosen: Column(chosen, "key")}, any_extra=True))[chosen]
    refuse_label(labels.to_frame(), chosen)
    facts = _facts(source, image, sides)
    usual = side([(one.height, one.width) for one in facts]) if facts else (0, 0)
    shape = (sides[0] or usual[0], sides[1] or usual[1], sides[2])
    contract = _contract(name, source, names, image, shape, labels, facts)
    refuse_many_classes(contract, labels.to_frame())
    contract, looked_for = with_positive(contract, labels.to_frame(), positive)
    parts = _parts(source, Wanted(contract_columns(contract), frozenset(contract.ignore)))
    typed = pl.concat(list(parts.values()))
    flips = harmless_flips(*_thumbs(typed, image, shape, chosen))
    model, training = vision(typed.height, shape, flips=flips)
    settled = settle(contract, source, parts)
    decisions = [guess] if guess else []
    decisions += [
        Decision("rows", f"{typed.height:,} images of {' x '.join(map(str, shape))}"),
        Decision("task", f"{labels.n_unique()} classes of {named(chosen)}"),
        *looked_for,
        *settled.decisions,
        Decision("augment", *flip_words(flips)),
        Decision("model", "vision", _words(model, training["epochs"])),
    ]
    return Recipe(settled.contract, source, typed.height, model, training, settled.split, decisions=tuple(decisions))


def _words(model: Vision, epochs: int) -> str:
    return f"{epochs} epochs" + (", and a second model on oriented gradients" if model.gradients else "")


def _facts(source: Pixels, image: str, sides: Shape) -> list[FileFacts]:
    """What the files held, where images are of several sizes."""
    if None not in sides:
        return []
    small = Column(image, "image", (THUMB, THUMB, sides[2]))
    rows = _rows(source, Wanted({image: small}, any_extra=True))
    return [FileFacts(*row) for row in rows.select(f"{image}__{part}" for part in FILE_PARTS).iter_rows()]


def _rows(source: Pixels, wanted: Wanted) -> pl.DataFrame:
    """All rows of all parts."""
    return pl.concat(list(_parts(source, wanted).values()))


def _parts(source: Pixels, wanted: Wanted) -> dict[str | None, pl.DataFrame]:
    """All rows by part."""
    return {part: pl.concat(list(source.frames(wanted, part))) for part in source.splits() or (None,)}


def _label(names: list[str], image: str, label: str | None) -> tuple[str, Decision | None]:
    others = [n for n in names if n != image]
    if label is not None:
        if label not in others:
            raise UnknownName("column", label, others)
        return label, None
    if not others:
        raise ConfigError("images and no other column", "a column of classes", "add one")
    likely = [n for n in others if n.lower() in NAMES]
    found = (likely or others[-1:])[0]
    return found, Decision("label", named(found), "a guess; name another with --label", flagged=True)


def _contract(
    name: str,
    source: Pixels,
    names: list[str],
    image: str,
    shape: tuple[int, ...],
    labels: pl.Series,
    facts: list[FileFacts],
) -> Contract:
    whole = labels.dtype.is_integer()
    classes = sorted(labels.drop_nulls().unique().to_list())
    refuse_one_class(labels.name, classes)
    return Contract.model_validate(
        {
            "name": name,
            "description": f"{len(labels):,} images from {source}.",
            "features": {image: {"dtype": "image", "shape": shape, "min": 0, "max": 255, "severity": "warning"}},
            "label": {"name": labels.name, "dtype": "int" if whole else "string", "classes": classes},
            "ignore": [n for n in names if n not in (image, labels.name)],
            "checks": list(file_checks(image, facts, shape[2])) if facts else [],
        }
    )


def _thumbs(typed: pl.DataFrame, image: str, shape: tuple[int, int, int], label: str) -> tuple[np.ndarray, np.ndarray]:
    """Grey thumbnails [N, THUMB, THUMB] of some images, and their classes [N]."""
    some = typed.sample(min(SAMPLE, typed.height), seed=0)
    pixels = some[image].to_numpy().reshape(-1, *shape).astype(np.float32).mean(axis=3)
    rows, columns = (np.linspace(0, side - 1, THUMB).round().astype(int) for side in shape[:2])
    return pixels[:, rows][:, :, columns], some[label].cast(pl.String).to_numpy().astype(str)
