"""What counts in a folder: one rule for every source, for ``new``, ``predict`` and landing folders, and it is said."""

import logging

import polars as pl
import pytest

from kilnworks.components.predicting.images import image_frames
from kilnworks.components.quality.screening.files.reading import read_file
from kilnworks.components.retraining.landing import Landing
from kilnworks.components.sources import CsvSource, ImageFolderSource, JsonLinesSource, ParquetSource, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.files.folder import files_below
from kilnworks.components.sources.files.notes import say
from kilnworks.components.starting.start import start
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataUnreadable
from tests.components.sources.data_makers import image_folder, write_png

HIDDEN = (
    ".x{end}",
    "_x{end}",
    ".ipynb_checkpoints/x{end}",
    "_temporary/0/x{end}",
    "__MACOSX/x{end}",
    "__MACOSX/._x{end}",
    "_delta_log/x{end}",
    "deep/.cache/x{end}",
    "@eaDir/x{end}",
)
UNFINISHED = ("x{end}.tmp", "x{end}.crdownload", "x{end}.part", "x{end}.PARTIAL", "~$x{end}", "x{end}.inprogress")
COPIES = ("x{end}~", "x{end}.bak", "#x{end}#")
OTHERS = ("Thumbs.db", ".DS_Store", "desktop.ini", "_SUCCESS", "readme.md")
ONE = Wanted({"a": Column("a", "int")})


@pytest.fixture(autouse=True)
def _said_anew():
    say.cache_clear()


def fill(folder, ending, content):
    for name in (*HIDDEN, *UNFINISHED, *COPIES, *OTHERS):
        path = folder / name.format(end=ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("ending", "source"), [(".csv", CsvSource), (".jsonl", JsonLinesSource), (".parquet", ParquetSource)]
)
def test_tables(tmp_path, caplog, ending, source):
    pl.DataFrame({"a": [1, 2]}).write_parquet(tmp_path / "p")
    whole = {".csv": b"a\n1\n2\n", ".jsonl": b'{"a": 1}\n{"a": 2}\n', ".parquet": (tmp_path / "p").read_bytes()}
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / f"1{ending}").write_bytes(whole[ending])
    (folder / "deep" / f"2{ending.upper()}").write_bytes(whole[ending])
    clean = source(path=str(folder)).fingerprint()
    fill(folder, ending, b"half")
    with caplog.at_level(logging.WARNING):
        read = pl.concat(source(path=str(folder)).frames(ONE))
    assert read["a"].to_list() == [1, 2, 1, 2] and source(path=str(folder)).fingerprint() == clean
    assert len(caplog.messages) == 1
    assert f"{len(HIDDEN) + len(UNFINISHED) + len(COPIES)} files are left out: " in caplog.messages[0]
    assert f"{len(HIDDEN)} hidden (.ipynb_checkpoints/x{ending}, ...)" in caplog.messages[0]
    assert read_file(folder)[0].height == 4


def test_images_and_new_see_the_same(tmp_path, caplog):
    image_folder(tmp_path / "photos", each=12)
    fill(tmp_path / "photos", ".png", write_png(tmp_path / "x.png").read_bytes())
    (tmp_path / "photos/_x.png").rename(tmp_path / "photos/cat/_DSC0001.png")  # as cameras write it: this one counts
    source = ImageFolderSource(path=str(tmp_path / "photos"))
    wanted = Wanted({"label": Column("label", "string")}, any_extra=True)
    labels = pl.concat(source.frames(wanted))["label"]
    assert set(labels) == {"cat", "dog"} and len(labels) == 25
    assert start("p", str(tmp_path / "photos")).contract.label.classes == ("cat", "dog")
    assert "left out" in caplog.text
    contract = Contract.model_validate({"name": "c", "features": {"image": {"dtype": "image", "shape": (4, 4, 3)}}})
    assert sum(f.height for f in image_frames(tmp_path / "photos", contract, None)) == 25


def test_a_folder_within_a_class_is_refused_by_new_and_run_alike(tmp_path):
    image_folder(tmp_path, each=12)
    (tmp_path / "cat" / "blue").mkdir()
    write_png(tmp_path / "cat" / "blue" / "z.png")
    wanted = Wanted({"label": Column("label", "string")}, any_extra=True)
    for read in (lambda: list(ImageFolderSource(path=str(tmp_path)).frames(wanted)), lambda: start("p", str(tmp_path))):
        with pytest.raises(DataUnreadable, match=r"not in a class folder: .*cat/blue/z\.png"):
            read()


def test_landing_folders_have_the_same_rule(tmp_path):
    fill(tmp_path, ".csv", b"half")
    (tmp_path / "whole.csv").write_bytes(b"a\n1\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    assert list(Landing(str(tmp_path)).stamps()) == ["readme.md", "whole.csv"]
    assert list(Landing(str(tmp_path), "*.csv").stamps()) == ["whole.csv"]


def test_links_are_followed_once(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.csv").write_text("a\n3\n")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "1.csv").write_text("a\n1\n")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(folder)
    (folder / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    found = files_below(folder, (".csv",))
    assert [p.name for p in found.files] == ["1.csv", "far.csv"]
    assert found.words(folder) == "1 file is left out: 1 links that lead nowhere (gone.csv)"


def test_a_folder_of_hidden_files_alone_says_so(tmp_path):
    (tmp_path / "x.csv.tmp").write_text("a\n1\n")
    with pytest.raises(DataUnreadable, match=r"holds no .csv .*1 unfinished \(x.csv.tmp\)"):
        CsvSource(path=str(tmp_path)).files()
    with pytest.raises(DataUnreadable, match=r"no image and no table \(1 file is left out"):
        start("p", str(tmp_path))


def test_partitions_are_refused_in_words(tmp_path):
    (tmp_path / "year=2024" / "month=1").mkdir(parents=True)
    (tmp_path / "year=2024" / "month=1" / "x.csv").write_text("a\n1\n")
    for read in (lambda: list(CsvSource(path=str(tmp_path)).frames(ONE)), lambda: read_file(tmp_path)):
        with pytest.raises(DataUnreadable, match="partitioned: month, year stand in the names of its folders"):
            read()
    part = CsvSource(path=str(tmp_path / "year=2024" / "month=1"))
    assert pl.concat(part.frames(ONE))["a"].to_list() == [1]
