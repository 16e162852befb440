"""Files made by hand: always a `ValueError` that names what is wrong, before memory is taken."""

import io
import json
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from checkpoint_helpers import OPTIMIZATION, READERS, assert_refused, read_run

from cem.checkpoint.journal import VERSION


def npy(shape, descr="'<f8'", content=b""):
    """Return an array in numpy's format that claims a shape."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + content


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


def header_member(*names):
    stream = io.BytesIO()
    np.save(stream, np.array(json.dumps({"kind": OPTIMIZATION, "version": VERSION, "arrays": list(names)})))
    return stream.getvalue()


BOMBS = {
    "compressed": ({"x.npy": npy((2**27,), "'|u1'", bytes(2**27))}, zipfile.ZIP_DEFLATED, "compressed"),
    "a claimed shape": ({"x.npy": npy((10**12,))}, zipfile.ZIP_STORED, "(1000000000000,)"),
    "a product that overflows": ({"x.npy": npy((2**33, 2**31, 8))}, zipfile.ZIP_STORED, "shape"),
    "no bytes an item": ({"x.npy": npy((10**12,), "'|V0'")}, zipfile.ZIP_STORED, "shape"),
    "nothing, but long": ({"x.npy": npy((0, 10**15))}, zipfile.ZIP_STORED, "shape"),
    "a negative axis": ({"x.npy": npy((-1, 8))}, zipfile.ZIP_STORED, "shape"),
    "objects": ({"x.npy": npy((1,), "'|O'", b"cos\nsystem\n")}, zipfile.ZIP_STORED, "never loaded"),
    "fields with objects": (
        {"x.npy": npy((1,), "[('a', '|O')]", bytes(8))},
        zipfile.ZIP_STORED,
        "never loaded",
    ),
    "no array": ({"x.npy": b"hello"}, zipfile.ZIP_STORED, "magic"),
    "another file": ({"x.txt": b"hello"}, zipfile.ZIP_STORED, "something else than arrays"),
    "a pickle": ({"x.npy": b"\x80\x04cos\nsystem\n."}, zipfile.ZIP_STORED, "magic"),
}


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_an_archive_that_claims_much_is_told(tmp_path, reader, bomb):
    members, compression, word = BOMBS[bomb]
    path = tmp_path / "file"
    kind = {"run": (OPTIMIZATION, VERSION), "state": ("CrossEntropyMethod", 1)}[reader]
    stream = io.BytesIO()
    np.save(stream, np.array(json.dumps({"kind": kind[0], "version": kind[1], "arrays": ["x"]})))
    archive(path, {"header.npy": stream.getvalue(), **members}, compression)
    assert_refused(path, READERS[reader], word)


def test_members_that_lie_on_one_another_are_told(tmp_path):
    """A directory may point at the same bytes again and again."""
    path = tmp_path / "file"
    archive(path, {"header.npy": header_member(), "x0.npy": npy((1000,), content=bytes(8000))})
    content = path.read_bytes()
    at, end = content.index(b"PK\x01\x02", content.index(b"x0.npy")), content.index(b"PK\x05\x06")
    entry, many = content[at:end], 200
    directory_at = content.index(b"PK\x01\x02")
    entries = content[directory_at:at] + b"".join(
        entry.replace(b"x0.npy", f"{i:06d}".encode()[:2] + b".npy") for i in range(many)
    )
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, many + 1, many + 1, len(entries), directory_at, 0)
    path.write_bytes(content[:directory_at] + entries + tail)
    assert_refused(path, read_run)


LIMITED = """
import resource, sys
import cem
from cem.checkpoint.journal import Journal
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + int(sys.argv[2]),) * 2)
for read in (lambda path: Journal.read(path, "optimization"), cem.CrossEntropyMethod.load):
    try:
        read(sys.argv[1])
    except ValueError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
def test_no_memory_is_taken_before_it_is_told(tmp_path):
    path = tmp_path / "bomb"
    members = {"header.npy": header_member("x"), "x.npy": npy((2**28,), "'|u1'", bytes(2**28))}
    archive(path, members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), str(2**27)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
    )
    assert run.stdout.count("compressed") == 2


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "text", ["[" * 10**5, '{"a":' * 10**5, "9" * 10**5, "NaN", '{"kind": 1, "version": 1}']
)
def test_a_header_that_is_none_is_told(tmp_path, reader, text):
    np.savez(tmp_path / "file.npz", header=np.array(text))
    assert_refused(tmp_path / "file.npz", READERS[reader])


@pytest.mark.parametrize("header", [np.arange(3), np.array(["a", "b"]), np.array(b"{}"), np.array(1.0)])
def test_a_header_that_is_no_text_is_told(tmp_path, header):
    np.savez(tmp_path / "file.npz", header=header)
    assert_refused(tmp_path / "file.npz", read_run, "header")
