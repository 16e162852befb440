"""Headers and arrays that nobody of good faith wrote are refused."""

import json

import numpy as np
import pytest
from checkpoint_helpers import READERS, assert_refused, read_run
from helpers import sphere

import cem
from cem.checkpoint.entries import BATCH


def write(path, header, arrays):
    """Write as `save` does, whatever is in it."""
    with path.open("wb") as file:
        np.savez(file, header=np.array(json.dumps({**header, "arrays": sorted(arrays)})), **arrays)


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


@pytest.mark.slow
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
                sphere, bounds=[(-1, 1)] * 2, max_evaluations=30, checkpoint=tmp_path / "file", resume=True
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
    assert_refused(tmp_path / "file", read_run, name)


@pytest.mark.slow
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


@pytest.mark.parametrize("population", [0, 1, -5, 1.5, 10**12, 2**63, "50", None, True])
def test_an_absurd_population_is_named(tmp_path, state, population):
    header, arrays = state
    write(tmp_path / "file", header | {"population": population}, arrays)
    assert_refused(tmp_path / "file", cem.CrossEntropyMethod.load, "population")


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
        assert_refused(tmp_path / "file", read_run)


@pytest.mark.parametrize("number", [np.nan, np.inf, -1.0])
def test_an_impossible_duration_is_told(tmp_path, run, number):
    header, arrays = run
    batches = arrays["batches"].copy()
    batches["elapsed"][0] = number
    write(tmp_path / "file", header, arrays | {"batches": batches})
    assert_refused(tmp_path / "file", read_run, "elapsed")


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
    assert_refused(tmp_path / "file", read_run, "bits")


@pytest.mark.slow
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
