"""Archives of images: unpacked whole or not at all, and never beyond their folder."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from kilnworks.components.sources.files import archive
from kilnworks.components.sources.files.archive import is_archive, unpacked
from kilnworks.schemas.errors import DataUnreadable


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as out:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
        for member in members:
            out.addfile(member)
    return path


def below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


GOOD = {"cats/a.png": b"1", "dogs/b.PNG": b"22", "labels.csv": b"3"}


@pytest.mark.parametrize(("make", "name"), [(zipped, "p.zip"), (tarred, "p.tar.gz"), (tarred, "P.TGZ")])
def test_it_is_unpacked_once_beside_itself_without_the_folder_around(tmp_path: Path, make, name: str) -> None:
    others = {"set/notes.exe": b"x", "__MACOSX/cats/._a.png": b"x", "set/.hidden/c.png": b"x"}
    path = make(tmp_path / name, {**{f"set/{n}": c for n, c in GOOD.items()}, **others})
    assert is_archive(path)
    folder = unpacked(path)
    assert below(folder) == GOOD
    (folder / "cats/a.png").write_bytes(b"kept")
    assert unpacked(path) == folder
    assert (folder / "cats/a.png").read_bytes() == b"kept"
    path.unlink()
    make(path, {"cats/z.png": b"9", "dogs/y.png": b"8"})
    again = unpacked(path)
    assert again != folder
    assert below(again) == {"cats/z.png": b"9", "dogs/y.png": b"8"}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, folder.name, again.name]), "nothing is left over"


def link(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo("cats/l.png")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize("name", ["../out.png", "/out.png", "cats/../../out.png", "..\\out.png", "C:/out.png"])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, make, name: str) -> None:
    path = make(tmp_path / ("p.zip" if make is zipped else "p.tgz"), {"cats/a.png": b"1", name: b"2"})
    with pytest.raises(DataUnreadable, match="points outside"):
        unpacked(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert not (tmp_path.parent / "out.png").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = tarred(tmp_path / "p.tgz", GOOD, link(kind))
    with pytest.raises(DataUnreadable, match="is a link or a device"):
        unpacked(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "p.zip", GOOD)
    info = zipfile.ZipInfo("cats/l.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as out:
        out.writestr(info, "/etc/passwd")
    with pytest.raises(DataUnreadable, match="is a link or a device"):
        unpacked(path)


def test_a_bomb_is_refused_while_it_is_read(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "SMALL", 2**20)
    path = zipped(tmp_path / "p.zip", {"cats/a.png": bytes(8 * 2**20)})
    with pytest.raises(DataUnreadable, match="at most 200 times its size"):
        unpacked(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_what_is_no_archive_or_cut_off_is_said(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"p{ending}"
    path.write_bytes(b"no archive")
    with pytest.raises(DataUnreadable, match="cannot be unpacked"):
        unpacked(path)
    make = zipped if ending == ".zip" else tarred
    make(path, {f"cats/{i}.png": bytes([i] * 999) for i in range(200)})
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataUnreadable, match="cannot be unpacked"):
        unpacked(path)
    make(path, {"notes.txt": b"1"})
    with pytest.raises(DataUnreadable, match="holds no image"):
        unpacked(path)
    with pytest.raises(DataUnreadable, match="no file"):
        unpacked(tmp_path / "absent.zip")
