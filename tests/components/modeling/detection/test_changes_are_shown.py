"""The sheet of changes draws boxes where they moved to."""

import numpy as np

from kilnworks.components.judging.detection.drawn import TRUE, drawn
from kilnworks.components.modeling.detection.pictures import SIDE, TRIES, sheet

BOX = np.array([0.1, 0.2, 0.4, 0.7, 1.0])


def images() -> tuple[np.ndarray, np.ndarray]:
    """Two images of noise, the second without a box."""
    boxes = np.full((2, 3, 5), -1.0)
    boxes[0, 0] = BOX
    return np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32), boxes


def test_images_and_boxes_are_mirrored_together() -> None:
    pixels, boxes = images()
    found = sheet(pixels, boxes, ["cat", "dog"], {"flip": "both", "crop": 0.4})
    together = [f"together {i + 1}" for i in range(TRIES)]
    assert found["columns"] == ["as it is", "mirrored", "upside down", "turned", *together]
    first = dict(zip(found["columns"], found["rows"][0], strict=True))
    top, left, bottom, right = BOX[:4]
    assert first["as it is"] == drawn(pixels[0], [(BOX[:4], TRUE, "dog")], SIDE)
    side = np.array([top, 1 - right, bottom, 1 - left], np.float32)
    assert first["mirrored"] == drawn(pixels[0][:, ::-1], [(side, TRUE, "dog")], SIDE)
    down = np.array([1 - bottom, left, 1 - top, right], np.float32)
    assert first["upside down"] == drawn(pixels[0][::-1], [(down, TRUE, "dog")], SIDE)
    swapped = np.array([left, top, right, bottom], np.float32)
    assert first["turned"] == drawn(pixels[0].transpose(1, 0, 2), [(swapped, TRUE, "dog")], SIDE)
    assert len({first[name] for name in found["columns"]}) == len(first)
    second = dict(zip(found["columns"], found["rows"][1], strict=True))
    assert second["mirrored"] == drawn(pixels[1][:, ::-1], [], SIDE)


def test_what_is_not_changed_has_no_sheet() -> None:
    pixels, boxes = images()
    assert sheet(pixels, boxes, ["cat", "dog"], {"flip": "none", "crop": 0.0}) == {}
    found = sheet(pixels, boxes, ["cat", "dog"], {"flip": "none", "crop": 0.2})
    assert "together 1" in sheet(pixels, boxes, ["cat", "dog"], {"flip": "none", "crop": 0.0, "colour": 0.2})["columns"]
    assert found["columns"][1] == "together 1" and found["rows"][0][1] != found["rows"][0][2]
