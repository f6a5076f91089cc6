"""Boxes for a reader: as JSON for a table, and drawn into their images, the true ones and those that were found."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilnworks.components.judging.detection.average_precision import OVERLAP, Matched, hits
from kilnworks.components.judging.detection.described import best_cut
from kilnworks.components.judging.detection.overlaps import iou
from kilnworks.components.judging.detection.tiles import PLAIN

SIDE = 480
"""Longer side of a picture, in pixels: a page shows it at half of that, so that its words stay sharp."""
TRUE, RIGHT, WRONG = (38, 132, 255), (34, 170, 90), (230, 60, 50)
"""Colours of what was missed or is true, of found boxes that are right, and of those that are wrong."""
SHOWN = 3
"""Images of the best, of the median and of the worst, each."""


def listed_boxes(answers: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    """Of each image a JSON list of ``{"class", "score", "top", "left", "bottom", "right"}``, sides in shares.

    ``answers`` are those that are served, or those that are judged, of ``classes`` [K].
    """
    boxes, scores = np.asarray(answers["boxes"]), np.asarray(answers["scores"])
    names = np.asarray(classes, object)[np.asarray(answers["labels"]).astype(int)] if "labels" in answers else None
    said = np.asarray(answers["classes"]) if names is None else names
    found = []
    for row, count in enumerate(np.asarray(answers["count"])):
        own = [
            {
                "class": text.decode() if isinstance(text := said[row, i], bytes) else str(text),
                "score": round(float(scores[row, i]), 4),
                **{
                    side: round(float(v), 5)
                    for side, v in zip(("top", "left", "bottom", "right"), boxes[row, i], strict=True)
                },
            }
            for i in range(int(count))
        ]
        found.append(json.dumps(own, ensure_ascii=False))
    return found


def verdict(truth: np.ndarray, answers: Mapping[str, np.ndarray], cut: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Which found boxes [D] that are as sure as ``cut`` are right, which true ones [G] were found, and F1.

    Args:
        truth: of one image, [G, 5] without empty places.
        answers: ``boxes`` [D, 4], ``scores`` and ``labels`` [D] of that image, the surest first.
        cut: score.
    """
    sure = answers["scores"] >= cut
    right, seen = np.zeros(len(sure), bool), np.zeros(len(truth), bool)
    for number in np.unique(truth[:, 4]):
        own, real = np.flatnonzero(sure & (answers["labels"] == number)), np.flatnonzero(truth[:, 4] == number)
        took = hits(iou(answers["boxes"][own], truth[real, :4]), (0.5,))[0]
        right[own[took >= 0]] = True
        seen[real[took[took >= 0]]] = True
    total = len(truth) + int(sure.sum())
    return right, seen, 2 * float(right.sum()) / total if total else 1.0


def chosen(quality: np.ndarray) -> list[tuple[str, int]]:
    """Rows of the best, median and worst images by ``quality`` [N], each once: ``("best", row)``."""
    order = np.argsort(-quality, kind="stable")
    each = min(SHOWN, max(1, (len(order) + 1) // 3))  # of few images, a third
    best, rest, worst = order[:each], order[each:-each], order[each:][::-1][:each]
    middle = max(0, len(rest) // 2 - SHOWN // 2)
    groups = {"best": best, "median": rest[middle : middle + SHOWN], "worst": worst}
    return [(name, int(row)) for name, rows in groups.items() for row in rows]


def pairs(
    images: np.ndarray, truth: np.ndarray, answers: Mapping[str, Any], classes: Sequence[str], overlap: float = OVERLAP
) -> list[dict[str, Any]]:
    """Images [N, H, W, C] from 0 to 1 with the best, median and worst F1 at the score with the best F1 of all.

    Returns:
        ``{"group", "truth", "found", "words"}`` of each: true boxes, and found ones; red is missed or wrong.
    """
    cut = best_cut(Matched.of(truth, answers, len(classes), (0.5,), overlap=overlap))["score"] or 0.0
    truth = truth[..., :PLAIN]  # a tile is looked at for itself
    rows = [{name: np.asarray(answers[name][i][: int(answers["count"][i])]) for name in ("boxes", "scores", "labels")}
            for i in range(len(truth))]  # fmt: skip
    real = [boxes[boxes[:, 4] >= 0] for boxes in truth]
    verdicts = [verdict(boxes, row, cut) for boxes, row in zip(real, rows, strict=True)]
    named = len(classes) > 1
    found = []
    for group, i in chosen(np.array([quality for *_, quality in verdicts])):
        right, seen, _ = verdicts[i]
        sure = np.flatnonzero(rows[i]["scores"] >= cut)
        true = [(box[:4], TRUE if hit else WRONG, classes[int(box[4])] if named else "")
                for box, hit in zip(real[i], seen, strict=True)]  # fmt: skip
        said = [(rows[i]["boxes"][d], RIGHT if right[d] else WRONG, classes[int(rows[i]["labels"][d])] if named else "")
                for d in sure]  # fmt: skip
        words = f"{int(seen.sum())} of {len(seen)} found, {int((~right[sure]).sum())} wrong"
        found.append({"group": group, "truth": drawn(images[i], true), "found": drawn(images[i], said), "words": words})
    return found


def name_tag(
    pen: Any, corner: tuple[float, float], colour: tuple[int, int, int], words: str, size: tuple[int, int]
) -> None:
    """White words on a darker ``colour``, above the ``corner`` (x, y) of a box, inside a picture of ``size`` (x, y)."""
    from PIL import ImageFont

    font = ImageFont.load_default(max(18, max(size) // 20))
    left, top, right, bottom = pen.textbbox((0, 0), words, font=font)
    wide, high = right - left + 8, bottom - top + 8
    x = max(0.0, min(corner[0], size[0] - wide))
    y = max(0.0, min(corner[1] - high, size[1] - high))
    pen.rectangle((x, y, x + wide, y + high), fill=tuple(round(0.7 * part) for part in colour))
    pen.text((x + 4 - left, y + 4 - top), words, fill=(255, 255, 255), font=font)


def drawn(image: np.ndarray, boxes: Sequence[tuple[np.ndarray, tuple[int, int, int], str]], side: int = SIDE) -> str:
    """An image [H, W, C] from 0 to 1 with boxes (sides in shares, colour, words) as the URL of its data."""
    from PIL import Image, ImageDraw

    values = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    made = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values[..., :3]).convert("RGB")
    scale = side / max(made.size)
    size = (max(1, round(made.width * scale)), max(1, round(made.height * scale)))
    made = made.resize(size, Image.Resampling.NEAREST if scale > 3 else Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(made)
    wide = max(2, side // 160)
    for (top, left, bottom, right), colour, _ in boxes:
        corner = (left * size[0], top * size[1])
        pen.rectangle(
            (*corner, max(right * size[0], corner[0]), max(bottom * size[1], corner[1])), outline=colour, width=wide
        )
    for (top, left, *_), colour, words in boxes:  # over all lines
        if words:
            name_tag(pen, (left * size[0], top * size[1]), colour, words, size)
    file = io.BytesIO()
    made.save(file, "png" if scale > 3 else "jpeg", **({} if scale > 3 else {"quality": 85}))
    kind = "png" if scale > 3 else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
