"""The same few images with boxes, written as CSV, XML of PASCAL VOC and JSON of COCO."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

BOXES = {
    "a.png": [("cat", 10, 5, 30, 25), ("dog", 0, 0, 40, 30)],
    "b.png": [("dog", 20, 10, 40, 30)],
    "c.png": [],
}
"""Class, xmin, ymin, xmax, ymax in pixels of images that are 40 wide and 30 high."""
WIDE, HIGH = 40, 30
SHARES = {
    "a.png": '{"outside":0,"empty":0,"boxes":[["cat",0.166667,0.250000,0.833333,0.750000],'
    '["dog",0.000000,0.000000,1.000000,1.000000]]}',
    "b.png": '{"outside":0,"empty":0,"boxes":[["dog",0.333333,0.500000,1.000000,1.000000]]}',
    "c.png": '{"outside":0,"empty":0,"boxes":[]}',
}


def write_images(folder: Path, names=tuple(BOXES)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in names:
        Image.fromarray(rng.integers(0, 255, (HIGH, WIDE, 3)).astype(np.uint8)).save(folder / name)


def write_csv(path: Path, boxes=None) -> None:
    lines = ["image,xmin,ymin,xmax,ymax,label"]
    for name, found in (boxes or BOXES).items():
        lines += [f"{name},{','.join(map(str, sides))},{label}" for label, *sides in found] or [f"{name},,,,,"]
    path.write_text("\n".join(lines) + "\n")


def voc(name: str, boxes, size=(WIDE, HIGH)) -> str:
    sides = ("xmin", "ymin", "xmax", "ymax")
    objects = "".join(
        f"<object><name>{label}</name><bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, values, strict=True))
        + "</bndbox></object>"
        for label, *values in boxes
    )
    return (
        f"<annotation><filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height>"
        f"<depth>3</depth></size>{objects}</annotation>"
    )


def write_voc(folder: Path, boxes=None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, found in (boxes or BOXES).items():
        (folder / f"{Path(name).stem}.xml").write_text(voc(name, found))


def coco(boxes=None) -> dict:
    names = ["cat", "dog"]
    found = boxes or BOXES
    images = [{"id": i, "file_name": n, "width": WIDE, "height": HIGH} for i, n in enumerate(found, 5)]
    notes = [
        {"id": i, "image_id": image["id"], "category_id": 1 + names.index(label), "bbox": [x, y, a - x, b - y]}
        for image in images
        for i, (label, x, y, a, b) in enumerate(found[image["file_name"]])
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(names, 1)]
    return {"images": images, "annotations": notes, "categories": categories}


def write_coco(path: Path, boxes=None) -> None:
    path.write_text(json.dumps(coco(boxes)))


def contract(classes=("cat", "dog"), most=5) -> dict:
    return {
        "name": "pets",
        "key": "file",
        "features": {"image": {"dtype": "image", "shape": [32, 32, 3], "min": 0, "max": 255}},
        "label": {"name": "boxes", "dtype": "boxes", "boxes": most, "classes": list(classes)},
    }
