"""Drawing a population: in blocks of one stream each, inside the domain, read-only."""

import numpy as np
import pytest
from scipy import stats

import cem
from cem.core.domain import Domain
from cem.core.sampling import Recipe, block_rows, draw
from cem.core.streams import Streams

FAMILIES = {
    "independent Gaussian": cem.Gaussian(np.arange(300.0), std=np.linspace(0.1, 2, 300)),
    "correlated Gaussian": cem.Gaussian(
        np.arange(300.0), covariance=np.eye(300) + np.outer(np.linspace(0, 1, 300), np.linspace(0, 1, 300))
    ),
    "Bernoulli": cem.Bernoulli(np.linspace(0, 1, 300)),
    "Categorical": cem.Categorical(np.full((300, 4), 0.25)),
    "Exponential": cem.Exponential(np.linspace(0.1, 2, 300)),
}


def stream(block):
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(1, spawn_key=(block,))))


class Hidden:
    """A family seen through the five methods only, as a user's own is."""

    def __init__(self, family):
        self.family = family

    def sample(self, n, rng):
        return self.family.sample(n, rng)


# --- blocks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("d", "rows"), [(1, 65536), (2, 32768), (3, 21845), (100, 655), (65536, 1), (65537, 1), (10**6, 1)]
)
def test_the_block_is_that_of_the_design(d, rows):
    """The unit of randomness: another size would give other results for every seed."""
    assert block_rows(d) == rows


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("n", [1, 218, 219, 500])
def test_each_block_comes_from_its_own_stream(name, n):
    family = FAMILIES[name]
    rows = block_rows(300)
    assert rows == 218
    sizes = [min(rows, n - first) for first in range(0, n, rows)]
    expected = np.concatenate([family.sample(size, stream(b)) for b, size in enumerate(sizes)])
    x = draw(family, n, stream)
    assert x.dtype == expected.dtype
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_filling_in_place_gives_what_sampling_gives(name):
    np.testing.assert_array_equal(
        draw(FAMILIES[name], 500, stream), draw(Hidden(FAMILIES[name]), 500, stream)
    )


@pytest.mark.parametrize("domain", [None, Domain(np.zeros(2), np.ones(2))], ids=["free", "box"])
@pytest.mark.parametrize("n", [3, 50_000])
def test_a_population_is_read_only(domain, n):
    x = draw(cem.Gaussian([0.5, 0.5], std=1.0), n, stream, domain)
    with pytest.raises(ValueError, match="read-only"):
        x[0, 0] = 0.0
    assert x.shape == (n, 2)


# --- the domain -------------------------------------------------------------------------------------

BOX = Domain(np.array([-1.0, 0.0]), np.array([1.0, 0.5]))


@pytest.mark.parametrize("std", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("mean", [[0.0, 0.25], [1.0, 0.5], [50.0, -50.0]])
@pytest.mark.parametrize("full", [False, True])
def test_no_row_lies_outside(std, mean, full):
    family = cem.Gaussian(mean, covariance=std**2 * np.eye(2)) if full else cem.Gaussian(mean, std=std)
    x = draw(family, 50_000, stream, BOX)
    assert not BOX.outside(x).any()


def test_a_family_inside_is_drawn_as_without_a_domain():
    family = cem.Gaussian([0.0, 0.25], std=1e-3)
    np.testing.assert_array_equal(draw(family, 1000, stream, BOX), draw(family, 1000, stream))


def test_rows_inside_stay_as_they_were_drawn():
    family = cem.Gaussian([0.0, 0.25], std=0.5)
    free, inside = draw(family, 1000, stream), draw(family, 1000, stream, BOX)
    kept = ~BOX.outside(free)
    assert 100 < kept.sum() < 900
    np.testing.assert_array_equal(inside[kept], free[kept])


def test_rows_outside_are_redrawn_three_times_and_then_projected():
    """Half of the draws lie outside: a share of (1/2)^4 is left to be projected onto the bound."""
    n = 60_000
    domain = Domain(np.array([0.0]), np.array([np.inf]))
    x = draw(cem.Gaussian([0.0], std=1.0), n, stream, domain)[:, 0]
    on_the_bound = (x == 0).mean()
    assert abs(on_the_bound - 1 / 16) < 4.5 * np.sqrt(1 / 16 * 15 / 16 / n)
    assert stats.kstest(x[x > 0][:5000], "halfnorm").pvalue > 1e-3


def test_a_family_far_outside_is_projected_to_the_nearest_rows():
    x = draw(cem.Gaussian([50.0, -50.0], std=1e-3), 10, stream, BOX)
    np.testing.assert_array_equal(x, [[1.0, 0.0]] * 10)


def test_fixed_variables_have_their_value_and_cost_no_redraws():
    """Only the free variable decides about redraws: a fixed one lies outside in almost every draw."""
    domain = Domain(np.array([3.0, -10.0]), np.array([3.0, 10.0]))
    family = cem.Gaussian([0.0, 0.0], std=1.0)
    x = draw(family, 1000, stream, domain)
    np.testing.assert_array_equal(x[:, 0], 3.0)
    np.testing.assert_array_equal(x[:, 1], draw(family, 1000, stream)[:, 1])


# --- a user's own family ----------------------------------------------------------------------------


class Wrong:
    def __init__(self, shape):
        self.shape = shape

    def sample(self, n, rng):
        return np.zeros([n if size == "n" else size for size in self.shape])


@pytest.mark.parametrize("shape", [("n",), (2, "n"), ("n", 1, 1), (1, 1)])
def test_a_sample_of_the_wrong_shape_is_told(shape):
    with pytest.raises(ValueError, match=r"Wrong\.sample\(.*returned shape.*one candidate a row"):
        draw(Wrong(shape), 7, stream)


class Lists:
    def sample(self, n, rng):
        return rng.random((n, 2)).tolist()


@pytest.mark.parametrize("domain", [None, BOX], ids=["free", "box"])
def test_a_sample_may_be_a_list_of_lists(domain):
    assert draw(Lists(), 5, stream, domain).shape == (5, 2)


class Whole:
    """Counts of its own kind: whole numbers in floating point, drawn far beyond the box."""

    def sample(self, n, rng):
        out = rng.poisson(5.0, size=(n, 2)).astype(float)
        out.flags.writeable = False
        return out


def test_a_read_only_sample_is_not_written_to():
    domain = Domain(np.array([2.0, 0.0]), np.array([2.0, 4.0]))
    x = draw(Whole(), 500, stream, domain)
    assert not domain.outside(x).any()


# --- drawn again ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"correlated Gaussian"}))
@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize(
    ("start", "stop"), [(0, 500), (0, 1), (217, 219), (230, 435), (436, 500), (499, 500)]
)
def test_any_rows_can_be_drawn_again(name, bounded, start, stop):
    domain = Domain(np.full(300, 0.0), np.full(300, 100.0)) if bounded else None
    recipe = Recipe(FAMILIES[name], 500, domain, Streams(7), 3)
    assert recipe.redrawable
    x = recipe.population()
    np.testing.assert_array_equal(recipe.rows(start, stop), x[start:stop])
    blocks = list(recipe.blocks(start, stop))
    np.testing.assert_array_equal(np.concatenate(blocks), x[start:stop])
    assert not any(block.flags.writeable for block in blocks)


def test_matrix_products_are_not_drawn_again():
    assert not Recipe(FAMILIES["correlated Gaussian"], 500, None, Streams(7), 3).redrawable
    assert not Recipe(Hidden(FAMILIES["Bernoulli"]), 500, None, Streams(7), 3).redrawable
