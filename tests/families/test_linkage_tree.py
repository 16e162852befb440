"""The linkage tree: its exact mass, sampling from it, and the clusters that it finds."""

import itertools
import pickle

import numpy as np
import pytest

import cem
from cem.families.linkage_tree import joint_entropies, merge_positions


def all_rows(categories):
    return np.array(list(itertools.product(*(range(k) for k in categories))))


def random_tree(seed, categories=(3, 2, 4, 3), members=7):
    rng = np.random.default_rng(seed)
    return cem.LinkageTree(
        rng.integers(0, categories, (members, len(categories))), rng.random(members), categories
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_masses_of_all_rows_sum_to_one(seed):
    tree = random_tree(seed)
    assert np.exp(tree.log_prob(all_rows(tree.categories))).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_samples_have_the_mass_that_log_prob_says(seed):
    tree, n = random_tree(seed), 60_000
    rows = all_rows(tree.categories)
    p = np.exp(tree.log_prob(rows))
    x = tree.sample(n, np.random.default_rng(seed))
    codes = np.ravel_multi_index(x.T, tree.categories)
    seen = np.bincount(codes, minlength=len(rows))
    assert seen[p == 0].sum() == 0
    expected = n * p[p > 0]
    chi_square = ((seen[p > 0] - expected) ** 2 / expected).sum()
    cells = (p > 0).sum() - 1
    assert chi_square < cells + 5 * np.sqrt(2 * cells)  # five standard deviations


def test_two_positions_by_hand():
    tree = cem.LinkageTree([[0, 0], [1, 1]], [3, 1])
    copied, apart = np.array([0.75, 0, 0, 0.25]), np.array([0.5625, 0.1875, 0.1875, 0.0625])
    np.testing.assert_allclose(np.exp(tree.log_prob(all_rows([2, 2]))), (copied + apart) / 2)


def test_one_position_is_its_frequencies():
    tree = cem.LinkageTree([[0], [2], [2]])
    np.testing.assert_allclose(np.exp(tree.log_prob([[0], [1], [2]])), [1 / 3, 0, 2 / 3])
    assert tree.entropy() == pytest.approx(-(np.log(1 / 3) + 2 * np.log(2 / 3)) / 3)


def test_positions_that_go_together_are_merged_first():
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 2, (200, 4))
    x = np.repeat(blocks, 3, axis=1)
    order = rng.permutation(12)
    tree = cem.LinkageTree(x[:, order])
    found = {tuple(sorted(order[cluster] // 3)) for cluster in tree.clusters}
    assert found >= {(b,) * 3 for b in range(4)}
    assert not any(len(cluster) < 3 for cluster in tree.clusters)  # parts of what always agrees say nothing
    assert max(len(cluster) for cluster in tree.clusters) < 12


def test_joint_entropies_of_bits_are_those_of_labels():
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 2, (50, 6)), rng.dirichlet(np.ones(50))
    few, many = (joint_entropies(x, w, np.full(6, k)) for k in (2, 3))
    np.testing.assert_allclose(few, many, atol=1e-12)
    i, j = 1, 4
    cells = [w[(x[:, i] == a) & (x[:, j] == b)].sum() for a in (0, 1) for b in (0, 1)]
    assert few[i, j] == pytest.approx(-sum(c * np.log(c) for c in cells))


def test_weights_are_as_good_as_copies():
    rows = [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    weighted = cem.LinkageTree(rows, [1, 2, 3])
    copied = cem.LinkageTree(np.repeat(rows, [1, 2, 3], axis=0))
    everything = all_rows([2, 2, 2])
    np.testing.assert_allclose(np.exp(weighted.log_prob(everything)), np.exp(copied.log_prob(everything)))
    np.testing.assert_allclose(np.exp(weighted.fit(rows, [3, 2, 1]).log_prob([[0, 1, 1]])), np.exp(
        cem.LinkageTree(rows, [3, 2, 1]).log_prob([[0, 1, 1]])))  # fmt: skip


def test_blending_weighs_both_sets_of_members():
    a, b = cem.LinkageTree([[0, 0]], categories=[2, 2]), cem.LinkageTree([[1, 1]], categories=[2, 2])
    mixed = a.blend(b, 0.25)
    np.testing.assert_allclose(np.exp(mixed.log_prob(all_rows([2, 2]))), np.exp(
        cem.LinkageTree([[0, 0], [1, 1]], [3, 1]).log_prob(all_rows([2, 2]))))  # fmt: skip
    with pytest.raises(ValueError, match="number of categories"):
        a.blend(cem.LinkageTree([[0, 0]], categories=[3, 2]), 0.5)


def test_ties_are_broken_at_random_or_by_order():
    members, w, categories = np.eye(6, dtype=np.int64), np.full(6, 1 / 6), np.full(6, 2)
    first = [merge_positions(members, w, categories, np.random.default_rng(s))[0] for s in range(5)]
    assert len({each.tobytes() for each in first}) > 1
    plain = [merge_positions(members, w, categories)[0] for _ in range(2)]
    np.testing.assert_array_equal(*plain)


def test_it_is_saved_and_pickled_exactly():
    tree = random_tree(5)
    everything = all_rows(tree.categories)
    for copy in (type(tree).from_arrays(tree.to_arrays()), pickle.loads(pickle.dumps(tree))):
        np.testing.assert_array_equal(copy.log_prob(everything), tree.log_prob(everything))
        assert [c.tolist() for c in copy.clusters] == [c.tolist() for c in tree.clusters]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (([0, 1],), "shape"),
        (([[0, -1]],), "whole numbers"),
        (([[0, 0.5]],), "whole numbers"),
        (([[0, 3]], None, [2, 2]), "position 1 has 2 categories"),
        (([[0, 1]], [0.0]), "weights"),
        (([[0, 1, 1]], None, None, [[0, 1], [0, 2]]), "merges"),
        (([[0, 1, 1]], None, None, [[0, 3], [1, 2]]), "merges"),
    ],
)
def test_what_is_no_tree_is_refused(arguments, what):
    with pytest.raises(ValueError, match=what):
        cem.LinkageTree(*arguments)


def test_ask_and_tell_learns_two_linked_bits():
    start = cem.LinkageTree(np.random.default_rng(0).integers(0, 2, (64, 8)))
    m = cem.CrossEntropyMethod(start, maximize=True, population=200, rng=1)
    for _ in range(15):
        x = m.ask()
        m.tell(x, (x[:, ::2] == x[:, 1::2]).sum(axis=1) + x.sum(axis=1) / 8)
    assert m.best_x.tolist() == [1] * 8
