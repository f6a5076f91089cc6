"""What is decided about images, on folders made for it."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.components.sources import AsGiven, ImageFolderSource, ImageListSource
from kilnworks.components.starting.definition import definition
from kilnworks.components.starting.pictures.flips import THUMB, harmless_flips
from kilnworks.components.starting.start import start
from kilnworks.schemas.errors import ConfigError, DataUnreadable, UnknownName


def arrow(right: bool, random: np.random.Generator, size=(20, 24)) -> Image.Image:
    """A bright bar whose tip points to one side, on noise."""
    pixels = random.integers(0, 60, (*size, 3))
    for row in range(6, 14):
        length = 16 - 2 * abs(row - 10)
        pixels[row, 4 : 4 + length] = (200, 40, 40)
    made = Image.fromarray(pixels.astype(np.uint8))
    return made if right else made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def folder(root: Path, counts: dict[str, int], right=lambda _: True) -> Path:
    """``counts`` images of each class."""
    random = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            arrow(right(i), random).save(root / name / f"{i:03d}.png")
    return root


def test_folders_by_class(tmp_path):
    recipe = start("arrows", str(folder(tmp_path / "data", {"b": 40, "a": 30})))
    assert isinstance(recipe.source, ImageFolderSource)
    assert recipe.contract.label.classes == ("a", "b") and recipe.contract.key == "file"
    assert recipe.contract.features["image"].shape == (20, 24, 3)
    assert recipe.model.augmentation.flip == "none", "all point to the right: a mirrored one is another thing"
    assert recipe.training["schedule"].warmup_epochs > 0 and recipe.training["label_smoothing"] > 0
    archived = start("arrows", shutil.make_archive(str(tmp_path / "sent"), "gztar", tmp_path, "data"))
    assert archived.contract.label == recipe.contract.label and archived.rows == 70
    assert archived.contract.features == recipe.contract.features


def test_flips_where_mirror_images_are_as_likely(tmp_path):
    both = folder(tmp_path / "data", {"a": 40, "b": 40}, right=lambda i: i % 2 == 0)
    assert start("arrows", str(both)).model.augmentation.flip in ("horizontal", "horizontal_and_vertical")


@pytest.mark.parametrize(
    ("down", "across", "wanted"),
    [(1, 0, "horizontal"), (0, 1, "vertical"), (1, 1, "none"), (0, 0, "horizontal_and_vertical")],
)
def test_flips_along_axes_in_which_nothing_has_a_direction(down: int, across: int, wanted: str) -> None:
    """Noise that gets brighter downwards or to the right: that is not so in a mirror image."""
    side = np.linspace(-1, 1, THUMB)
    slope = down * side[:, None] + across * side[None]
    images = np.random.default_rng(3).normal(size=(400, THUMB, THUMB)) + 2 * slope
    assert harmless_flips(images.astype(np.float32), np.repeat(["a", "b"], 200)) == wanted


def test_folders_by_split(tmp_path):
    for part in ("train", "test"):
        folder(tmp_path / "data" / part, {"a": 20, "b": 20})
    recipe = start("arrows", str(tmp_path / "data"))
    assert isinstance(recipe.split, AsGiven) and recipe.contract.label.classes == ("a", "b")


@pytest.mark.parametrize("inside", [True, False])
def test_a_table_names_the_images(tmp_path, inside):
    images = folder(tmp_path / "data", {"pictures": 30}) / "pictures"
    names = [p.name for p in sorted(images.iterdir())]
    table = (images if inside else tmp_path / "data") / "labels.csv"
    pl.DataFrame({"name": names, "kind": ["x", "y"] * 15, "by": [f"p{i}" for i in range(30)]}).write_csv(table)
    recipe = start("arrows", str(table if inside else tmp_path / "data"))
    assert isinstance(recipe.source, ImageListSource)
    assert (recipe.source.file, recipe.contract.label.name) == ("name", "kind")
    assert recipe.contract.ignore == ("by",)
    from kilnworks.components.sources.base import Wanted
    from kilnworks.components.sources.columns import contract_columns

    frames = recipe.source.frames(Wanted(contract_columns(recipe.contract), frozenset(recipe.contract.ignore)))
    frame = pl.concat(list(frames))
    assert frame["name"].to_list() == names and frame["kind"].to_list() == ["x", "y"] * 15
    first = np.asarray(Image.open(images / names[0]))
    np.testing.assert_array_equal(frame["image"][0].to_numpy().reshape(20, 24, 3), first)


def test_grey_images_of_several_sizes(tmp_path):
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(12):
            side = int(random.integers(90, 130))
            Image.fromarray(random.integers(0, 255, (side, 2 * side), dtype=np.uint8)).save(
                tmp_path / name / f"{i}.png"
            )
    assert start("grey", str(tmp_path)).contract.features["image"].shape == (32, 64, 1)


def test_images_of_a_camera_of_12_bits_are_refused_where_nearly_black(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(12):
            pixels = np.random.default_rng(i).integers(0, 4096, (30, 40), dtype=np.uint16)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    with pytest.raises(DataUnreadable, match=r"24 of 24 opened images have 16 bits.*16 of 256 grey levels"):
        start("grey", str(tmp_path))


@pytest.mark.parametrize("grey", [True, False])
def test_arrays(tmp_path, grey):
    random = np.random.default_rng(0)
    shape = (80, 14, 12) if grey else (80, 14, 12, 3)
    np.savez(tmp_path / "x.npz", pixels=random.integers(0, 255, shape, dtype=np.uint8), kind=np.arange(80) % 3)
    recipe = start("arrays", str(tmp_path / "x.npz"))
    assert recipe.contract.features["pixels"].shape == (14, 12, 1 if grey else 3)
    assert recipe.contract.label.classes == (0, 1, 2) and recipe.model.kind == "vision"
    with pytest.raises(UnknownName, match="no column 'sort'"):
        start("arrays", str(tmp_path / "x.npz"), label="sort")


def test_arrays_of_one_class_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((30, 16, 16), np.uint8), y=np.ones(30, int))
    with pytest.raises(ConfigError, match="label y has one class, 1"):
        start("arrays", str(tmp_path / "x.npz"))


def test_arrays_in_parts(tmp_path):
    """As the archives of Keras's own data sets are."""
    random, rows = np.random.default_rng(0), {"train": 200, "test": 60}
    arrays = {f"x_{part}": random.integers(0, 255, (n, 16, 16), dtype=np.uint8) for part, n in rows.items()}
    np.savez(tmp_path / "x.npz", **arrays, **{f"y_{part}": np.arange(n) % 3 for part, n in rows.items()})
    recipe = start("arrays", str(tmp_path / "x.npz"))
    assert isinstance(recipe.split, AsGiven)
    assert (list(recipe.contract.features), recipe.contract.label.name, recipe.rows) == (["x"], "y", 260)
    place = tmp_path / "pipelines/arrays.py"
    text = definition("arrays", recipe, tmp_path, tmp_path / "schemas/contracts/arrays.yaml")
    assert 'arrays={"x": "x_train", "y": "y_train"}' in text.replace("'", '"'), place


