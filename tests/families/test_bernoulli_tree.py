"""The tree family: exact fit, sampling, probabilities, projection."""

import itertools

import numpy as np
import pytest

import cem
from cem.families import BernoulliTree

ALL_TEN = np.array(list(itertools.product([0, 1], repeat=10)))


def random_tree(d, rng, symmetric=False):
    parents = np.array([-1, *(rng.integers(j) for j in range(1, d))])
    if symmetric:
        a = rng.uniform(0.05, 0.95, d)
        tables = np.stack([1 - a, a], axis=1)
        tables[0] = 0.5
    else:
        tables = rng.uniform(0.05, 0.95, (d, 2))
        tables[0, 1] = tables[0, 0]
    return BernoulliTree(parents, tables, symmetric=symmetric)


def chain(d, correlation):
    a = (1 + correlation) / 2
    tables = np.tile([1 - a, a], (d, 1))
    tables[0] = 0.5
    return BernoulliTree(np.arange(d) - 1, tables)


def undirected(tree):
    return {frozenset((j, int(k))) for j, k in enumerate(tree.parents) if k >= 0}


@pytest.mark.parametrize("seed", range(5))
def test_log_probabilities_sum_to_one_over_all_rows(seed):
    tree = random_tree(10, np.random.default_rng(seed))
    assert np.exp(tree.log_prob(ALL_TEN)).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_entropy_and_marginals_by_enumeration(seed):
    tree = random_tree(10, np.random.default_rng(seed))
    logs = tree.log_prob(ALL_TEN)
    assert tree.entropy() == pytest.approx(-(np.exp(logs) * logs).sum(), abs=1e-10)
    np.testing.assert_allclose(tree.p, np.exp(logs) @ ALL_TEN, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_samples_have_the_tree_s_probabilities(seed):
    rng = np.random.default_rng(seed)
    tree = random_tree(4, rng)
    n = 200_000
    x = tree.sample(n, rng)
    assert x.dtype == np.uint8
    rows = np.array(list(itertools.product([0, 1], repeat=4)))
    seen = np.bincount(x @ [8, 4, 2, 1], minlength=16) / n
    p = np.exp(tree.log_prob(rows))
    assert np.all(np.abs(seen - p) < 5 * np.sqrt(p * (1 - p) / n))


def test_a_chain_with_known_correlations_is_recovered():
    rng = np.random.default_rng(1)
    x = chain(12, 0.6).sample(20_000, rng)
    fitted = BernoulliTree.independent(np.full(12, 0.5)).fit(x)
    assert undirected(fitted) == {frozenset((j, j + 1)) for j in range(11)}
    child = np.flatnonzero(fitted.parents >= 0)
    slopes = fitted.conditionals[child, 1] - fitted.conditionals[child, 0]
    np.testing.assert_allclose(slopes, 0.6, atol=5 * np.sqrt(1 / 20_000))


@pytest.mark.parametrize("seed", range(4))
def test_fit_is_the_likeliest_tree(seed):
    """Against every labelled tree on four positions, with weights."""
    rng = np.random.default_rng(seed)
    x = random_tree(4, rng).sample(60, rng)
    w = rng.uniform(0.1, 1, 60)
    fitted = BernoulliTree.independent(np.full(4, 0.5)).fit(x, w)
    ours = w @ fitted.log_prob(x)
    best = -np.inf
    for edges in itertools.combinations(itertools.combinations(range(4), 2), 3):
        other = BernoulliTree.independent(np.full(4, 0.5), edges=np.array(edges)).fit(x, w)
        best = max(best, w @ other.log_prob(x))
    assert ours == pytest.approx(best, rel=1e-12)
    for j in range(4):
        for b in range(2):
            for step in (-1e-3, 1e-3):
                tables = fitted.conditionals.copy()
                tables[j, b] = np.clip(tables[j, b] + step, 0, 1)
                if fitted.parents[j] < 0:
                    tables[j] = tables[j, b]
                assert w @ BernoulliTree(fitted.parents, tables).log_prob(x) <= ours + 1e-12


def test_edges_restrict_the_tree_to_a_graph():
    rng = np.random.default_rng(0)
    edges = np.array([[0, 1], [2, 3], [4, 3]])
    x = chain(6, 0.9).sample(500, rng)
    fitted = BernoulliTree.independent(np.full(6, 0.5), edges=edges).fit(x)
    assert undirected(fitted) == {frozenset(map(int, pair)) for pair in edges}


def test_symmetric_fits_count_the_complements():
    rng = np.random.default_rng(3)
    x = random_tree(8, rng).sample(40, rng)
    fitted = BernoulliTree.independent(np.full(8, 0.5), symmetric=True).fit(x)
    both = BernoulliTree.independent(np.full(8, 0.5)).fit(np.concatenate([x, 1 - x]))
    rows = ALL_TEN[:256, 2:]
    np.testing.assert_allclose(fitted.log_prob(rows), both.log_prob(rows), atol=1e-10)
    np.testing.assert_allclose(fitted.log_prob(rows), fitted.log_prob(1 - rows), atol=1e-10)


def test_two_elites_keep_what_they_agree_on():
    x = np.array([[0, 0, 1, 1, 0], [0, 0, 1, 0, 1]])
    edges = [[0, 1], [1, 2], [2, 3], [3, 4]]
    tree = BernoulliTree.independent(np.full(5, 0.5), edges=edges, symmetric=True).fit(x)
    drawn = tree.sample(400, np.random.default_rng(0))
    assert np.all(drawn[:, 0] == drawn[:, 1])
    assert np.all(drawn[:, 1] != drawn[:, 2])
    assert np.all(drawn[:, 3] != drawn[:, 4])
    assert 100 < np.sum(drawn[:, 2] == drawn[:, 3]) < 300


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_blend_keeps_the_mixture_s_marginals_and_joints(rate):
    rng = np.random.default_rng(5)
    first, second = random_tree(10, rng), random_tree(10, rng)
    blended = first.blend(second, rate)
    mixture = (1 - rate) * np.exp(first.log_prob(ALL_TEN)) + rate * np.exp(second.log_prob(ALL_TEN))
    own = np.exp(blended.log_prob(ALL_TEN))
    np.testing.assert_allclose(own @ ALL_TEN, mixture @ ALL_TEN, atol=1e-10)
    for j, k in enumerate(blended.parents):
        if k >= 0:
            both = ALL_TEN[:, j] * ALL_TEN[:, k]
            assert own @ both == pytest.approx(mixture @ both, abs=1e-10)


def test_degenerate_rows_are_fitted():
    tree = BernoulliTree.independent(np.full(3, 0.5)).fit(np.array([[1, 0, 1]]))
    assert np.all(tree.sample(20, np.random.default_rng(0)) == [1, 0, 1])
    assert tree.entropy() == pytest.approx(0, abs=1e-12)
    assert tree.log_prob(np.array([[0, 0, 1]]))[0] == -np.inf


def test_survives_storage():
    tree = random_tree(6, np.random.default_rng(0), symmetric=True)
    again = BernoulliTree.from_arrays(tree.to_arrays())
    rows = ALL_TEN[:64, 4:]
    np.testing.assert_array_equal(again.log_prob(rows), tree.log_prob(rows))
    assert again.symmetric


def test_finds_a_dependent_optimum():
    """Equal neighbours pay: the tree learns the dependence that a product cannot hold."""

    def score(x):
        return np.sum(x[1:] != x[:-1])

    r = cem.optimize(score, BernoulliTree.independent(np.full(30, 0.5)), maximize=True, rng=1)
    assert r.fun == 29
    assert r.success


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([0, 0], np.full((2, 2), 0.5)), "cycle"),
        (([1, 0], np.full((2, 2), 0.5)), "cycle"),
        (([-1, 2], np.full((2, 2), 0.5)), "parents"),
        (([-1, 0], np.full((2, 2), 1.5)), "probabilities"),
        (([-1, 0], np.full((3, 2), 0.5)), "shape"),
        (([-1, 0], np.full((2, 2), 0.5), [[0, 2]]), "edges"),
        (([-1, 0], np.full((2, 2), 0.5), [[0, 0]]), "edges"),
    ],
)
def test_bad_parameters(arguments, says):
    with pytest.raises(ValueError, match=says):
        BernoulliTree(*arguments)


def test_a_symmetric_start_is_fair():
    with pytest.raises(ValueError, match="symmetric"):
        BernoulliTree.independent([0.5, 0.4], symmetric=True)
