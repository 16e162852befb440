"""Nineteen classes of black boxes on strings, minimised; positions shuffled, optima at random strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Scorer = Callable[[Any], Any]


@dataclass(frozen=True)
class Instance:
    """A black box on strings.

    Attributes
    ----------
    name : str
    categories : ndarray of int, shape (d,)
    fun : callable
        From rows, shape ``(n, d)``, to scores to minimise, shape ``(n,)``.
    optimum : float or None
        The best score, where it is known.
    """

    name: str
    categories: Any
    fun: Scorer
    optimum: float | None = None

    @property
    def n(self) -> int:
        """Length of a string."""
        return len(self.categories)


def hidden(rng: np.random.Generator, n: int, k: int = 2) -> Callable[[Any], Any]:
    """Return a map that hides structure: positions shuffled, labels of each shifted."""
    order, shift = rng.permutation(n), rng.integers(0, k, n)
    return lambda x: (x[:, order] + shift) % k


def linear(n: int, rng: np.random.Generator) -> Instance:
    see, w = hidden(rng, n), rng.random(n) + 0.1
    return Instance("linear", np.full(n, 2), lambda x: see(x) @ w, 0.0)


def leading_ones(n: int, rng: np.random.Generator) -> Instance:
    see = hidden(rng, n)
    return Instance(
        "leading ones", np.full(n, 2), lambda x: n - np.cumprod(see(x), axis=1).sum(axis=1) * 1.0, 0.0
    )


def trap(n: int, rng: np.random.Generator, k: int = 5, shuffled: bool = True, overlap: int = 0) -> Instance:
    step = k - overlap
    best = rng.integers(0, 2, n)
    see = hidden(rng, n) if shuffled else (lambda x: x ^ best)
    blocks = (np.arange(0, n - k + 1, step)[:, None] + np.arange(k)) % n
    name = "overlapping traps" if overlap else "shuffled traps" if shuffled else "traps"

    def f(x: Any) -> Any:
        wrong = k - see(x)[:, blocks].sum(axis=2)
        return np.where(wrong == 0, 0, k - wrong + 1).sum(axis=1) * 1.0

    return Instance(name, np.full(n, 2), f, 0.0)


def hierarchical(n: int, rng: np.random.Generator) -> Instance:
    """HIFF (Watson, Hornby & Pollack 1998): blocks of 2, 4, 8, … that are all alike count their size."""
    see, top = hidden(rng, n), float(n * (int(np.log2(n)) + 1))

    def f(x: Any) -> Any:
        level, total, size = see(x).astype(float), np.full(len(x), float(n)), 1
        while level.shape[1] > 1:
            size *= 2
            a, b = level[:, ::2], level[:, 1::2]
            level = np.where(a == b, a, np.nan)
            total += size * (~np.isnan(level)).sum(axis=1)
        return top - total

    return Instance("HIFF", np.full(n, 2), f, 0.0)


def landscape(n: int, rng: np.random.Generator, k: int, adjacent: bool) -> Instance:
    """NK landscapes (Kauffman 1993)."""
    see, table = hidden(rng, n), rng.random((n, 2 ** (k + 1)))
    if adjacent:
        near = (np.arange(n)[:, None] + np.arange(k + 1)) % n
    else:
        others = [np.delete(np.arange(n), i) for i in range(n)]
        near = np.stack([np.r_[i, rng.choice(each, k, replace=False)] for i, each in enumerate(others)])
    powers = 2 ** np.arange(k + 1)
    name = f"NK {'adjacent' if adjacent else 'random'}"
    return Instance(
        name, np.full(n, 2), lambda x: 1 - table[np.arange(n), see(x)[:, near] @ powers].mean(axis=1)
    )


def ising(n: int, rng: np.random.Generator) -> Instance:
    """A ±1 spin glass on a torus; n is a square number."""
    side, see = int(np.sqrt(n)), hidden(rng, n)
    cell = np.arange(n).reshape(side, side)
    a = np.r_[cell.ravel(), cell.ravel()]
    b = np.r_[np.roll(cell, 1, 0).ravel(), np.roll(cell, 1, 1).ravel()]
    w = rng.choice([-1, 1], len(a))

    def f(x: Any) -> Any:
        spin = 2 * see(x) - 1
        return -(spin[:, a] * spin[:, b]) @ w * 1.0

    return Instance("Ising", np.full(n, 2), f)


def cut(n: int, rng: np.random.Generator, density: float, name: str) -> Instance:
    i, j = np.triu_indices(n, 1)
    chosen = rng.random(len(i)) < density
    i, j, w = i[chosen], j[chosen], rng.integers(1, 11, int(chosen.sum()))
    return Instance(name, np.full(n, 2), lambda x: -((x[:, i] != x[:, j]) @ w) * 1.0)


def satisfiability(n: int, rng: np.random.Generator) -> Instance:
    """Satisfiable 3-SAT, 4.2 clauses a variable."""
    m, truth = int(4.2 * n), rng.integers(0, 2, n)
    variables = np.stack([rng.choice(n, 3, replace=False) for _ in range(m)])
    signs = rng.integers(0, 2, (m, 3))
    broken = (signs != truth[variables]).all(axis=1)
    signs[broken, 0] = truth[variables[broken, 0]]
    return Instance(
        "3-SAT",
        np.full(n, 2),
        lambda x: (x[:, variables] != signs).all(axis=2).sum(axis=1) * 1.0,
        0.0,
    )


def low_autocorrelation(n: int, rng: np.random.Generator) -> Instance:
    """LABS: the energy of a binary sequence's autocorrelations."""

    def f(x: Any) -> Any:
        s = 2.0 * x - 1
        return sum(((s[:, k:] * s[:, : n - k]).sum(axis=1)) ** 2 for k in range(1, n))

    return Instance("LABS", np.full(n, 2), f)


