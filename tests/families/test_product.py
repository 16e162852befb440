"""Products: what their parts say, put together."""

import itertools
import pickle

import numpy as np
import pytest

import cem


@pytest.fixture
def product():
    return cem.Product(
        size=cem.Gaussian([1.0, -2.0], covariance=[[1.0, 0.6], [0.6, 2.0]]),
        kind=cem.Categorical([[0.2, 0.3, 0.5], [0.9, 0.1]]),
        wait=cem.Exponential([0.5]),
    )


def test_log_prob_is_the_sum_of_the_parts(product):
    x = product.sample(50, np.random.default_rng(1))
    parts = product["size"].log_prob(x[:, :2]), product["kind"].log_prob(x[:, 2:4])
    expected = sum(parts) + product["wait"].log_prob(x[:, 4:])
    np.testing.assert_allclose(product.log_prob(x), expected, rtol=1e-14)


def test_discrete_masses_sum_to_one():
    p = cem.Product(a=cem.Bernoulli([0.2, 0.7]), b=cem.Categorical([[0.1, 0.2, 0.7]]))
    rows = np.array(list(itertools.product([0, 1], [0, 1], [0, 1, 2])))
    assert np.exp(p.log_prob(rows)).sum() == pytest.approx(1, rel=1e-14)
    assert p.sample(3, np.random.default_rng(0)).dtype.kind in "iu"
    entropy = -np.sum(np.exp(p.log_prob(rows)) * p.log_prob(rows))
    assert p.entropy() == pytest.approx(entropy, rel=1e-12)


def test_the_fit_is_that_of_each_part(product):
    rng = np.random.default_rng(2)
    x, w = product.sample(200, rng), rng.random(200)
    fitted = product.fit(x, w)
    for name, columns in (("size", [0, 1]), ("kind", [2, 3]), ("wait", [4])):
        alone = product[name].fit(x[:, columns], w).to_arrays()
        for key, values in fitted[name].to_arrays().items():
            np.testing.assert_allclose(values, alone[key], rtol=1e-12)


def test_the_fit_minimises_the_cross_entropy(product):
    """No other product of the family gives the rows a larger weighted likelihood."""
    rng = np.random.default_rng(3)
    x, w = product.sample(300, rng), rng.random(300)
    fitted = product.fit(x, w)
    best = w @ fitted.log_prob(x)
    for rate in (0.01, 0.1, 0.5):
        assert w @ fitted.blend(product, rate).log_prob(x) < best


def test_blending_goes_part_by_part(product):
    other = product.fit(product.sample(100, np.random.default_rng(4)))
    blended = product.blend(other, 0.25)
    for name in product.names:
        expected = product[name].blend(other[name], 0.25).to_arrays()
        for key, values in blended[name].to_arrays().items():
            np.testing.assert_array_equal(values, expected[key])
    with pytest.raises(ValueError, match="same parts"):
        product.blend(cem.Product(size=product["size"]), 0.5)


def test_divergence_is_the_sum_and_zero_to_itself(product):
    other = product.fit(product.sample(100, np.random.default_rng(4)))
    parts = (product[name].kl_divergence(other[name]) for name in product.names)
    assert product.kl_divergence(other) == pytest.approx(sum(parts))
    assert product.kl_divergence(product) == pytest.approx(0, abs=1e-12)


def test_moments_of_draws(product):
    """Within five standard errors."""
    n = 40_000
    x = product.sample(n, np.random.default_rng(5))
    mean = np.array([1.0, -2.0, 1.3, 0.1, 0.5])
    std = np.array([1.0, np.sqrt(2), np.sqrt(0.61), 0.3, 0.5])
    np.testing.assert_array_less(np.abs(x.mean(axis=0) - mean), 5 * std / np.sqrt(n))
    assert abs(np.corrcoef(x[:, 0], x[:, 2])[0, 1]) < 5 / np.sqrt(n)


def test_it_comes_back_bit_for_bit(product):
    back = cem.Product.from_arrays(product.to_arrays())
    assert back.names == product.names
    for key, values in back.to_arrays().items():
        np.testing.assert_array_equal(values, product.to_arrays()[key])
    copy = pickle.loads(pickle.dumps(product))
    x = product.sample(5, np.random.default_rng(6))
    np.testing.assert_array_equal(copy.log_prob(x), product.log_prob(x))
    np.testing.assert_array_equal(back.sample(5, np.random.default_rng(6)), x)


def test_parts_may_have_any_columns():
    parts = {"a": cem.Bernoulli([0.0, 1.0]), "b": cem.Gaussian([5.0], std=[1e-9])}
    p = cem.Product.over({"a": [2, 0], "b": [1]}, **parts)
    np.testing.assert_allclose(p.sample(1, np.random.default_rng(0)), [[1, 5, 0]], atol=1e-6)
    np.testing.assert_array_equal(p.mean, [1, 5, 0])
    assert cem.Product.from_arrays(p.to_arrays()).columns[0].tolist() == [2, 0]
    with pytest.raises(ValueError, match="each once"):
        cem.Product.over({"a": [0, 1], "b": [1]}, **parts)


def test_what_is_no_candidate(product):
    rows = np.array([[0, 0, 2, 1, 1.0], [0, 0, 3, 1, 1.0], [0, np.nan, 0, 0, 1.0], [0, 0, 0.5, 0, 1]])
    assert product.contains(rows).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: cem.Product(), ValueError, "at least one part"),
        (lambda: cem.Product(a=3), TypeError, "'a' must be a family"),
        (lambda: cem.Product(a=cem.Gaussian), TypeError, "'a' must be a family"),
        (lambda: cem.Product({"a": cem.Bernoulli([0.5])}, a=cem.Bernoulli([0.5])), ValueError, "twice"),
        (lambda: cem.Product([cem.Bernoulli([0.5])]), TypeError, "mapping"),
        (lambda: cem.Product.from_arrays({"0/name": np.array([97])}), ValueError, "missing"),
    ],
)
def test_wrong_products_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
