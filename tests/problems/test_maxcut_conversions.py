"""Max-cut and quadratic functions of binary variables are one another."""

import itertools

import numpy as np
import pytest

from problems.maxcut import MaxCut

ALL_FIVE = np.array(list(itertools.product([0, 1], repeat=5)))


@pytest.mark.parametrize("seed", range(4))
def test_cuts_of_a_qubo_are_minus_its_values(seed):
    rng = np.random.default_rng(seed)
    Q, c = rng.integers(-5, 6, (5, 5)), rng.integers(-5, 6, 5)
    graph = MaxCut.from_qubo(Q, c)
    values = np.einsum("ni,ij,nj->n", ALL_FIVE, Q, ALL_FIVE) + ALL_FIVE @ c
    sides = np.column_stack([ALL_FIVE, np.zeros(32, int)])
    np.testing.assert_allclose(graph.cut_value(sides), -values, atol=1e-12)
    np.testing.assert_allclose(graph.cut_value(1 - sides), -values, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_cuts_of_an_ising_model_are_differences_of_energy(seed):
    rng = np.random.default_rng(seed)
    J, h = rng.standard_normal((5, 5)), rng.standard_normal(5)
    graph = MaxCut.from_ising(h, J)
    spins = 2 * ALL_FIVE - 1
    energies = np.einsum("ni,ij,nj->n", spins, J, spins) + spins @ h
    sides = np.column_stack([ALL_FIVE, np.zeros(32, int)])
    np.testing.assert_allclose(graph.cut_value(sides), energies[0] - energies, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_graph_as_a_qubo(seed):
    rng = np.random.default_rng(seed)
    graph = MaxCut.random(5, weights=(-2.0, 1.0, 3.5), rng=rng)
    Q, c = graph.to_qubo()
    values = np.einsum("ni,ij,nj->n", ALL_FIVE, Q.toarray(), ALL_FIVE) + ALL_FIVE @ c
    np.testing.assert_allclose(graph.cut_value(ALL_FIVE), -values, atol=1e-12)


def test_the_bound_is_above_every_cut():
    graph = MaxCut.random(12, rng=1)
    x = np.array(list(itertools.product([0, 1], repeat=12)))
    assert graph.bound() >= graph.cut_value(x).max()
