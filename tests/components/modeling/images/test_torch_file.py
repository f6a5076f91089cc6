"""Checkpoints of torch, read without it: every number of both layouts, and nothing that is not a tensor."""

import os
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.modeling.images.torch_file import read_torch_file
from kilnworks.schemas.errors import DataUnreadable
from tests.components.modeling.images.torch_writer import Stored, Tensor, checkpoint, tensors
from tests.effort import tries

ARRAYS = {
    "conv.weight": np.random.default_rng(0).normal(size=(4, 3, 2, 2)).astype("<f4"),
    "norm.count": np.array(7, "<i8"),
    "half": np.arange(5, dtype="<f2"),
    "bytes": np.arange(6, dtype="<u1").reshape(2, 3),
    "none": np.zeros((0, 3), "<f4"),
}
BOTH = pytest.mark.parametrize("old", [True, False], ids=["pickles", "archive"])


@BOTH
def test_every_number_comes_back(tmp_path: Path, old: bool) -> None:
    found = read_torch_file(checkpoint(tmp_path / "a.pth", tensors(ARRAYS), old))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@BOTH
def test_views_of_one_storage_are_copied_out(tmp_path: Path, old: bool) -> None:
    stored = Stored("0", np.arange(12, dtype="<f4"))
    views = OrderedDict(turned=Tensor(stored, 0, (4, 3), (1, 4)), later=Tensor(stored, 5, (2,), (3,)))
    found = read_torch_file(checkpoint(tmp_path / "a.pth", {"epoch": 3, "state_dict": views}, old))
    np.testing.assert_array_equal(found["turned"], np.arange(12).reshape(3, 4).T)
    np.testing.assert_array_equal(found["later"], [5, 8])


class Evil:
    """What a pickle of an attacker holds."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch pwned",)


class Subtle:
    """The same by a harmless name."""

    def __reduce__(self) -> tuple:
        return getattr, (OrderedDict, "fromkeys")


@BOTH
@pytest.mark.parametrize("thing", [Evil(), Subtle()], ids=["system", "getattr"])
def test_nothing_else_is_named_or_run(tmp_path: Path, monkeypatch, old: bool, thing: object) -> None:
    monkeypatch.chdir(tmp_path)
    path = checkpoint(tmp_path / "a.pth", OrderedDict(weight=thing), old)
    with pytest.raises(DataUnreadable, match=r"could run anything"):
        read_torch_file(path)
    assert not (tmp_path / "pwned").exists()


@BOTH
@pytest.mark.parametrize(
    ("view", "words"),
    [
        ((0, (13,), (1,)), "13 elements on 12"),
        ((6, (7,), (1,)), "ends at element 12 of 12"),
        ((0, (1 << 30, 1 << 30), (0, 0)), "elements on 12"),
        ((-1, (2,), (1,)), "impossible shape"),
        ((0, (2,), (1, 1)), "not known"),
    ],
)
def test_tensors_stay_inside_of_their_storage(tmp_path: Path, old: bool, view: tuple, words: str) -> None:
    content = OrderedDict(weight=Tensor(Stored("0", np.arange(12, dtype="<f4")), *view))
    with pytest.raises(DataUnreadable, match=words):
        read_torch_file(checkpoint(tmp_path / "a.pth", content, old))


@BOTH
@pytest.mark.parametrize("content", [OrderedDict(a=3), ["a"], OrderedDict(), {"state_dict": {1: 2}}])
def test_other_things_are_refused(tmp_path: Path, old: bool, content: object) -> None:
    with pytest.raises(DataUnreadable, match="state_dict"):
        read_torch_file(checkpoint(tmp_path / "a.pth", content, old))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", bytes(100)])
def test_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(DataUnreadable, match=r"a\.pth"):
        read_torch_file(tmp_path / "a.pth")


@pytest.mark.slow
@BOTH
@settings(max_examples=tries(40))
@given(cut=st.integers(0, 900), place=st.integers(0, 900), byte=st.integers(0, 255))
def test_broken_files_are_refused_or_read(tmp_path_factory, old: bool, cut: int, place: int, byte: int) -> None:
    folder = tmp_path_factory.mktemp("torch")
    whole = checkpoint(folder / "a.pth", tensors(ARRAYS), old).read_bytes()
    broken = bytearray(whole)
    broken[place % len(whole)] = byte
    for name, content in {"cut": whole[: cut % len(whole)], "changed": bytes(broken)}.items():
        (folder / name).write_bytes(content)
        try:
            found = read_torch_file(folder / name)
        except DataUnreadable:
            continue
        assert name == "changed" and all(isinstance(value, np.ndarray) for value in found.values())
