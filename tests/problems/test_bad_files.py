"""Every reader, on damaged files: a ValueError that names file and line, before memory is taken."""

import re
import tracemalloc

import numpy as np
import pytest

from problems.flowshop import FlowShop
from problems.knapsack import MultiKnapsack
from problems.maxcut import MaxCut
from problems.maxsat import MaxSAT
from problems.qap import QAP
from problems.tsp import TSP

READERS = {
    "graph": (MaxCut.from_file, "5 6\n1 2 1\n2 3 -2\n3 4 1.5\n4 5 1\n1 5 2\n1 3 1\n"),
    "cnf": (MaxSAT.from_file, "c made\np cnf 4 3\n1 -2 0\n3 4 0\n-1 -4 2 0\n"),
    "wcnf": (MaxSAT.from_file, "p wcnf 4 3 100\n3 1 -2 0\n100 3 4 0\n7 -1 -4 2 0\n"),
    "tsp": (
        TSP.from_file,
        "NAME: a\nTYPE: TSP\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n"
        "1 0 0\n2 1 2\n3 4 1\nEOF\n",
    ),
    "atsp": (
        TSP.from_file,
        "TYPE: ATSP\nDIMENSION: 2\nEDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: FULL_MATRIX\n"
        "EDGE_WEIGHT_SECTION\n0 1\n2 0\nEOF\n",
    ),
    "flowshop": (FlowShop.from_file, "jobs, machines\n3 2 1 1 1\ntimes\n1 2 3\n4 5 6\n"),
    "qap": (QAP.from_file, "2\n0 1\n2 0\n\n0 3\n4 0\n"),
    "knapsack": (MultiKnapsack.from_file, "1\n3 2 12\n4 5 6\n1 2 3\n3 2 1\n4 5\n"),
}
WORDS = [
    "", "-1", "0", "nan", "inf", "-inf", "1e309", "1e-400", "2147483647", "2147483648", "9" * 19, "9" * 500,
    "9" * 5000, "-" + "9" * 30, "x", "h", "%", "p", "0x10", "1_000", "٣", "\x00", "½", "é" * 300, "1 1",
]  # fmt: skip


def damaged(text, rng):
    """Return the text with one to three faults: a word replaced, a piece cut out, bytes overwritten."""
    data = text
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(4)
        if kind == 0:
            words = re.split(r"(\s+)", data)
            words[2 * rng.integers((len(words) + 1) // 2)] = WORDS[rng.integers(len(WORDS))]
            data = "".join(words)
        elif kind == 1:
            data = data[: rng.integers(len(data) + 1)]
        elif kind == 2 and data:
            place = rng.integers(len(data))
            data = data[:place] + data[place + rng.integers(1, 9) :]
        else:
            place = rng.integers(len(data) + 1)
            data = data[:place] + rng.bytes(4).decode("latin-1") + data[place:]
    return data


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_read_or_refused_by_name_and_line(tmp_path, reader):
    read, text = READERS[reader]
    suffix = f".{reader}" if "cnf" in reader else ""
    file = tmp_path / f"damaged{suffix}"
    rng = np.random.default_rng(1)
    faults = []
    for _ in range(300):
        bad = damaged(text, rng)
        file.write_bytes(bad.encode("utf-8" if rng.random() < 0.5 else "latin-1", errors="replace"))
        try:
            problem = read(file)
        except ValueError as fault:
            faults.append((bad, str(fault)))
        else:
            assert np.isfinite(problem(problem.start.sample(1, rng))).all()
    assert 100 < len(faults) < 300
    start = re.compile(rf"{re.escape(str(file))}(, line \d+)?: ")
    assert [each for each in faults if not start.match(each[1]) or len(each[1]) > 600] == []


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        ("graph", "2147483647 1\n1 2 1\n"),
        ("graph", "2147483647 2147483647\n1 2 1\n"),
        ("graph", "3 2147483647\n1 2 1\n"),
        ("cnf", "p cnf 2147483647 1\n1 2 0\n"),
        ("cnf", "p cnf 2147483647 2147483647\n1 2 0\n"),
        ("wcnf", "p wcnf 2147483647 1 9\n1 1 2 0\n"),
        ("wcnf", "1 1 2147483647 0\n"),
        ("knapsack", "1\n2147483647 2147483647 0\n1 2 3\n"),
        ("knapsack", "2147483647\n"),
    ],
)
def test_headers_that_promise_too_much_take_no_memory(tmp_path, reader, text):
    file = tmp_path / f"huge.{reader}"
    file.write_text(text)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"huge\.{reader}, line \d+: "):
            READERS[reader][0](file)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
