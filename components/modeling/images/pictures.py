"""Pictures of a model of images: where it looks (Grad-CAM), and how pictures were changed while it learned.

Both lie in ``looks.json`` beside an evaluation, small JPEG and PNG files as texts; the report shows them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kilnworks.components.features.encoded import IMAGE
from kilnworks.components.features.raw import raw_array
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.images.augmentation import Augmentation
from kilnworks.components.tasks.base import Answers, Task
from kilnworks.schemas.contract import Contract

if TYPE_CHECKING:
    import polars as pl

LOOKS = "looks.json"
SHOWN = 12
"""Images with heat: up to half of them wrong ones, where the model is surest; then right ones, class by class."""
CHANGED, TRIES = 4, 3
"""Images of the sheet of changes, and how often each goes through all changes together."""
DRAWS = 50
"""Draws of a change that is shown alone, at most: one that changes a fifth of the images is nearly sure to be seen."""
SIDE = 112
"""Longer side of a picture, in pixels."""
HOT = np.array([255.0, 60.0, 0.0], np.float32)


def looks(
    model: Any,
    transform: FeatureTransform,
    task: Task,
    rows: pl.DataFrame,
    answers: Answers,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Content of ``looks.json``; empty for a model of anything but images, or of images that must not be shown.

    Args:
        model: as it was trained.
        transform: in front of it.
        task: of the model.
        rows: some that were judged, with features and label.
        answers: the judged answers to them, [rows, ...].
        settings: of the architecture, as plain values; of ``augmentation``, or of ``flip`` and ``crop`` of a detector,
            a sheet is drawn.
    """
    images = [t.name for t in transform.encoded if t.kind == IMAGE]
    name = next((n for n, f in transform.contract.features.items() if f.dtype == "image"), None)
    if len(images) != 1 or name is None or transform.contract.features[name].sensitive or not rows.height:
        return {}
    found: dict[str, Any] = {"image": name}
    if isinstance(settings.get("augmentation"), Mapping):
        augmentation = Augmentation.model_validate(settings["augmentation"])
        found["changes"] = sheet(
            augmentation, _unit(transform.contract, name, rows[:: _every(rows, CHANGED)][:CHANGED])
        )
    if type(task).drawn is not Task.drawn and "crop" in settings:
        changes = _moved(transform.contract, name, task, rows[:: _every(rows, CHANGED)][:CHANGED], settings)
        found |= {"changes": changes} if changes else {}
    heat = _heat(model, transform, task, name, rows, answers)
    found |= {"heat": heat} if heat else {}
    drawn = _drawn(transform.contract, name, task, rows, answers)
    found |= {"drawn": drawn} if drawn else {}
    return found if len(found) > 1 else {}


def _drawn(contract: Contract, name: str, task: Task, rows: pl.DataFrame, answers: Answers) -> list[dict[str, Any]]:
    """What the task draws into the images."""
    if type(task).drawn is Task.drawn:
        return []
    truth, bad = task.judged_by(rows)
    return task.drawn(_unit(contract, name, rows), truth, answers) if not bad.any() else []


