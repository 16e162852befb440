"""Whole numbers are added as whole numbers, or refused with the reason; extreme floats are searched."""

import itertools
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import cem
from problems.knapsack import Knapsack, MultiKnapsack
from problems.maxcut import MaxCut
from problems.maxsat import MaxSAT
from problems.partitioning import GraphBipartition, NumberPartitioning
from problems.qubo import QUBO

HUGE = 2**53 + 1


def every_row(n):
    return np.array(list(itertools.product((0, 1), repeat=n)))


# --- max-SAT --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("top", [2**63 - 1, 2**62, 1000])
@pytest.mark.parametrize("seed", range(4))
def test_soft_clauses_count_beside_clauses_that_must_hold(tmp_path, top, seed):
    rng = np.random.default_rng(seed)
    drawn = MaxSAT.random(8, 34, rng=rng).clauses
    hard, soft, weights = drawn[:14], drawn[14:], rng.integers(1, 9, 20)
    lines = [f"p wcnf 8 34 {top}", *(f"{top} {' '.join(map(str, clause))} 0" for clause in hard)]
    lines += [f"{w} {' '.join(map(str, clause))} 0" for w, clause in zip(weights, soft, strict=True)]
    (tmp_path / "drawn.wcnf").write_text("\n".join(lines))
    problem = MaxSAT.from_file(tmp_path / "drawn.wcnf")

    def holds(x, clause):
        return any(x[abs(k) - 1] == (k > 0) for k in clause)

    X = every_row(8)
    broken = [sum(not holds(x, clause) for clause in hard) for x in X]
    worth = [sum(int(w) for w, clause in zip(weights, soft, strict=True) if holds(x, clause)) for x in X]
    expected = [-b if b else w for b, w in zip(broken, worth, strict=True)]
    assert problem(X).tolist() == expected
    assert max(expected) > 0
    assert cem.optimize(problem, rng=seed).fun == max(expected)


def test_where_not_all_can_hold_that_must_the_fewest_are_broken():
    problem = MaxSAT(2, [(1,), (-1,), (2,), (-1, 2)], [1, 1, 1, 5], hard=[True, True, True, False])
    r = cem.optimize(problem, rng=1)
    assert r.fun == -1
    assert r.x[1] == 1


# --- number partitioning --------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "bits"), [(12, 67), (16, 70), (13, 200)])
def test_partitions_of_huge_integers_are_the_best(n, bits):
    rng = np.random.default_rng(n)
    numbers = [int.from_bytes(rng.bytes(bits // 8), "big") for _ in range(n)]
    best = min(
        abs(sum(a if s else -a for a, s in zip(numbers, (1, *sides), strict=True)))
        for sides in itertools.product((0, 1), repeat=n - 1)
    )
    problem = NumberPartitioning(numbers)
    assert problem.difference(cem.optimize(problem, max_iterations=2, rng=1).x) == best


def test_equal_halves_of_huge_integers_are_found():
    rng = np.random.default_rng(4)
    half = [10**20 + int(k) for k in rng.integers(1, 10**9, 9)]
    other = [10**20 + int(k) for k in rng.integers(1, 10**9, 8)]
    problem = NumberPartitioning([*half, *other, sum(half) - sum(other)])
    assert cem.optimize(problem, rng=1).fun == 0


def test_integers_among_floats_are_not_rounded():
    with pytest.raises(ValueError, match=r"numbers\[0\] = 9007199254740993 would be rounded"):
        NumberPartitioning([HUGE, 0.5])


# --- what float64 cannot hold ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", [HUGE, -HUGE, 2**70 + 1, Fraction(1, 3), Decimal("0.1"), 10**400], ids=str)
@pytest.mark.parametrize(
    "make",
    [
        lambda a: MaxCut.from_edges(3, [(0, 1), (1, 2)], [1, a]),
        lambda a: MaxCut.from_edges(3, [(0, 1), (1, 2)], np.array([1, a], dtype=object)),
        lambda a: QUBO([[1, a], [0, 1]]),
        lambda a: QUBO(np.eye(2, dtype=int), [a, 2**63]),
        lambda a: QUBO(np.eye(2), offset=a),
        lambda a: Knapsack([1, abs(a)], [1, 2], 3),
        lambda a: Knapsack([1, 1], [1, abs(a)], 3),
        lambda a: MultiKnapsack([1, 1], [[1, 1]], [abs(a)]),
        lambda a: MaxSAT(2, [(1,), (2,)], [abs(a), 1]),
    ],
)
def test_what_would_be_rounded_is_refused(make, number):
    with pytest.raises(ValueError, match=r"cannot be held exactly as float64.*where rounding is meant"):
        make(number)


@pytest.mark.parametrize("number", [2**60, Fraction(1, 2), Decimal("0.25"), 10.0**30], ids=str)
def test_what_float64_holds_is_served(number):
    assert MaxCut.from_edges(2, [(0, 1)], [number]).cut_value([0, 1]) == number
    assert QUBO([[number]])([[1]]) == float(number)
    assert Knapsack([number], [number], number)([[1]]) == float(number)


@pytest.mark.parametrize(
    "make",
    [
        lambda a: MaxCut.from_edges(3, [(0, 1), (1, 2)], [a, 3]),
        lambda a: QUBO([[a, 0], [0, 3]]),
        lambda a: QUBO(np.array([[a, 0], [0, 1]]), [0, 1], 1),
        lambda a: Knapsack([a, 3], [1, 2], 3),
        lambda a: Knapsack([1, 1], [a, 3], 3),
        lambda a: MaxSAT(2, [(1,), (2,)], [a, 3]),
    ],
)
def test_whole_numbers_whose_sums_would_be_rounded_are_refused(make):
    with pytest.raises(ValueError, match=r"add up to \d+, beyond 2\*\*53.*common factor"):
        make(2**53 - 2)
    make(2**53 - 4)


def test_sums_of_multiples_of_a_power_of_two_are_exact():
    graph = MaxCut.from_edges(3, [(0, 1), (1, 2)], [2**53, 3 * 2**52])
    assert graph.cut_value([0, 1, 0]) == 5 * 2**52


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"3 2\n1 2 {HUGE}\n2 3 1\n", r"line 2: '9007199254740993' is beyond 2\*\*53"),
        (f"3 2\n1 2 {2**53 - 2}\n2 3 3\n", r"line 3: the edges' weights .* beyond 2\*\*53"),
    ],
)
def test_whole_numbers_in_files_are_not_rounded(tmp_path, text, message):
    (tmp_path / "graph").write_text(text)
    with pytest.raises(ValueError, match=message):
        MaxCut.from_file(tmp_path / "graph")


