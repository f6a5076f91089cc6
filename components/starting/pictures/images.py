"""A first pipeline for images: in one folder per class, or named with their labels in a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.vision import Vision
from kilnworks.components.sources import ImageFolderSource, ImageListSource
from kilnworks.components.sources.files.folder import files_below, folders_in
from kilnworks.components.sources.files.table import read_texts
from kilnworks.components.sources.files.text import TextFile
from kilnworks.components.sources.image_files import SUFFIXES
from kilnworks.components.sources.images import FileFacts, open_image
from kilnworks.components.sources.paths import local
from kilnworks.components.sources.splitting.splits import AsGiven, ByHash
from kilnworks.components.starting.label import NAMES, guessed
from kilnworks.components.starting.moments.times import shares
from kilnworks.components.starting.open_data import Kind
from kilnworks.components.starting.pictures.depth import refuse_unused_bits
from kilnworks.components.starting.pictures.file_checks import SAME, USUAL, file_checks
from kilnworks.components.starting.pictures.flips import THUMB, flip_words, harmless_flips
from kilnworks.components.starting.pictures.weights import FEWEST, PHOTOGRAPH, hint, weights_at_hand
from kilnworks.components.starting.positive import with_positive
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.components.starting.sizes import transfer, vision
from kilnworks.components.starting.unsupported import (
    refuse_label,
    refuse_many_classes,
    refuse_unnamed,
    split_column,
)
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataUnreadable, KilnworksError, UnknownName
from kilnworks.schemas.words import listed

SAMPLE = 600
"""Images that are opened to see sizes and colours."""
FEW_PER_CLASS = 2


@dataclass(frozen=True)
class Pictures:
    """Images with labels.

    Attributes:
        source: how a pipeline reads them.
        files: the images.
        labels: the class of each, as text.
        label: name of the label's column.
        key: name of the column with the file, where it names a row.
        others: columns of the table that are neither file nor label.
        guess: what is to be said where nobody named the column of the label.
    """

    source: ImageFolderSource | ImageListSource
    files: list[Path]
    labels: list[str]
    label: str
    key: str
    others: tuple[str, ...] = ()
    guess: Decision | None = None


def annotated(data: str, kind: Kind) -> bool:
    """Whether a CSV file names images that lie beside it or below its folder."""
    table = local(data)
    return kind == "csv" and table.is_file() and _file_column(table, table.parent) is not None


def start_with_images(name: str, data: str, *, label: str | None = None, positive: str | None = None) -> Recipe:
    """Look at images and decide on a first pipeline.

    Args:
        name: of the contract.
        data: a folder with a folder for each class; a folder of images with a table of labels; or that table.
        label: column of the table; guessed where left out. For folders the name of the label, ``label`` by default.
        positive: of two classes the one that is looked for; the rarer one where left out.

    Raises:
        DataUnreadable: no image, or some of them broken.
        UnknownName: no such column or class.
        ConfigError: fewer than two classes, more than a tenth of the images, files in no class, or no label.
    """
    place = local(data)
    pictures = _listed(place, label) if place.is_file() else _in_folder(place, label)
    classes = sorted(set(pictures.labels))
    if len(classes) < 2:
        raise ConfigError(f"one class, {listed(classes) or 'none'}", "at least two", "add images of others")
    facts, coloured, thumbs, chosen = _sample(pictures.files)
    sizes = [(one.height, one.width) for one in facts]
    photographs = coloured and float(np.median(sizes)) >= PHOTOGRAPH
    weights = weights_at_hand() if photographs else None
    shape = (*side(sizes, 160 if weights else 64), 3 if coloured else 1)
    flips = harmless_flips(thumbs, np.array(pictures.labels)[chosen])
    contract = _contract(name, pictures, classes, shape, facts)
    labelled = pl.DataFrame({pictures.label: pictures.labels})
    refuse_many_classes(contract, labelled)
    contract, looked_for = with_positive(contract, labelled, positive)
    count = len(pictures.files)
    model: Transfer | Vision
    model, training = transfer(weights, count, flips=flips) if weights else vision(count, shape, flips=flips)
    split, splitting = _split(pictures, len(classes))
    rarest = min(classes, key=pictures.labels.count)
    low, high = np.min(sizes, axis=0), np.max(sizes, axis=0)
    seen = f"found {low[0]} x {low[1]} to {high[0]} x {high[1]} pixels, {'' if coloured else 'not '}coloured"
    rare = f"rarest: {rarest}, {pictures.labels.count(rarest)} images"
    if isinstance(model, Vision):
        blocks = f"blocks of {', '.join(map(str, model.filters))} channels, {training['epochs']} epochs"
        blocks += ", and a second model on oriented gradients" if model.gradients else ""
        blocks += hint() if photographs and count <= FEWEST else ""
    else:
        blocks = f"MobileNetV2 that learned from ImageNet, {training['epochs']} epochs, "
        blocks += f"then its last {model.fine_tune} blocks, {model.fine_tune_epochs} epochs"
    shown = listed(classes, 6)
    decisions = (
        *([pictures.guess] if pictures.guess else []),
        Decision("rows", f"{len(pictures.files):,} images"),
        Decision("task", f"{len(classes)} classes: {shown}", rare),
        *looked_for,
        Decision("size", f"{shape[0]} x {shape[1]} x {shape[2]}", seen),
        *(Decision("left out", c, "a column beside file and label") for c in pictures.others),
        splitting,
        Decision("augment", *flip_words(flips, alone=bool(weights))),
        Decision("model", model.kind, blocks),
    )
    return Recipe(contract, pictures.source, len(pictures.files), model, training, split, decisions=decisions)


def _in_folder(root: Path, label: str | None) -> Pictures:
    """Images by class, or with a table of labels beside them."""
    tables = [p for p in sorted(root.glob("*.csv")) if _file_column(p, root) is not None]
    source = ImageFolderSource(path=str(root), label=label or "label")
    classes = [p for p in folders_in(root) if files_below(p, SUFFIXES).files]
    if tables and len(classes) < 2:
        return _listed(tables[0], label)
    files = source.labelled()
    labels = [f.parent.name for f in files]
    return Pictures(source, files, labels, source.label, source.file)


def _listed(table: Path, label: str | None) -> Pictures:
    """Images that a table names."""
    found = _file_column(table, table.parent)
    if found is None:
        raise DataUnreadable(f"{table} names no image that is there", "a column of file names", "check the names")
    file, folder = found
    rows = read_texts(TextFile(table))
    chosen, guess = _label_column(rows, file, label)
    image = "image" if "image" not in rows.columns else "pixels"
    source = ImageListSource(
        path=str(table), folder="" if folder == table.parent else str(folder), file=file, image=image
    )
    if rows[chosen].null_count():
        raise DataUnreadable(
            f"{table}: {rows[chosen].null_count()} rows without {chosen}",
            "a class in every row",
            "fill them in, or leave these rows out",
        )
    others = tuple(c for c in rows.columns if c not in (file, chosen))
    return Pictures(source, [folder / f for f in rows[file]], rows[chosen].to_list(), chosen, file, others, guess)


def _label_column(rows: pl.DataFrame, file: str, label: str | None) -> tuple[str, Decision | None]:
    """The column of classes; with a decision where nobody named it."""
    if label is not None:
        if label not in rows.columns:
            raise UnknownName("column", label, rows.columns)
        refuse_label(rows, label)
        return label, None
    split = split_column(rows)
    likely = [c for c in rows.columns if c.lower() in NAMES and c not in (file, split)]
    most = max(2, rows.height // FEW_PER_CLASS)
    few = [c for c in rows.columns if c not in (file, split) and 2 <= rows[c].n_unique() <= most]
    if not likely and not few:
        raise ConfigError("no column of classes", "classes beside the file names", "name it with --label")
    chosen = likely[0] if likely else few[-1]
    refuse_label(rows, chosen)
    refuse_unnamed(chosen)
    why = "its name is that of a label" if likely else "it is the last column of classes"
    return chosen, guessed(chosen, why)


def _file_column(table: Path, root: Path) -> tuple[str, Path] | None:
    """The column of names of images, and the folder they count from; None where there is none."""
    try:
        head = read_texts(TextFile(table), rows=50)
    except KilnworksError:
        return None
    folders = [root, *(p for p in sorted(root.iterdir()) if p.is_dir())]
    for column in head.columns:
        names = head[column].drop_nulls().to_list()
        if names and all(str(n).lower().endswith(SUFFIXES) for n in names):
            for folder in folders:
                if all((folder / n).is_file() for n in names):
                    return column, folder
    return None


def _sample(files: list[Path]) -> tuple[list[FileFacts], bool, np.ndarray, np.ndarray]:
    """What some files hold, whether enough have colours, grey thumbnails [N, THUMB, THUMB], and which [N]."""
    chosen = np.random.default_rng(0).permutation(len(files))[:SAMPLE]
    found, thumbs, brightest, colours = [], [], [], 0
    for file in (files[i] for i in chosen):
        picture, facts = open_image(file.read_bytes(), str(file), "RGB")
        found.append(facts)
        brightest.append(int(np.asarray(picture).max()))
        small = np.asarray(picture.resize((THUMB, THUMB), Image.Resampling.BILINEAR), np.float32)
        colours += bool(np.ptp(small, axis=2).max() > 8)
        thumbs.append(small.mean(axis=2))
    refuse_unused_bits(found, brightest)
    return found, colours >= USUAL * len(found), np.stack(thumbs), chosen


def side(sizes: list[tuple[int, int]], most: int = 64) -> tuple[int, int]:
    """Height and width that the model sees: the usual size up to ``most`` pixels, else that for the longer side."""
    height, width = (int(np.median([s[i] for s in sizes])) for i in (0, 1))
    largest = max(height, width)
    if largest <= most and sizes.count((height, width)) >= SAME * len(sizes):
        return max(height, 8), max(width, 8)
    scale = min(1.0, most / largest)
    return max(16, 8 * round(height * scale / 8)), max(16, 8 * round(width * scale / 8))


def _contract(
    name: str, pictures: Pictures, classes: list[str], shape: tuple[int, ...], facts: list[FileFacts]
) -> Contract:
    words = f"{len(pictures.files):,} images from {pictures.source}."
    image: dict[str, Any] = {"dtype": "image", "shape": shape, "min": 0, "max": 255, "severity": "warning"}
    return Contract.model_validate(
        {
            "name": name,
            "description": words,
            "key": pictures.key,
            "features": {pictures.source.image: image},
            "label": {"name": pictures.label, "dtype": "string", "classes": classes},
            "ignore": list(pictures.others),
            "checks": list(file_checks(pictures.source.image, facts, shape[2])),
        }
    )


def _split(pictures: Pictures, kinds: int) -> tuple[Config, Decision]:
    """As the folders say, or the first salt by which every class is in every part."""
    from kilnworks.components.sources.splitting.hashing import hash_rows, unit_interval

    if pictures.source.splits():
        return AsGiven(), Decision("split", "as given", f"folders {', '.join(pictures.source.splits())}")
    root = Path(pictures.source.path)
    folder = isinstance(pictures.source, ImageFolderSource)
    names = [f.relative_to(root).as_posix() for f in pictures.files] if folder else None
    keys = pl.DataFrame({"key": names or read_texts(TextFile(root))[pictures.key]})
    parts, labels, best = shares(len(pictures.files)), np.array(pictures.labels), (0, -1)
    for salt in range(20):
        place = unit_interval(hash_rows(keys, ("key",), salt))
        code = np.searchsorted([parts.train, parts.train + parts.val], place, side="right")
        seen = [len(set(labels[code == i])) for i in range(3)]
        if seen[0] * 1000 + seen[1] + seen[2] > best[1]:
            best = (salt, seen[0] * 1000 + seen[1] + seen[2])
        if min(seen) == kinds:
            break
    return ByHash(shares=parts, salt=best[0]), Decision("split", "by hash of the file's name", parts.words)
