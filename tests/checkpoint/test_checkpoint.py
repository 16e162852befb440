"""Files: written whole or not at all, never pickled, and anything damaged or foreign is told."""

import gc
import json
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

from cem.checkpoint import file as checkpoint

HEADER = {"kind": "thing", "version": 3, "name": "grün", "numbers": [1, 2.5, None], "huge": 2**200}
ARRAYS = {
    "a/x": np.arange(6.0).reshape(2, 3),
    "a/y": np.array([1, 2, 3], dtype=np.uint8),
    "b/x": np.array(["one", "three"]),
    "b/none": np.empty((0, 4)),
    "b/special": np.array([np.nan, np.inf, -0.0, 5e-324]),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.npz"


def saved(path):
    checkpoint.write(path, HEADER, ARRAYS)
    return path.read_bytes()


def read(path):
    return checkpoint.read(path, "thing", 3)


# --- writing and reading ----------------------------------------------------------------------------


def test_what_was_written_is_read(path):
    saved(path)
    header, arrays = read(path)
    assert header == HEADER
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("name", ["state", "state.npz", "state.checkpoint", "a b.cem"])
@pytest.mark.parametrize("kind", [str, Path])
def test_the_path_is_used_exactly_as_given(tmp_path, name, kind):
    """numpy would add .npz to a name."""
    checkpoint.write(kind(tmp_path / name), HEADER, ARRAYS)
    assert os.listdir(tmp_path) == [name]
    assert read(kind(tmp_path / name))[0] == HEADER


def test_a_relative_path_is_that_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint.write("state", HEADER, ARRAYS)
    assert os.listdir(tmp_path) == ["state"]
    assert read("state")[0] == HEADER


def test_an_old_file_is_replaced(path):
    saved(path)
    checkpoint.write(path, HEADER | {"name": "new"}, {})
    header, arrays = read(path)
    assert header["name"] == "new"
    assert arrays == {}
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("where", ["replace", "fsync"])
def test_a_failure_leaves_the_old_file_and_nothing_else(path, monkeypatch, where):
    before = saved(path)

    def fails(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, where, fails)
    with pytest.raises(OSError, match="disk is full"):
        checkpoint.write(path, HEADER | {"name": "new"}, ARRAYS)
    monkeypatch.undo()
    assert os.listdir(path.parent) == [path.name]
    assert path.read_bytes() == before


def test_a_ctrl_c_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = saved(path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write(path, HEADER, {})
    monkeypatch.undo()
    assert os.listdir(path.parent) == [path.name]
    assert path.read_bytes() == before


def test_an_array_of_objects_is_never_written(path):
    before = saved(path)
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        checkpoint.write(path, HEADER, {"x": np.array([{"a": 1}], dtype=object)})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        checkpoint.write(tmp_path / "missing" / "state", HEADER, ARRAYS)


def test_no_file_is_told_apart_from_a_damaged_one(path):
    with pytest.raises(FileNotFoundError):
        read(path)


# --- damaged and foreign files ----------------------------------------------------------------------


def assert_told(path):
    with pytest.raises(ValueError, match="damaged or was not saved by cem") as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_told(path, share):
    whole = saved(path)
    path.write_bytes(whole[: int(share * len(whole))])
    assert_told(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b"\x00" * 100, b"PK\x03\x04", b"\x93NUMPY\x01\x00", b'{"kind": "thing", "version": 3}'],
    ids=["empty", "text", "zeros", "zip magic", "npy magic", "json"],
)
def test_a_foreign_file_is_told(path, content):
    path.write_bytes(content)
    assert_told(path)


def test_a_folder_is_told(tmp_path):
    assert_told(tmp_path)


def test_an_array_file_is_told(path):
    with path.open("wb") as file:
        np.save(file, np.arange(3.0))
    assert_told(path)


def test_somebody_elses_npz_is_told(path):
    np.savez(path, x=np.arange(3.0))
    assert_told(path)


@pytest.mark.parametrize(
    "header", ["", "{", "[]", "3", "null", '"text"', "{}", '{"kind": "thing"}', '{"version": 3}']
)
def test_a_header_that_is_none_is_told(path, header):
    np.savez(path, header=np.array(header))
    assert_told(path)


def test_a_flipped_bit_is_told_or_harmless(path):
    """Each byte of the file in turn: a `ValueError`, or the same content (a time stamp, say)."""
    x = ARRAYS["a/x"]
    checkpoint.write(path, HEADER, {"x": x})
    whole = path.read_bytes()
    told = 0
    for i in range(len(whole)):
        damaged = bytearray(whole)
        damaged[i] ^= 1 << (i % 8)
        path.write_bytes(damaged)
        try:
            header, arrays = read(path)
        except ValueError:
            told += 1
        else:
            assert header == HEADER
            assert list(arrays) == ["x"]
            assert arrays["x"].tobytes() == x.tobytes()
    assert told > len(whole) / 2


def test_a_damaged_file_is_closed(path):
    """An open one could not be replaced on Windows, and complains when it is collected."""
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert_told(path)
        gc.collect()
    assert [str(each.message) for each in seen] == []


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_told_and_never_run(path, tmp_path):
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert_told(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["header", "a/x"])
def test_a_pickle_inside_is_told_and_never_run(path, tmp_path, name):
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    arrays = {"header": np.array(json.dumps(HEADER)), "a/x": np.arange(3.0)} | {name: trap}
    with path.open("wb") as file:
        np.savez(file, **arrays)
    assert_told(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(("kind", "version"), [("other", 3), ("thing", 2), ("thing", 4)])
def test_another_kind_or_version_is_told(path, kind, version):
    saved(path)
    with pytest.raises(ValueError, match=rf"thing of version 3.*{kind}, version {version}"):
        checkpoint.read(path, kind, version)


# --- groups -----------------------------------------------------------------------------------------


def test_groups_keep_names_apart():
    together = checkpoint.group("one", {"x": [1]}) | checkpoint.group("other", {"x": [2]})
    assert {name: array.tolist() for name, array in together.items()} == {"one/x": [1], "other/x": [2]}
    assert checkpoint.ungroup("one", together)["x"].tolist() == [1]
    assert list(checkpoint.ungroup("other", together)) == ["x"]
    assert checkpoint.ungroup("on", together) == {}