def test_refused(tmp_path):
    with pytest.raises(ConfigError, match="one class, a"):
        start("x", str(folder(tmp_path / "one", {"a": 5})))
    broken = folder(tmp_path / "two", {"a": 5, "b": 5})
    (broken / "a" / "000.png").write_bytes(b"no image")
    with pytest.raises(DataUnreadable, match=r"000\.png"):
        start("x", str(broken))


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True])
def test_photographs_stand_on_weights_that_a_project_has(tmp_path, monkeypatch, there: bool) -> None:
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(30):
            arrow(i % 2 == 0, random, (120, 200)).save(tmp_path / "data" / name / f"{i:03d}.png")
    if there:
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights/mobilenet_v2.pth").write_bytes(b"any")
    recipe = start("arrows", str(tmp_path / "data"))
    (model,) = (one for one in recipe.decisions if one.what == "model")
    if not there:
        assert model.choice == "vision" and "weights/mobilenet_v2.pth" in model.why
        assert recipe.contract.features["image"].shape == (40, 64, 3)
        return
    assert (model.choice, recipe.model.fine_tune) == ("transfer", 3) and "ImageNet" in model.why
    assert recipe.contract.features["image"].shape == (96, 160, 3)
    assert recipe.model.augmentation.shift == 0 and recipe.training["epochs"] == 12
    assert next(one for one in recipe.decisions if one.what == "augment").choice in ("nothing", "flips", "upside down")
    text = definition("arrows", recipe, tmp_path, tmp_path / "schemas/contracts/arrows.yaml")
    assert 'weights=Bytes(path=str(ROOT / "weights/mobilenet_v2.pth"))' in text
    place = tmp_path / "pipelines/arrows.py"
    code = next(line for line in text.splitlines() if "model=" in line).strip().rstrip(",").removeprefix("model=")
    imports = "\n".join(line for line in text.splitlines() if line.startswith("from"))
    made: dict = {"__file__": str(place)}
    exec(f"{imports}\nROOT = Path(__file__).parents[1]\nmodel = {code}", made)
    assert made["model"] == recipe.model


def test_images_are_made_where_that_is_asked_for(tmp_path):
    root = folder(tmp_path, {"left": 210, "right": 210})
    recipe = start("arrows", str(root), task="generation")
    assert recipe.model.kind == "dcgan" and recipe.training["monitor"] == "val_distance"
    assert recipe.split.shares.test == 0.25
    assert {d.what for d in recipe.decisions} >= {"rows", "task", "model", "aside"}
    text = definition("arrows", recipe, tmp_path, tmp_path / "arrows.yaml")
    assert "Dcgan(" in text and "val_distance" in text
    few = folder(tmp_path / "few", {"left": 10, "right": 10})
    with pytest.raises(ConfigError, match="20 images to learn to make more of"):
        start("arrows", str(few), task="generation")
