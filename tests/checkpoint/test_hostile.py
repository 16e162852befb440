"""Files made by hand: always a `ValueError` that names what is wrong, before memory is taken."""

import io
import json
import resource
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import cem
from cem.checkpoint import file as checkpoint
from cem.checkpoint.entries import BATCH
from cem.checkpoint.journal import VERSION, Journal

KIND = "optimization"


def bowl(x):
    return float((x**2).sum())


def constrained(x):
    return 1 - x[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The header and the arrays of a run's checkpoint, with everything in it."""
    from scipy.optimize import NonlinearConstraint

    path = tmp_path_factory.mktemp("run") / "run"
    limits = NonlinearConstraint(constrained, 0, np.inf)
    cem.optimize(
        bowl,
        bounds=[(-1, 1)] * 2,
        constraints=limits,
        max_evaluations=60,
        checkpoint=path,
        rng=1,
    )
    header, arrays = checkpoint.read(path, KIND, VERSION)
    return header, arrays


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """The header and the arrays of a saved state."""
    path = tmp_path_factory.mktemp("state") / "state"
    m = cem.CrossEntropyMethod(bounds=[(-5, 5)] * 3, update=cem.updates.PathAdaptation(), rng=1)
    for _ in range(3):
        x = m.ask()
        m.tell(x, (x**2).sum(axis=1))
    m.save(path)
    header, arrays = checkpoint.read(path, "CrossEntropyMethod", 1)
    return header, arrays


def write(path, header, arrays):
    """Write as `save` does, whatever is in it."""
    with path.open("wb") as file:
        np.savez(file, header=np.array(json.dumps({**header, "arrays": sorted(arrays)})), **arrays)


def refused(path, read, *words):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"damaged|was not saved by cem") as caught:
        read(path)
    said = str(caught.value)
    assert str(path) in said
    assert "pickle" not in said
    for word in words:
        assert word in said
    assert path.read_bytes() == before


def read_run(path):
    return Journal.read(path, KIND)


READERS = {"run": read_run, "state": cem.CrossEntropyMethod.load}

# --- the archive --------------------------------------------------------------------------------------


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
    np.save(stream, np.array(json.dumps({"kind": KIND, "version": VERSION, "arrays": list(names)})))
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


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_an_archive_that_claims_much_is_told(tmp_path, reader, bomb):
    members, compression, word = BOMBS[bomb]
    path = tmp_path / "file"
    kind = {"run": (KIND, VERSION), "state": ("CrossEntropyMethod", 1)}[reader]
    stream = io.BytesIO()
    np.save(stream, np.array(json.dumps({"kind": kind[0], "version": kind[1], "arrays": ["x"]})))
    archive(path, {"header.npy": stream.getvalue(), **members}, compression)
    refused(path, READERS[reader], word)


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
    refused(path, read_run)