def _moved(
    contract: Contract, name: str, task: Task, rows: pl.DataFrame, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The sheet of changes that move boxes with their images."""
    from kilnworks.components.modeling.detection.pictures import sheet as sheet_of_boxes

    truth, bad = task.judged_by(rows)
    return {} if bad.any() else sheet_of_boxes(_unit(contract, name, rows), truth[..., :5], task.class_texts, settings)


def _heat(
    model: Any, transform: FeatureTransform, task: Task, name: str, rows: pl.DataFrame, answers: Answers
) -> list[dict[str, Any]]:
    from kilnworks.components.modeling.images.gradcam import grad_cam

    if not task.class_texts or "probabilities" not in answers:
        return []
    truth, bad = task.judged_by(rows)
    rows, truth, probabilities = rows.filter(~bad), truth[~bad], np.asarray(answers["probabilities"])[~bad]
    said = np.asarray(task.places(probabilities))
    share = probabilities[np.arange(len(said)), said]
    if truth.ndim > 1:
        right = truth[np.arange(len(said)), said] > 0
        words = [", ".join(c for c, has in zip(task.class_texts, row, strict=True) if has) or "(none)" for row in truth]
    else:
        right, words = truth == said, [task.class_texts[int(t)] for t in truth]
    chosen = chosen_rows(right, said, share)
    some = rows[chosen]
    heat = grad_cam(model, transform.encode(some), said[chosen])
    if heat is None:
        return []
    pixels = _unit(transform.contract, name, some)
    return [
        {
            "picture": picture(pixels[i]),
            "heat": picture(warmed(pixels[i], heat[i])),
            "truth": words[row],
            "said": task.class_texts[int(said[row])],
            "share": round(float(share[row]), 4),
            "right": bool(right[row]),
            "seen": bool(heat[i].any()),
        }
        for i, row in enumerate(chosen)
    ]


def chosen_rows(right: np.ndarray, said: np.ndarray, share: np.ndarray) -> list[int]:
    """Numbers of up to ``SHOWN`` rows: the surest mistakes, then the surest right answers of each class in turn.

    Args:
        right: bool [N].
        said: class of each, int [N].
        share: its probability, [N].
    """
    order = np.argsort(-share, kind="stable")
    wrong = [int(i) for i in order if not right[i]][: SHOWN // 2]
    turns: list[tuple[int, int, int]] = []
    seen: dict[int, int] = {}
    for place, i in enumerate(order):
        if right[i]:
            turns.append((seen.get(int(said[i]), 0), place, int(i)))
            seen[int(said[i])] = seen.get(int(said[i]), 0) + 1
    return wrong + [i for _, _, i in sorted(turns)][: SHOWN - len(wrong)]


def sheet(augmentation: Augmentation, images: np.ndarray) -> dict[str, Any]:
    """Each change alone, then all together: ``{"columns": [K], "rows": [[picture] * K]}``.

    Args:
        augmentation: which changes.
        images: [N, H, W, C] from 0 to 1.
    """
    import keras
    from keras import ops

    from kilnworks.components.modeling.images.mixing import cutmix, mixup
    from kilnworks.components.tasks.layer_names import LayerNames

    keras.utils.set_random_seed(0)
    columns: dict[str, np.ndarray] = {"as it is": images}
    layers = augmentation.layers("shown", LayerNames(set()))
    for layer in layers:
        columns[layer.name.removesuffix("_shown")] = _changed(layer, images)
    for number in range(TRIES if len(layers) > 1 else 0):
        x = images
        for layer in layers:
            x = layer(x, training=True)
        columns[f"together {number + 1}"] = np.asarray(x)
    order = np.roll(np.arange(len(images)), -1)
    if augmentation.mixup:
        weight = np.linspace(0.35, 0.8, len(images), dtype=np.float32)
        columns["mixup"] = np.asarray(mixup(ops.array(images), order, weight))
    if augmentation.cutmix:
        size = np.array([[images.shape[1] // 2, images.shape[2] // 2]] * len(images), np.int32)
        columns["cutmix"] = np.asarray(cutmix(ops.array(images), order, size // 2, size)[0])
    rows = [[picture(column[i]) for column in columns.values()] for i in range(len(images))]
    return {"columns": list(columns), "rows": rows}


def _changed(layer: Any, images: np.ndarray) -> np.ndarray:
    """Images [N, H, W, C] changed by a layer that leaves some as they are: drawn until it changes each."""
    found = images
    for _ in range(DRAWS):
        same = (found == images).all(axis=(1, 2, 3))
        if not same.any():
            break
        found = np.where(same[:, None, None, None], np.asarray(layer(images, training=True)), found)
    return found


def warmed(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """An image [H, W, C] from 0 to 1 in grey, red where heat [h, w] is high: [H, W, 3]."""
    from PIL import Image

    high, wide = image.shape[:2]
    grown = np.asarray(Image.fromarray(heat.astype(np.float32)).resize((wide, high), Image.Resampling.BILINEAR))
    grey = image[..., :3].mean(axis=2)[..., None] * np.ones(3, np.float32)
    share = 0.65 * np.clip(grown, 0, 1)[..., None]
    return np.asarray((1 - share) * grey + share * HOT / 255)


def picture(image: np.ndarray) -> str:
    """An image [H, W, C] from 0 to 1 as the URL of its data; of small ones pixels stay squares."""
    from PIL import Image

    values = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    made = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values[..., :3])
    scale = SIDE / max(made.size)
    size = (max(1, round(made.width * scale)), max(1, round(made.height * scale)))
    small = made.resize(size, Image.Resampling.NEAREST if scale > 2 else Image.Resampling.BILINEAR)
    file = io.BytesIO()
    kind = "png" if scale > 2 else "jpeg"
    small.save(file, kind, **({"quality": 85} if kind == "jpeg" else {}))
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _unit(contract: Contract, name: str, rows: pl.DataFrame) -> np.ndarray:
    """The images of rows as they are sent, [N, H, W, C], from 0 to 1."""
    feature = contract.features[name]
    return raw_array(name, feature, rows[name]).astype(np.float32) / np.float32(feature.max or 255.0)


def _every(rows: pl.DataFrame, count: int) -> int:
    return max(1, rows.height // count)
