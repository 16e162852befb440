"""The journal: what was scored comes back, whole, and only for the rows that it belongs to."""

import copy
import logging
import os

import numpy as np
import pytest

from cem.checkpoint import file as checkpoint
from cem.checkpoint.entries import Digest
from cem.checkpoint.journal import VERSION, Journal
from cem.checkpoint.resuming import check_writable

HEADER = {
    "kind": "optimize",
    "version": VERSION,
    "python": "CPython 3.11",
    "arguments": {},
    "budget": {},
    "entropy": 1,
    "prefix": [],
}


def rows(seed, n=5, d=3):
    return np.random.default_rng(seed).normal(size=(n, d))


def filled(path, batches=4):
    """Write a journal whose last batch is half done, and give all that was put into it."""
    journal, put = Journal(path, HEADER), []
    for number in range(batches):
        entry = journal.entry(number, rows(number))
        entry.values[:], entry.done[:], entry.elapsed = number + np.arange(5), True, float(number)
        if number == 1:
            entry.residuals = np.arange(10.0).reshape(5, 2)
        if number == 2:
            entry.improved = np.eye(5, 11, dtype=np.uint8), np.arange(5.0), 17
        if number == 3:
            entry.improved = np.full((2, 3), 7), np.arange(2.0), 3
            entry.done[1:4] = False
        put.append(copy.copy(entry))
        journal.save(force=True)
    return Journal(path, HEADER, put)


def assert_same(one, other):
    assert len(one.entries) == len(other.entries)
    for a, b in zip(one.entries, other.entries, strict=True):
        assert (a.digest, a.elapsed) == (b.digest, b.elapsed)
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.done, b.done)
        for x, y in (
            (a.residuals, b.residuals),
            *zip(a.improved or [None], b.improved or [None], strict=True),
        ):
            np.testing.assert_array_equal(x, y)


def test_what_was_scored_comes_back(tmp_path):
    journal = filled(tmp_path / "run")
    again = Journal.read(tmp_path / "run", "optimize")
    assert_same(again, journal)
    assert not again.finished
    assert os.listdir(tmp_path) == ["run"]


def test_a_kept_batch_is_found_by_its_rows(tmp_path):
    journal = filled(tmp_path / "run")
    again = Journal.read(tmp_path / "run", "optimize")
    for number in range(4):
        assert again.entry(number, rows(number)) is again.entries[number]
        assert again.replaying(number)
    assert not again.replaying(4)
    assert not again.inexact
    assert not again.entry(4, rows(4)).done.any()
    assert len(journal.entries) == 4


def test_it_is_written_on_after_reading(tmp_path):
    filled(tmp_path / "run")
    again = Journal.read(tmp_path / "run", "optimize")
    again.entry(3, rows(3)).done[:] = True
    again.entry(4, rows(4)).values[:] = 1.0
    expected = Journal(again.path, HEADER, [copy.copy(entry) for entry in again.entries])
    again.close(finished=True, elapsed=0.0)
    third = Journal.read(tmp_path / "run", "optimize")
    assert_same(third, expected)
    assert third.finished
    assert third.replaying(5)


def test_rows_that_differ_in_the_last_bit_keep_their_scores(tmp_path, caplog):
    filled(tmp_path / "run")
    again = Journal.read(tmp_path / "run", "optimize")
    entry = again.entry(1, np.nextafter(rows(1), 9))
    assert entry.done.all()
    assert again.inexact
    assert "bit-identical" in caplog.text
    again.save(force=True)
    assert Journal.read(tmp_path / "run", "optimize").inexact


@pytest.mark.parametrize("other_budget", [False, True])
def test_other_rows_are_scored_anew_and_nothing_after_them_is_used(tmp_path, other_budget, caplog):
    filled(tmp_path / "run")
    again = Journal.read(tmp_path / "run", "optimize")
    again.other_budget = other_budget
    assert not again.entry(1, rows(99)).done.any()
    assert len(again.entries) == 2
    assert again.inexact is not other_budget
    assert "12 kept scores" in caplog.text
    expected = Journal(again.path, HEADER, [copy.copy(entry) for entry in again.entries])
    again.save(force=True)
    assert_same(Journal.read(tmp_path / "run", "optimize"), expected)