def test_masked_entries_are_refused():
    masked = np.ma.masked_array([1.0, 2.0], [False, True])
    square = np.ma.masked_array(np.eye(2), [[False, True], [False, False]])
    for make in (
        lambda: MaxCut.from_edges(3, [(0, 1), (1, 2)], masked),
        lambda: MaxCut.from_edges(3, np.ma.masked_array([(0, 1), (1, 2)], square.mask)),
        lambda: QUBO(square),
        lambda: QUBO(np.eye(2), masked),
        lambda: Knapsack(masked, [1, 1], 1),
        lambda: MultiKnapsack([1, 1], square, [1, 1]),
        lambda: MaxSAT(2, [(1,), (2,)], masked),
        lambda: NumberPartitioning(masked),
        lambda: QUBO(np.eye(2))(square),
    ):
        with pytest.raises(ValueError, match="masked entries"):
            make()
    assert QUBO(np.ma.masked_array(np.eye(2), False)).n == 2


# --- extreme floats -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-165, 1e-100, 1e100, 1e154, 1e300])
@pytest.mark.slow
def test_weights_of_any_size_are_searched(scale):
    graph = MaxCut.from_edges(6, list(itertools.combinations(range(6), 2)), np.full(15, scale))
    assert cem.optimize(graph, rng=1).fun == pytest.approx(9 * scale, rel=1e-9, abs=5 * 5e-324)
    halves = GraphBipartition(graph)
    assert cem.optimize(halves, rng=1).fun == pytest.approx(9 * scale, rel=1e-9, abs=5 * 5e-324)
    problem = QUBO(scale * np.array([[-1.0, 2.0], [0.0, -1.0]]))
    assert cem.optimize(problem, rng=1).fun == -scale


def test_units_of_weights_do_not_matter():
    weights = np.random.default_rng(1).normal(size=15)
    runs = [
        cem.optimize(
            MaxCut.from_edges(6, list(itertools.combinations(range(6), 2)), weights * unit),
            max_iterations=5,
            rng=1,
        )
        for unit in (1.0, 2.0**-500, 2.0**400)
    ]
    for run, unit in zip(runs, (1.0, 2.0**-500, 2.0**400), strict=True):
        assert run.fun == runs[0].fun * unit
        assert run.x.tolist() == runs[0].x.tolist()


@pytest.mark.parametrize(
    "make",
    [
        lambda: MaxCut.from_edges(3, [(0, 1), (1, 2)], [1e308, 1e308]),
        lambda: QUBO(np.full((2, 2), 1e308)),
        lambda: Knapsack([1e308, 1e308], [1, 1], 1),
        lambda: MaxSAT(2, [(1,), (2,)], [1e308, 1e308]),
    ],
)
def test_sums_beyond_the_largest_float_are_refused(make):
    with pytest.raises(ValueError, match=r"more than 1\.8e308"):
        make()
