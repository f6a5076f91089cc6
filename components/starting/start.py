"""From data to a recipe, whatever kind of data."""

from __future__ import annotations

from collections.abc import Mapping

from kilnworks.components.sources.files.archive import is_archive, unpacked
from kilnworks.components.sources.paths import local
from kilnworks.components.starting.open_data import images_refused, kind_of
from kilnworks.components.starting.recipe import Recipe
from kilnworks.components.tasks.asked import GENERATION, NUMBERS, Asked
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.words import listed, named


def start(
    name: str,
    data: str,
    *,
    label: str | None = None,
    task: Asked | None = None,
    time: str | None = None,
    query: str | None = None,
    decimals: Mapping[str, str] | None = None,
    positive: str | None = None,
    horizon: int | None = None,
    ahead: tuple[str, ...] = (),
    sequences: tuple[str, ...] = (),
) -> Recipe:
    """Look at data and decide on a first pipeline; see ``start_with_table`` and ``start_with_images``.

    An archive of images is unpacked beside itself, and the pipeline reads the folder. ``sequences`` names courses whose
    steps are columns of their own or a row of an array, see ``start_with_steps``.
    """
    from kilnworks.components.starting.boxes.first import boxes_at, start_with_boxes
    from kilnworks.components.starting.environment import is_environment, start_with_environment
    from kilnworks.components.starting.moments.times import NONE
    from kilnworks.components.starting.pictures.generated import generating
    from kilnworks.components.starting.pictures.images import annotated, start_with_images
    from kilnworks.components.starting.pictures.pixels import pixel_column, start_with_pixels
    from kilnworks.components.starting.sequences.shapes import plain_rows, refuse_uneven, sequence_columns
    from kilnworks.components.starting.table import start_with_table
    from kilnworks.components.starting.unlabelled import is_asked, start_unlabelled

    told: dict[str, object] = {"--positive": positive, "--time": time if time != NONE else None, "--horizon": horizon}
    if is_environment(data):
        _refuse_unused("what is learned is how to act", told)
        return start_with_environment(name, data, label=label, task=task)
    if "://" not in data and is_archive(local(data)):
        data = str(unpacked(local(data)))
    boxed = boxes_at(data) if label is None and task is None and horizon is None else None
    if boxed is not None:
        _refuse_unused("boxes are looked for in images", told)
        return start_with_boxes(name, boxed)
    kind = kind_of(data)
    held = pixel_column(data, kind) if kind == "npz" else None
    if held is not None and (horizon is not None or is_asked(label, task)):
        raise images_refused(f"column {named(held[0])} of {data}")
    if sequences:
        from kilnworks.components.starting.sequences.asked import start_with_asked

        unfit: dict[str, object] = {**told, "--positive": None, "--known-ahead": ahead or None}
        _refuse_unused(f"{listed(sequences)} holds a sequence in each row", unfit, BY_TIME)
        return start_with_asked(
            name, data, kind, sequences, label=label, task=task, query=query, decimals=decimals, positive=positive
        )
    if horizon is not None:
        from kilnworks.components.starting.series import start_with_series

        _refuse_unused("a forecast is one of numbers", {"--positive": positive})
        return start_with_series(
            name, data, kind, horizon=horizon, ahead=ahead, label=label, time=time, query=query, decimals=decimals
        )
    if is_asked(label, task):
        _refuse_unused("nothing is predicted", {"--positive": positive})
        return start_unlabelled(name, data, kind, label=label, task=task, time=time, query=query, decimals=decimals)
    pictures: Recipe | None = None
    of_images = {"--time": told["--time"], "--task": task if task == NUMBERS else None}
    if kind == "images" or annotated(data, kind):
        _refuse_unused("images are told apart by class", of_images)
        pictures = start_with_images(name, data, label=label, positive=positive)
    elif (pixels := pixel_column(data, kind)) is not None:
        _refuse_unused("images are told apart by class", of_images)
        pictures = start_with_pixels(name, data, kind, *pixels, label=label, positive=positive)
    if task == GENERATION:
        _refuse_unused("images are made", {"--positive": positive})
        return generating(_pictures(pictures, data))
    if pictures is not None:
        return pictures
    shapes = sequence_columns(data, kind) or plain_rows(data, kind)
    if shapes:
        from kilnworks.components.starting.sequences.start import start_with_sequences

        _refuse_unused(f"{listed(shapes)} holds a sequence in each row", {"--time": told["--time"]}, BY_TIME)
        return start_with_sequences(name, data, kind, shapes, label=label, task=task, positive=positive)
    refuse_uneven(data, kind)
    return start_with_table(
        name, data, kind, label=label, task=task, time=time, query=query, decimals=decimals, positive=positive
    )


BY_TIME = "; then write `time` into the contract and, for a split by it, `split=ByTime()` into the definition"
"""How rows are split by time that a first look splits by hash."""


def _refuse_unused(why: str, options: Mapping[str, object], more: str = "") -> None:
    """Raise ``ConfigError`` where an option is given that a first look at these data does not follow."""
    given = [f"{option} {value}" for option, value in options.items() if value is not None]
    if given:
        raise ConfigError(
            f"{listed(given)}, and {why}", "options that say something about these data", f"leave it out{more}"
        )


def _pictures(recipe: Recipe | None, data: str) -> Recipe:
    """Raises ``ConfigError`` where the data are no images."""
    if recipe is None:
        raise ConfigError(
            f"--task generation, and {data} holds no images",
            "a folder of images by class, an annotated table of them, or a file of pixels",
            "give images, or leave --task out",
        )
    return recipe
