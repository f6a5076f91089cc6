"""Links where the file system has them, copies elsewhere."""

import os

import pytest

from kilnworks.schemas.files import link_or_copy


def test_it_links(tmp_path):
    (tmp_path / "one").write_text("1")
    link_or_copy(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two").samefile(tmp_path / "one")


def test_it_copies_with_times_where_links_are_refused(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError("Operation not permitted")  # as FAT and many network file systems answer

    (tmp_path / "one").write_text("1")
    os.utime(tmp_path / "one", (1_700_000_000, 1_700_000_000))
    monkeypatch.setattr(os, "link", refuse)
    link_or_copy(str(tmp_path / "one"), str(tmp_path / "two"))
    assert (tmp_path / "two").read_text() == "1" and not (tmp_path / "two").samefile(tmp_path / "one")
    assert (tmp_path / "two").stat().st_mtime == 1_700_000_000


def test_what_is_there_stays(tmp_path):
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    with pytest.raises(FileExistsError):
        link_or_copy(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two").read_text() == "2"
