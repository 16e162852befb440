"""What is kept comes back bit for bit, and goes on as if it had never been away."""

import io

import numpy as np
import pytest

from cem import families


def positive(rng, *shape):
    return 10.0 ** rng.uniform(-3, 3, shape)


def covariance(rng, d):
    root = rng.standard_normal((d, d))
    return root @ root.T + 0.01 * np.eye(d)


def directions(rng, k, d):
    v = rng.standard_normal((k, d))
    return v / np.linalg.norm(v, axis=1)[:, None]


def paths(rng, k, d):
    return rng.dirichlet(np.ones(4), size=(k, d))


MAKE = {
    "independent": lambda r, k, d: families.Gaussian(r.standard_normal(d), std=positive(r, d)),
    "correlated": lambda r, k, d: families.Gaussian(r.standard_normal(d), covariance=covariance(r, d)),
    "factored": lambda r, k, d: families.FactoredGaussian(r.standard_normal(d), r.standard_normal((d, d))),
    "low rank": lambda r, k, d: families.LowRankGaussian(
        r.standard_normal(d), positive(r, d), directions(r, k, d), positive(r, k) - 0.5 * 1e-3
    ),
    "mixture": lambda r, k, d: families.GaussianMixture(
        positive(r, k), r.standard_normal((k, d)), positive(r, k, d)
    ),
    "full mixture": lambda r, k, d: families.GaussianMixture.from_covariances(
        positive(r, k), r.standard_normal((k, d)), [covariance(r, d) for _ in range(k)]
    ),
    "exponential": lambda r, k, d: families.Exponential(positive(r, d)),
    "gamma": lambda r, k, d: families.Gamma(positive(r, d), positive(r, d)),
    "direction": lambda r, k, d: families.VonMisesFisherNakagami(
        r.standard_normal(d), *(float(v) for v in positive(r, 3))
    ),
    "Bernoulli": lambda r, k, d: families.Bernoulli(r.random(d)),
    "Bernoulli mixture": lambda r, k, d: families.BernoulliMixture(positive(r, k), r.random((k, d))),
    "tree": lambda r, k, d: families.BernoulliTree.independent(r.random(d)).fit(r.integers(0, 2, (9, d))),
    "symmetric tree": lambda r, k, d: families.BernoulliTree.independent(
        np.full(d, 0.5), edges=[(j, j + 1) for j in range(d - 1)], symmetric=True
    ).fit(r.integers(0, 2, (9, d))),
    "Categorical": lambda r, k, d: families.Categorical(
        [r.dirichlet(np.ones(r.integers(1, 6))) for _ in range(d)]
    ),
    "Categorical mixture": lambda r, k, d: families.CategoricalMixture(positive(r, k), paths(r, k, d)),
}


def there_and_back(family):
    file = io.BytesIO()
    np.savez(file, **family.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return type(family).from_arrays(dict(arrays))


def assert_same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", MAKE)
def test_a_family_comes_back_as_it_was(name):
    rng = np.random.default_rng(7)
    for _ in range(15):
        k, d = int(rng.integers(1, 5)), int(rng.integers(2, 7))
        family = MAKE[name](rng, k, d)
        x, w = family.sample(20, rng), rng.random(20)
        for kept in (family, family.fit(x, w), family.blend(family.fit(x, w), 0.37)):
            again = there_and_back(kept)
            arrays, others = kept.to_arrays(), again.to_arrays()
            assert list(arrays) == list(others)
            for key in arrays:
                assert_same_bits(arrays[key], others[key])
                assert not others[key].flags.writeable
            assert_same_bits(kept.log_prob(x), again.log_prob(x))
            assert_same_bits(kept.entropy(), again.entropy())
            draws = [each.sample(20, np.random.default_rng(1)) for each in (kept, again)]
            assert_same_bits(*draws)
            assert_same_bits(there_and_back(kept.fit(x)).log_prob(x), again.fit(x).log_prob(x))


@pytest.mark.parametrize("name", MAKE)
def test_what_is_no_family_of_this_kind_is_refused(name):
    family = MAKE[name](np.random.default_rng(8), 2, 3)
    arrays = family.to_arrays()
    first = next(iter(arrays))
    kind = type(family)
    with pytest.raises(ValueError):  # noqa: PT011 - each says what is wrong in its own words
        kind.from_arrays(arrays | {"colour": np.ones(3)})
    with pytest.raises(ValueError):  # noqa: PT011
        kind.from_arrays({key: value for key, value in arrays.items() if key != first})
    for bad in (np.array(["a"]), np.full(arrays[first].shape, np.nan), np.ones((1, 2, 3, 4))):
        with pytest.raises(ValueError):  # noqa: PT011
            kind.from_arrays(arrays | {first: bad})