@pytest.mark.parametrize(
    "other", [lambda x: x[:4], lambda x: x[::-1], lambda x: x + 1e-6, lambda x: x.T, lambda x: x * 2]
)
def test_other_rows_have_another_digest(other):
    x = rows(1)
    assert Digest.of(other(x)).hash != Digest.of(x).hash
    assert Digest.of(x.copy(order="F")) == Digest.of(x)


def test_rounding_is_told_from_other_draws():
    for seed in range(200):
        x, y = rows(seed, 1, 1), rows(seed + 1000, 1, 1)
        assert not Digest.of(x).resembles(Digest.of(y))
        assert Digest.of(x).resembles(Digest.of(x * (1 + 1e-15)))


def test_a_large_batch_is_looked_at_in_part():
    x = rows(1, 1000, 1000)
    other = rows(2, 1000, 1000)
    assert Digest.of(x).hash == Digest.of(x.copy()).hash
    assert not Digest.of(x).resembles(Digest.of(other))


# --- files that are not what they should be -----------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_told(tmp_path, share):
    filled(tmp_path / "run")
    content = (tmp_path / "run").read_bytes()
    (tmp_path / "run").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="damaged"):
        Journal.read(tmp_path / "run", "optimize")


@pytest.mark.parametrize("seed", range(40))
def test_a_tampered_file_is_told_or_harmless(tmp_path, seed):
    journal = filled(tmp_path / "run")
    content = bytearray((tmp_path / "run").read_bytes())
    rng = np.random.default_rng(seed)
    at = int(rng.integers(len(content)))
    content[at] ^= int(rng.integers(1, 256))
    (tmp_path / "run").write_bytes(bytes(content))
    try:
        again = Journal.read(tmp_path / "run", "optimize")
    except ValueError:
        return
    assert_same(again, journal)


@pytest.mark.parametrize("name", ["values", "batches", "done", "improved_bits", "residuals"])
@pytest.mark.parametrize("change", ["missing", "short", "long"])
def test_arrays_that_do_not_fit_together_are_told(tmp_path, name, change):
    filled(tmp_path / "run")
    header, arrays = checkpoint.read(tmp_path / "run", "optimize", VERSION)
    array = arrays.pop(name)
    if change != "missing":
        arrays[name] = array[:-1] if change == "short" else np.concatenate([array, array[-1:]])
    checkpoint.write(tmp_path / "run", header, arrays)
    with pytest.raises(ValueError, match="damaged"):
        Journal.read(tmp_path / "run", "optimize")


def test_another_kind_of_file_is_told(tmp_path):
    filled(tmp_path / "run")
    with pytest.raises(ValueError, match="expected estimate"):
        Journal.read(tmp_path / "run", "estimate")


# --- disks --------------------------------------------------------------------------------------------


def test_a_full_disk_is_said_once_and_tried_again(tmp_path, monkeypatch, caplog):
    journal = filled(tmp_path / "run")
    put = [copy.copy(entry) for entry in journal.entries]

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write", full)
        journal.save(force=True)
        journal.save(force=True)
        assert journal.trouble is not None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left" in caplog.text
    os.unlink(tmp_path / "run")
    journal.save(force=True)
    assert journal.trouble is None
    assert_same(Journal.read(tmp_path / "run", "optimize"), Journal(journal.path, HEADER, put))


def test_frequent_saving_writes_seldom(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("cem.checkpoint.journal.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("cem.checkpoint.journal.SYNCED", 20.0)
    journal, written = Journal(tmp_path / "run", HEADER), []

    def write(path, header, arrays, sync):
        if not sync:
            written.append(clock[0])
        clock[0] += 1.0

    monkeypatch.setattr(checkpoint, "write", write)
    for _ in range(100):
        journal.save()
        clock[0] += 0.1
    assert len(written) == pytest.approx(clock[0] / 2.1, rel=0.2)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    check_writable(tmp_path / "run")
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError, match="cannot be written"):
        check_writable(tmp_path / "missing" / "run")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        check_writable(tmp_path)