LIMITED = """
import resource, sys
import cem
from cem.checkpoint.journal import Journal
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
for read in (lambda path: Journal.read(path, "optimization"), cem.CrossEntropyMethod.load):
    try:
        read(sys.argv[1])
    except ValueError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
def test_no_memory_is_taken_before_it_is_told(tmp_path):
    path = tmp_path / "bomb"
    archive(
        path,
        {"header.npy": header_member("x"), "x.npy": npy((2**31,), "'|u1'", bytes(2**31))},
        zipfile.ZIP_DEFLATED,
    )
    assert path.stat().st_size < 2**23
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    limit = 3 * 2**30 if limit == resource.RLIM_INFINITY else min(limit, 3 * 2**30)
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), str(limit)],
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
    refused(tmp_path / "file.npz", READERS[reader])


@pytest.mark.parametrize("header", [np.arange(3), np.array(["a", "b"]), np.array(b"{}"), np.array(1.0)])
def test_a_header_that_is_no_text_is_told(tmp_path, header):
    np.savez(tmp_path / "file.npz", header=header)
    refused(tmp_path / "file.npz", read_run, "header")


# --- headers ------------------------------------------------------------------------------------------

JUNK = [
    None,
    True,
    -1,
    0.5,
    10**30,
    float("nan"),
    float("inf"),
    "x",
    "",
    [],
    [-1],
    ["x"],
    {},
    {"x": 1},
    [[1]],
]


def variants(header):
    """Yield headers with one entry missing or of another kind, also inside."""
    for name, value in header.items():
        if name in ("kind", "version", "arrays"):
            continue
        yield f"without {name}", {key: each for key, each in header.items() if key != name}
        for junk in JUNK:
            yield f"{name}={junk!r}", header | {name: junk}
        if isinstance(value, dict):
            for key in value:
                yield f"without {name}.{key}", header | {name: {k: v for k, v in value.items() if k != key}}
                for junk in JUNK:
                    yield f"{name}.{key}={junk!r}", header | {name: value | {key: junk}}


def read_or_refuse(path, read, header, arrays, label):
    """Whatever is in it, reading gives a usable value or a `ValueError`, and nothing else."""
    write(path, header, arrays)
    try:
        return read(path)
    except ValueError as error:
        said = str(error)
    assert str(path) in said, label
    assert "pickle" not in said, label
    return None


def test_a_runs_header_made_by_hand_is_told_or_usable(tmp_path, run):
    header, arrays = run
    whole = {**header, "arguments": dict(list(header["arguments"].items())[:3])}
    assert read_or_refuse(tmp_path / "file", read_run, whole, arrays, "whole")
    refused_ones = 0
    for label, each in variants(whole):
        journal = read_or_refuse(tmp_path / "file", read_run, each, arrays, label)
        refused_ones += journal is None
        try:
            cem.optimize(
                bowl, bounds=[(-1, 1)] * 2, max_evaluations=30, checkpoint=tmp_path / "file", resume=True
            )
        except ValueError:
            continue
        raise AssertionError(label)
    assert refused_ones > 100


@pytest.mark.parametrize(
    "name", ["arguments", "budget", "python", "entropy", "prefix", "finished", "inexact"]
)
def test_what_a_runs_header_lacks_is_named(tmp_path, run, name):
    header, arrays = run
    write(tmp_path / "file", {key: each for key, each in header.items() if key != name}, arrays)
    refused(tmp_path / "file", read_run, name)


def test_a_states_header_made_by_hand_is_told_or_usable(tmp_path, state):
    header, arrays = state
    assert read_or_refuse(tmp_path / "file", cem.CrossEntropyMethod.load, header, arrays, "whole")
    refused_ones = 0
    for label, each in variants(header):
        m = read_or_refuse(tmp_path / "file", cem.CrossEntropyMethod.load, each, arrays, label)
        refused_ones += m is None
        if m is not None:
            x = m.ask()
            m.tell(x, (x**2).sum(axis=1))
            m.stop_reason()
    assert refused_ones > 200


@pytest.mark.parametrize("population", [0, -5, 1.5, 10**12, 2**63, "50", None, True])
def test_an_absurd_population_is_named(tmp_path, state, population):
    header, arrays = state
    write(tmp_path / "file", header | {"population": population}, arrays)
    refused(tmp_path / "file", cem.CrossEntropyMethod.load, "population")


# --- arrays -------------------------------------------------------------------------------------------


def others(array):
    """Return arrays of other dtypes, shapes and numbers."""
    numbers = np.nan_to_num(array) if array.dtype.kind in "fiub" else np.zeros(array.shape)
    return {
        "complex": numbers.astype(complex),
        "texts": numbers.astype(str),
        "bytes": numbers.astype("S3"),
        "dates": numbers.astype(np.int64).astype("M8[s]"),
        "void": np.zeros(array.shape, "V3"),
        "fields": np.zeros(array.shape, [("a", float), ("b", int)]),
        "NaN": np.full(array.shape, np.nan),
        "inf": np.full(array.shape, np.inf),
        "minus one": np.full(array.shape, -1.0),
        "large": np.full(array.shape, 1e300),
        "empty": array[..., :0] if array.ndim else np.empty(0),
        "one axis more": array[..., None],
        "flat": array.reshape(-1),
        "twice": np.concatenate([np.atleast_1d(array)] * 2),
        "a number": np.array(1.0),
    }


def test_a_runs_arrays_made_by_hand_are_told_or_usable(tmp_path, run):
    header, arrays = run
    assert {"batches", "values", "done", "residuals"} <= arrays.keys()
    for name, array in arrays.items():
        for label, other in others(array).items():
            read_or_refuse(tmp_path / "file", read_run, header, arrays | {name: other}, f"{name} {label}")


@pytest.mark.parametrize("field", ["rows", "asked", "improved", "extra", "bits"])
@pytest.mark.parametrize("number", [-(2**63), -2, 10**12, 2**63 - 1])
def test_an_impossible_count_is_told(tmp_path, run, field, number):
    header, arrays = run
    batches = arrays["batches"].copy()
    batches[field][0] = number
    write(tmp_path / "file", header, arrays | {"batches": batches})
    if field in ("extra", "bits") and number > 0:  # which say nothing where nothing was improved
        read_run(tmp_path / "file")
    else:
        refused(tmp_path / "file", read_run)


@pytest.mark.parametrize("number", [np.nan, np.inf, -1.0])
def test_an_impossible_duration_is_told(tmp_path, run, number):
    header, arrays = run
    batches = arrays["batches"].copy()
    batches["elapsed"][0] = number
    write(tmp_path / "file", header, arrays | {"batches": batches})
    refused(tmp_path / "file", read_run, "elapsed")


def test_bits_that_are_not_there_are_not_made_up(tmp_path, run):
    """Unpacking pads with zeros, as many as it is asked for."""
    header, _ = run
    batches = np.zeros(1, dtype=BATCH)
    batches["rows"], batches["asked"], batches["improved"], batches["bits"] = 1, -1, 1, 10**12
    improved = {"improved_values": np.zeros(1), "improved_bits": np.zeros((1, 1), np.uint8)}
    write(
        tmp_path / "file",
        header,
        {"batches": batches, "values": np.zeros(1), "done": np.ones(1, bool), **improved},
    )
    refused(tmp_path / "file", read_run, "bits")


def test_a_states_arrays_made_by_hand_are_told_or_usable(tmp_path, state):
    header, arrays = state
    refused_ones = 0
    for name, array in arrays.items():
        for label, other in others(array).items():
            m = read_or_refuse(
                tmp_path / "file",
                cem.CrossEntropyMethod.load,
                header,
                arrays | {name: other},
                f"{name} {label}",
            )
            refused_ones += m is None
            if m is not None:
                assert m.ask().shape == (header["population"], 3), (name, label)
    assert refused_ones > 100


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("reader", READERS)
def test_a_file_with_some_bytes_changed_is_told_or_usable(tmp_path, run, state, reader, seed):
    header, arrays = run if reader == "run" else state
    write(tmp_path / "file", header, arrays)
    content = bytearray((tmp_path / "file").read_bytes())
    rng = np.random.default_rng(seed)
    for _ in range(int(rng.integers(1, 20))):
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
    if seed % 3 == 0:
        at = int(rng.integers(len(content)))
        del content[at : at + int(rng.integers(1, 200))]
    (tmp_path / "file").write_bytes(content)
    try:
        READERS[reader](tmp_path / "file")
    except ValueError as error:
        said = str(error)
    else:
        return
    assert "pickle" not in said
