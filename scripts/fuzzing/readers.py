"""Files of problems, damaged: read and used, or refused by the file's name."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.runner import demand
from problems.flowshop import FlowShop
from problems.knapsack import MultiKnapsack
from problems.maxcut import MaxCut
from problems.maxsat import MaxSAT
from problems.qap import QAP
from problems.qubo import QUBO
from problems.tsp import TSP

TSPLIB = "NAME: a\nTYPE: {}\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: {}\n"
FILES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "rudy.txt": (MaxCut.from_file, "5 6\n1 2 1\n2 3 -2\n3 4 1.5\n4 5 1\n1 5 2\n1 3 1\n"),
    "graph.mtx": (
        MaxCut.from_file,
        "%%MatrixMarket matrix coordinate real symmetric\n3 3 2\n2 1 1.5\n3 2 -2\n",
    ),
    "a.cnf": (MaxSAT.from_file, "c made\np cnf 4 3\n1 -2 0\n3 4 0\n-1 -4 2 0\n"),
    "a.wcnf": (MaxSAT.from_file, "p wcnf 4 3 100\n3 1 -2 0\n100 3 4 0\n7 -1 -4 2 0\n"),
    "new.wcnf": (MaxSAT.from_file, "h 1 2 0\n3 -1 0\n4 -2 3 0\n"),
    "a.tsp": (
        TSP.from_file,
        TSPLIB.format("TSP", "EUC_2D") + "NODE_COORD_SECTION\n1 0 0\n2 1 2\n3 4 1\nEOF\n",
    ),
    "geo.tsp": (
        TSP.from_file,
        TSPLIB.format("TSP", "GEO") + "NODE_COORD_SECTION\n1 16.47 96.10\n2 1 2\n3 4 1\nEOF\n",
    ),
    "a.atsp": (
        TSP.from_file,
        TSPLIB.format("ATSP", "EXPLICIT")
        + "EDGE_WEIGHT_FORMAT: FULL_MATRIX\nEDGE_WEIGHT_SECTION\n0 1 2\n2 0 3\n1 4 0\nEOF\n",
    ),
    "shop.txt": (FlowShop.from_file, "jobs, machines\n3 2 1 1 1\ntimes\n1 2 3\n4 5 6\n"),
    "a.dat": (QAP.from_file, "2\n0 1\n2 0\n\n0 3\n4 0\n"),
    "sack.txt": (MultiKnapsack.from_file, "1\n3 2 12\n4 5 6\n1 2 3\n3 2 1\n4 5\n"),
    "q.mtx": (
        QUBO.from_file,
        "%%MatrixMarket matrix coordinate real general\n3 3 3\n1 1 -2\n1 2 1\n3 2 0.5\n",
    ),
}
WORDS = [
    "", "-1", "0", "nan", "inf", "-inf", "1e309", "1e-400", "2147483647", "2147483648", "9" * 19, "9" * 500,
    "9" * 5000, "-" + "9" * 30, "x", "h", "%", "p", "0x10", "1_000", "٣", "\x00", "½", "é" * 300, "1 1",
    "TSP", "%%MatrixMarket", "complex", "pattern", "array", "skew-symmetric", "EOF", "DIMENSION:", "\ufeff",
    "#",
]  # fmt: skip


def damaged(text: str, rng: np.random.Generator) -> str:
    """Return the text with one to three faults: a word replaced, a piece cut out, twice or new."""
    for _ in range(rng.integers(1, 4)):
        kind, place = rng.integers(5), int(rng.integers(len(text) + 1))
        if kind == 0:
            words = re.split(r"(\s+)", text)
            words[2 * rng.integers((len(words) + 1) // 2)] = WORDS[rng.integers(len(WORDS))]
            text = "".join(words)
        elif kind == 1:
            text = text[:place]
        elif kind == 2:
            text = text[:place] + text[place + rng.integers(1, 9) :]
        elif kind == 3:
            text = text[:place] + rng.bytes(4).decode("latin-1") + text[place:]
        else:
            text = text[:place] + text[max(0, place - int(rng.integers(1, 30))) :]
    return text


def reading(rng: np.random.Generator) -> tuple[str, Callable[[], str]]:
    """Read a damaged file."""
    name = list(FILES)[rng.integers(len(FILES))]
    read, text = FILES[name]
    content = damaged(text, rng).encode("utf-8" if rng.random() < 0.5 else "latin-1", errors="replace")

    def act() -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            try:
                problem = read(path)
            except ValueError as error:
                demand(str(path) in str(error), f"refused without its name: {error}")
                demand(len(str(error)) < 800, "refused at length")
                raise
        rows = problem.start.sample(2, np.random.default_rng(1))
        demand(np.isfinite(problem(rows)).all(), "scores that are not finite")
        repr(problem)
        return "read"

    return f"{name} {content!r}"[:900], act
