import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kilnworks.components.sources import ImageFolderSource, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.images import FileFacts, decode_image
from kilnworks.schemas.errors import DataInvalid, DataUnreadable
from tests.components.sources.data_makers import image_folder, write_png

WANTED = Wanted({"image": Column("image", "image", (6, 8, 3)), "label": Column("label", "string")})


def read(source, split=None, wanted=WANTED):
    return pl.concat(list(source.frames(wanted, split)))


def test_classes_and_pixels(tmp_path):
    frame = read(ImageFolderSource(path=str(image_folder(tmp_path))))
    assert frame["label"].to_list() == ["cat"] * 12 + ["dog"] * 12
    assert frame["image"].dtype == pl.Array(pl.UInt8, 144)
    pixels = frame["image"].to_numpy()
    assert [set(row) for row in pixels[:3].tolist()] == [{40}, {41}, {42}]


def test_splits_of_folders(tmp_path):
    source = ImageFolderSource(path=str(image_folder(tmp_path, ("train", "valid", "test"), each=3)))
    assert source.splits() == ("train", "val", "test")
    assert [read(source, split).height for split in source.splits()] == [6, 6, 6]
    named = Wanted({**WANTED.columns, "file": Column("file", "key")})
    assert read(source, "val", named)["file"][0] == "valid/cat/000.png"


def test_classes_that_are_not_splits(tmp_path):
    assert ImageFolderSource(path=str(image_folder(tmp_path))).splits() == ()


def test_resizing_keeps_the_order_of_axes(tmp_path):
    picture = np.zeros((4, 8, 3), dtype=np.uint8)
    picture[:, 4:] = (200, 100, 50)
    path = tmp_path / "a" / "x.png"
    path.parent.mkdir()
    Image.fromarray(picture).save(path)
    got = decode_image(path.read_bytes(), (2, 4, 3), "x").pixels
    assert got.shape == (2, 4, 3)
    assert got[:, 0].tolist() == [[0, 0, 0]] * 2 and got[:, 3].tolist() == [[200, 100, 50]] * 2


def test_channels_are_converted(tmp_path):
    grey = write_png(tmp_path / "g.png", mode="L", value=77).read_bytes()
    assert decode_image(grey, (6, 8, 3), "g").pixels.tolist() == np.full((6, 8, 3), 77).tolist()
    colour = write_png(tmp_path / "c.png", value=77).read_bytes()
    decoded = decode_image(colour, (6, 8, 1), "c")
    assert decoded.pixels.shape == (6, 8, 1) and decoded.facts == FileFacts(6, 8, 3, "uint8")


def as_bytes(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()


def test_facts_of_unusual_files():
    colours = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8))
    written = {
        "palette": as_bytes(colours.convert("P")),
        "gif": as_bytes(colours, "GIF"),
        "black and white": as_bytes(colours.convert("1")),
        "transparent": as_bytes(colours.convert("RGBA")),
        "turned": as_bytes(colours, "JPEG", exif=turned()),
        "16 bits": as_bytes(Image.fromarray(np.zeros((4, 5), dtype=np.uint16))),
    }
    assert {kind: decode_image(content, (2, 2, 3), kind).facts for kind, content in written.items()} == {
        "palette": FileFacts(4, 5, 3, "uint8"),
        "gif": FileFacts(4, 5, 3, "uint8"),
        "black and white": FileFacts(4, 5, 1, "bool"),
        "transparent": FileFacts(4, 5, 4, "uint8"),
        "turned": FileFacts(5, 4, 3, "uint8"),
        "16 bits": FileFacts(4, 5, 1, "uint16"),
    }


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_sixteen_bits_are_scaled_and_not_cut_off():
    deep = np.array([[0, 255, 256, 25_700, 65_535]], dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        pixels = decode_image(as_bytes(Image.fromarray(deep), kind), (1, 5, 1), kind).pixels
        assert pixels.ravel().tolist() == [0, 0, 1, 100, 255]


def test_numbers_without_a_range_are_refused():
    floats = as_bytes(Image.fromarray(np.ones((2, 2), dtype=np.float32)), "TIFF")
    with pytest.raises(DataUnreadable, match="32 bits, of which no range is known"):
        decode_image(floats, (2, 2, 1), "x.tif")


def test_what_the_files_held_stands_beside_the_pixels(tmp_path):
    image_folder(tmp_path, each=1)
    write_png(tmp_path / "cat" / "odd.png", size=(20, 3), mode="L")
    frame = read(ImageFolderSource(path=str(tmp_path)))
    assert frame.columns == ["image", "label", "image__height", "image__width", "image__channels", "image__dtype"]
    assert frame.drop("image", "label").rows() == [(6, 8, 3, "uint8"), (3, 20, 1, "uint8"), (6, 8, 3, "uint8")]


def test_broken_images_are_all_named(tmp_path):
    image_folder(tmp_path)
    whole = (tmp_path / "cat" / "003.png").read_bytes()
    (tmp_path / "cat" / "003.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "dog" / "005.png").write_bytes(b"no picture")
    (tmp_path / "dog" / "006.png").write_bytes(b"")
    with pytest.raises(DataUnreadable) as error:
        read(ImageFolderSource(path=str(tmp_path)))
    for name in ("cat/003.png", "dog/005.png", "dog/006.png"):
        assert name in error.value.got
    assert "000.png" not in error.value.got


def test_folder_without_classes(tmp_path):
    write_png(tmp_path / "x.png")
    with pytest.raises(DataUnreadable, match="not in a class folder"):
        read(ImageFolderSource(path=str(tmp_path)))


def test_no_images_and_no_folder(tmp_path):
    with pytest.raises(DataUnreadable, match="holds no image"):
        ImageFolderSource(path=str(tmp_path)).files()
    with pytest.raises(DataUnreadable, match="no file or folder"):
        ImageFolderSource(path=str(tmp_path / "nothing")).files()


def test_contract_without_an_image(tmp_path):
    wanted = Wanted({"image": Column("image", "float"), "label": Column("label", "string")})
    with pytest.raises(DataInvalid, match="holds images, the contract says dtype float"):
        read(ImageFolderSource(path=str(image_folder(tmp_path, each=1))), wanted=wanted)


def test_fingerprint_holds_class_and_pixels(tmp_path):
    one = ImageFolderSource(path=str(image_folder(tmp_path / "one", each=2)))
    same = ImageFolderSource(path=str(image_folder(tmp_path / "same", each=2)))
    assert one.identity() == same.identity()
    (tmp_path / "same" / "cat" / "000.png").rename(tmp_path / "same" / "dog" / "moved.png")
    assert one.fingerprint() != same.fingerprint()