def knapsack(n: int, rng: np.random.Generator) -> Instance:
    worth, size = rng.integers(10, 101, (2, n))
    room = int(size.sum() // 2)

    def f(x: Any) -> Any:
        over = np.maximum(x @ size - room, 0)
        return np.where(over > 0, worth.sum() + over, worth.sum() - x @ worth) * 1.0

    best = np.zeros(room + 1)
    for v, s in zip(worth.tolist(), size.tolist(), strict=True):
        best[s:] = np.maximum(best[s:], best[:-s] + v)
    return Instance("knapsack", np.full(n, 2), f, float(worth.sum() - best[-1]))


def feature_selection(n: int, rng: np.random.Generator) -> Instance:
    """The cross-validated error of least squares on chosen columns, a tenth of which matter."""
    rows = 3 * n
    data = rng.standard_normal((rows, n)) + 0.5 * rng.standard_normal((rows, 1))
    signal = data @ (np.where(rng.random(n) < 0.1, rng.standard_normal(n) + 1, 0)) + rng.standard_normal(rows)
    train, test = slice(0, rows // 2), slice(rows // 2, rows)
    gram, moment = data[train].T @ data[train], data[train].T @ signal[train]

    def f(x: Any) -> Any:
        out = np.empty(len(x))
        for r, row in enumerate(x):
            c = np.flatnonzero(row)
            beta = np.linalg.solve(gram[np.ix_(c, c)] + 1e-6 * np.eye(len(c)), moment[c])
            out[r] = ((signal[test] - data[test][:, c] @ beta) ** 2).mean() + 0.002 * len(c)
        return out

    return Instance("feature selection", np.full(n, 2), f)


def colouring(n: int, rng: np.random.Generator) -> Instance:
    """A graph with a planted 4-colouring, 4.2 edges a vertex."""
    truth = rng.integers(0, 4, n)
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    pairs = pairs[truth[pairs[:, 0]] != truth[pairs[:, 1]]]
    i, j = pairs[rng.choice(len(pairs), int(4.2 * n), replace=False)].T
    return Instance("4-colouring", np.full(n, 4), lambda x: (x[:, i] == x[:, j]).sum(axis=1) * 1.0, 0.0)


def potts(n: int, rng: np.random.Generator) -> Instance:
    """A Potts glass of three labels on a random graph of degree 4."""
    m = 2 * n
    i, j = rng.integers(0, n, (2, m))
    w = rng.standard_normal(m)
    return Instance("Potts", np.full(n, 3), lambda x: (x[:, i] == x[:, j]) @ w)


def labelled_traps(n: int, rng: np.random.Generator) -> Instance:
    """Traps of four labels, blocks of four."""
    see = hidden(rng, n, 4)

    def f(x: Any) -> Any:
        wrong = (see(x).reshape(len(x), -1, 4) != 0).sum(axis=2)
        lure = (see(x).reshape(len(x), -1, 4) == 3).sum(axis=2)
        return np.where(wrong == 0, 0, 5 - lure).sum(axis=1) * 1.0

    return Instance("k-ary traps", np.full(n, 4), f, 0.0)


def motif(n: int, rng: np.random.Generator) -> Instance:
    """Where a common motif begins in each of n sequences: columns that agree (four bases, ten wide)."""
    width, length = 10, 30
    text = rng.integers(0, 4, (n, length))
    word = rng.integers(0, 4, width)
    for row in text:
        at = rng.integers(0, length - width + 1)
        row[at : at + width] = np.where(rng.random(width) < 0.15, rng.integers(0, 4, width), word)
    windows = np.lib.stride_tricks.sliding_window_view(text, width, axis=1)

    def f(x: Any) -> Any:
        chosen = windows[np.arange(n), x]
        counts = np.stack([(chosen == base).sum(axis=1) for base in range(4)], axis=2)
        return width - (counts.max(axis=2) / n).sum(axis=1)

    return Instance("motif", np.full(n, length - width + 1), f)


CLASSES: dict[str, tuple[Callable[[int, np.random.Generator], Instance], tuple[int, ...]]] = {
    "linear": (linear, (40, 100)),
    "leading ones": (leading_ones, (30, 60)),
    "traps": (lambda n, rng: trap(n, rng, shuffled=False), (50, 100)),
    "shuffled traps": (trap, (50, 100)),
    "overlapping traps": (lambda n, rng: trap(n, rng, overlap=1), (41, 81)),
    "HIFF": (hierarchical, (64, 128)),
    "NK adjacent": (lambda n, rng: landscape(n, rng, 4, True), (40, 80)),
    "NK random": (lambda n, rng: landscape(n, rng, 4, False), (30, 60)),
    "Ising": (ising, (49, 100)),
    "cut sparse": (lambda n, rng: cut(n, rng, 6 / n, "cut sparse"), (60, 120)),
    "cut dense": (lambda n, rng: cut(n, rng, 0.5, "cut dense"), (60, 100)),
    "3-SAT": (satisfiability, (50, 100)),
    "LABS": (low_autocorrelation, (25, 40)),
    "knapsack": (knapsack, (50, 100)),
    "feature selection": (feature_selection, (30, 60)),
    "4-colouring": (colouring, (40, 80)),
    "Potts": (potts, (40, 80)),
    "k-ary traps": (labelled_traps, (40, 80)),
    "motif": (motif, (15, 30)),
}


def instances(
    names: list[str], seeds: list[int], small: bool = False, lengths: Sequence[int] = ()
) -> list[Instance]:
    """Return an instance of each seed and size (or only the smallest, or `lengths`) of the classes named."""
    return [
        CLASSES[name][0](n, np.random.default_rng([seed, n, i]))
        for i, name in enumerate(CLASSES)
        if name in names
        for n in lengths or CLASSES[name][1][: 1 if small else None]
        for seed in seeds
    ]
