"""The Gaussian family: density, fit, blend, entropy, divergence and sampling."""

import numpy as np
import pytest
from scipy import stats

from cem import Gaussian

MEAN = np.array([1.0, -2.0, 0.5])
STD = np.array([0.5, 2.0, 1.5])
COVARIANCE = np.array([[1.0, 0.6, -0.2], [0.6, 2.0, 0.3], [-0.2, 0.3, 0.5]])

INDEPENDENT = Gaussian(MEAN, std=STD)
CORRELATED = Gaussian(MEAN, covariance=COVARIANCE)


def rows(n, seed=0):
    """Rows that no Gaussian fits perfectly: skewed, dependent, on different scales."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, size=(n, 3)) * [1.0, 10.0, 0.1]
    x[:, 1] += 3 * x[:, 0]
    return x


def weighted_log_likelihood(family, x, w):
    return float(w @ family.log_prob(x))


# --- density ----------------------------------------------------------------------------------------


def test_log_prob_of_independent_coordinates():
    x = rows(50)
    expected = stats.norm.logpdf(x, MEAN, STD).sum(axis=1)
    np.testing.assert_allclose(INDEPENDENT.log_prob(x), expected, rtol=1e-12)


def test_log_prob_of_correlated_coordinates():
    x = rows(50)
    expected = stats.multivariate_normal(MEAN, COVARIANCE).logpdf(x)
    np.testing.assert_allclose(CORRELATED.log_prob(x), expected, rtol=1e-10)


def test_log_prob_does_not_change_the_rows():
    x = rows(5)
    before = x.copy()
    INDEPENDENT.log_prob(x)
    CORRELATED.log_prob(x)
    np.testing.assert_array_equal(x, before)


def test_log_prob_far_out_is_finite():
    x = np.full((1, 3), 1e10)
    assert np.isfinite(INDEPENDENT.log_prob(x)).all()
    assert np.isfinite(CORRELATED.log_prob(x)).all()


@pytest.mark.parametrize("family", [INDEPENDENT, CORRELATED], ids=["std", "covariance"])
@pytest.mark.parametrize("shape", [(3,), (4, 2), (2, 2, 3)])
def test_log_prob_refuses_rows_of_another_length(family, shape):
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        family.log_prob(np.zeros(shape))


# --- fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_fit_of_independent_coordinates_is_the_closed_form(weighted):
    x = rows(40)
    w = np.random.default_rng(1).random(40) if weighted else None
    fitted = INDEPENDENT.fit(x, w)
    mean = np.average(x, axis=0, weights=w)
    std = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=w))
    np.testing.assert_allclose(fitted.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(fitted.std, std, rtol=1e-12)
    assert fitted.covariance is None


@pytest.mark.parametrize("weighted", [False, True])
def test_fit_of_correlated_coordinates_is_the_closed_form(weighted):
    x = rows(40)
    w = np.random.default_rng(1).random(40) if weighted else None
    fitted = CORRELATED.fit(x, w)
    np.testing.assert_allclose(fitted.mean, np.average(x, axis=0, weights=w), rtol=1e-12)
    np.testing.assert_allclose(fitted.covariance, np.cov(x.T, aweights=w, ddof=0), rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_no_nearby_mean_or_std_has_a_higher_likelihood(seed):
    rng = np.random.default_rng(seed)
    x, w = rows(60, seed), rng.random(60)
    fitted = INDEPENDENT.fit(x, w)
    best = weighted_log_likelihood(fitted, x, w)
    for j in range(3):
        for step in (-1e-2, -1e-3, 1e-3, 1e-2):
            nudge = np.eye(3)[j] * step * fitted.std
            moved = Gaussian(fitted.mean + nudge, std=fitted.std)
            widened = Gaussian(fitted.mean, std=fitted.std + nudge)
            assert weighted_log_likelihood(moved, x, w) < best
            assert weighted_log_likelihood(widened, x, w) < best


@pytest.mark.parametrize("seed", range(3))
def test_no_nearby_covariance_has_a_higher_likelihood(seed):
    rng = np.random.default_rng(seed)
    x, w = rows(60, seed), rng.random(60)
    fitted = CORRELATED.fit(x, w)
    best = weighted_log_likelihood(fitted, x, w)
    factor = np.linalg.cholesky(fitted.covariance)
    for _ in range(20):
        direction = rng.standard_normal((3, 3))
        direction = factor @ (direction + direction.T) @ factor.T
        for step in (-1e-2, -1e-3, 1e-3, 1e-2):
            other = Gaussian(fitted.mean, covariance=fitted.covariance + step * direction)
            assert weighted_log_likelihood(other, x, w) < best
        moved = Gaussian(fitted.mean + 1e-3 * factor @ rng.standard_normal(3), covariance=fitted.covariance)
        assert weighted_log_likelihood(moved, x, w) < best


def test_fit_survives_a_mean_far_from_zero():
    """A variance computed as E[x²] - E[x]² would be lost here."""
    x = 1e8 + np.random.default_rng(0).standard_normal((1000, 2))
    independent = Gaussian([0, 0], std=1.0).fit(x)
    correlated = Gaussian([0, 0], covariance=np.eye(2)).fit(x)
    np.testing.assert_allclose(independent.std, x.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(correlated.covariance, np.cov(x.T, ddof=0), rtol=1e-6, atol=1e-9)


DEGENERATE = {
    "one row": [[3.0, 4.0]],
    "identical rows": [[3.0, 4.0]] * 5,
    "one coordinate constant": [[3.0, 1.0], [3.0, 2.0], [3.0, 4.0]],
    "collinear": [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [4.0, 8.0]],
    "zeros": [[0.0, 0.0]] * 3,
    "tiny": [[1e-310, 2e-310], [3e-310, 1e-310]],
    "unlike scales": [[1e140, 1e-140], [2e140, 3e-140], [-1e140, 3e-140]],
    "1e150": [[1e150, 0.0], [-1e150, 1.0], [2e150, 5.0]],
    "1e200": [[1e200, 0.0], [-1e200, 1.0], [2e200, 5.0]],
    "largest float": [[1.7e308, 0.0], [-1.7e308, 1.0], [-1.7e308, 2.0]],
    "largest floats alike": [[1.7e308, 1.7e308]] * 3,
}


@pytest.mark.parametrize(
    "start", [Gaussian([0, 0], std=1.0), Gaussian([0, 0], covariance=np.eye(2))], ids=["std", "covariance"]
)
@pytest.mark.parametrize("case", DEGENERATE)
def test_fit_never_raises_on_finite_rows(start, case):
    """The fit and what the loop then does with it: a sample, a blend, the entropy."""
    fitted = start.fit(np.array(DEGENERATE[case]))
    assert np.all(np.isfinite(fitted.mean))
    assert np.isfinite(fitted.entropy())
    blended = start.blend(fitted, 0.7)
    assert np.all(np.isfinite(blended.sample(3, np.random.default_rng(0))))
    assert np.isfinite(blended.entropy())


@pytest.mark.parametrize("case", ["one row", "identical rows", "zeros", "tiny"])
def test_a_fit_without_spread_stays_at_its_rows(case):
    x = np.array(DEGENERATE[case])
    for start in (Gaussian([0, 0], std=1.0), Gaussian([0, 0], covariance=np.eye(2))):
        draws = start.fit(x).sample(100, np.random.default_rng(0))
        np.testing.assert_allclose(draws, np.broadcast_to(x[0], draws.shape), atol=1e-100)


def test_blending_a_fit_without_spread_leaves_the_old_spread_to_shrink():
    start = Gaussian([0, 0], std=1.0)
    blended = start.blend(start.fit(np.array([[3.0, 4.0]])), 0.7)
    np.testing.assert_allclose(blended.std, 0.3)
    np.testing.assert_allclose(blended.mean, [2.1, 2.8])


# --- blend ------------------------------------------------------------------------------------------


def test_blend_mixes_mean_and_std():
    other = Gaussian([0.0, 0.0, 0.0], std=[1.0, 1.0, 4.0])
    mixed = INDEPENDENT.blend(other, 0.25)
    np.testing.assert_allclose(mixed.mean, 0.75 * MEAN)
    np.testing.assert_allclose(mixed.std, 0.75 * STD + 0.25 * other.std)


def test_blend_mixes_mean_and_covariance():
    mixed = CORRELATED.blend(Gaussian([0.0, 0.0, 0.0], covariance=np.eye(3)), 0.25)
    np.testing.assert_allclose(mixed.mean, 0.75 * MEAN)
    np.testing.assert_allclose(mixed.covariance, 0.75 * COVARIANCE + 0.25 * np.eye(3))


def test_blend_of_independent_and_correlated_is_correlated():
    mixed = INDEPENDENT.blend(CORRELATED, 0.5)
    np.testing.assert_allclose(mixed.covariance, 0.5 * np.diag(STD**2) + 0.5 * COVARIANCE)
    np.testing.assert_allclose(
        CORRELATED.blend(INDEPENDENT, 0.5).covariance, 0.5 * np.diag(STD**2) + 0.5 * COVARIANCE
    )


def test_blend_takes_a_rate_of_its_own_for_the_spread():
    other = Gaussian([0.0, 0.0, 0.0], std=1.0)
    mixed = INDEPENDENT.blend(other, 0.7, 0.1)
    np.testing.assert_allclose(mixed.mean, 0.3 * MEAN)
    np.testing.assert_allclose(mixed.std, 0.9 * STD + 0.1)
    full = CORRELATED.blend(Gaussian([0.0, 0.0, 0.0], covariance=np.eye(3)), 0.7, 0.1)
    np.testing.assert_allclose(full.covariance, 0.9 * COVARIANCE + 0.1 * np.eye(3))


# --- information ------------------------------------------------------------------------------------


def test_entropy_of_independent_coordinates():
    assert INDEPENDENT.entropy() == pytest.approx(stats.norm.entropy(MEAN, STD).sum(), rel=1e-12)


def test_entropy_of_correlated_coordinates():
    expected = stats.multivariate_normal(MEAN, COVARIANCE).entropy()
    assert CORRELATED.entropy() == pytest.approx(expected, rel=1e-12)


def test_divergence_is_the_textbook_formula():
    p, q = Gaussian([0.0], std=1.0), Gaussian([1.0], std=2.0)
    assert p.kl_divergence(q) == pytest.approx(np.log(2) + (1 + 1) / 8 - 0.5, rel=1e-12)


def test_divergence_does_not_depend_on_how_the_covariance_is_written():
    q = Gaussian([0.0, 1.0, 0.0], std=[1.0, 1.5, 3.0])
    same = Gaussian(q.mean, covariance=np.diag(q.std**2))
    assert CORRELATED.kl_divergence(q) == pytest.approx(CORRELATED.kl_divergence(same), rel=1e-12)
    assert q.kl_divergence(CORRELATED) == pytest.approx(same.kl_divergence(CORRELATED), rel=1e-12)
    assert q.kl_divergence(INDEPENDENT) == pytest.approx(
        same.kl_divergence(Gaussian(MEAN, covariance=np.diag(STD**2))), rel=1e-12
    )


# --- sampling ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [INDEPENDENT, CORRELATED], ids=["std", "covariance"])
def test_samples_have_the_covariance(family):
    n = 50_000
    x = family.sample(n, np.random.default_rng(3))
    covariance = np.diag(STD**2) if family.covariance is None else COVARIANCE
    variances = np.diag(covariance)
    standard_error = np.sqrt((np.outer(variances, variances) + covariance**2) / n)
    assert np.all(np.abs(np.cov(x.T) - covariance) < 4.5 * standard_error)
    assert np.all(np.abs(x.mean(axis=0) - MEAN) < 4.5 * np.sqrt(variances / n))


def test_samples_are_normal():
    x = INDEPENDENT.sample(5000, np.random.default_rng(4))
    for j in range(3):
        assert stats.kstest((x[:, j] - MEAN[j]) / STD[j], "norm").pvalue > 1e-3


# --- parameters -------------------------------------------------------------------------------------


def test_a_scalar_std_serves_all_coordinates():
    np.testing.assert_array_equal(Gaussian([1, 2, 3], std=0.5).std, [0.5, 0.5, 0.5])


def test_a_covariance_brings_marginal_stds():
    np.testing.assert_allclose(CORRELATED.std, np.sqrt(np.diag(COVARIANCE)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": [0.0, 0.0]}, "exactly one of std"),
        ({"mean": [0.0], "std": 1.0, "covariance": [[1.0]]}, "exactly one of std"),
        ({"mean": [0.0, 0.0], "std": 0.0}, "std must be positive"),
        ({"mean": [0.0, 0.0], "std": [1.0, -1.0]}, "std must be positive"),
        ({"mean": [0.0, 0.0], "std": [1.0, np.nan]}, "std must be finite"),
        ({"mean": [0.0, 0.0], "std": [1.0, np.inf]}, "std must be finite"),
        ({"mean": [0.0, 0.0], "std": [1.0, 1.0, 1.0]}, "std has 3 entries, the mean 2"),
        ({"mean": [np.nan, 0.0], "std": 1.0}, "mean must be finite"),
        ({"mean": [], "std": 1.0}, "mean must be a non-empty vector"),
        ({"mean": [[0.0, 0.0]], "std": 1.0}, "mean must be a non-empty vector"),
        ({"mean": [0.0, 0.0], "covariance": np.eye(3)}, r"covariance must have shape \(2, 2\)"),
        ({"mean": [0.0, 0.0], "covariance": [1.0, 1.0]}, r"covariance must have shape \(2, 2\)"),
        ({"mean": [0.0, 0.0], "covariance": [[1.0, 0.5], [0.2, 1.0]]}, "symmetric"),
        ({"mean": [0.0, 0.0], "covariance": [[1.0, np.nan], [np.nan, 1.0]]}, "finite"),
        ({"mean": [0.0, 0.0], "covariance": [[1.0, 2.0], [2.0, 1.0]]}, "positive definite"),
        ({"mean": [0.0, 0.0], "covariance": [[1.0, 1.0], [1.0, 1.0]]}, "positive definite"),
        ({"mean": [0.0, 0.0], "covariance": [[0.0, 0.0], [0.0, 1.0]]}, "positive definite"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        Gaussian(**arguments)


@pytest.mark.parametrize("arguments", [{"mean": "abc", "std": 1.0}, {"mean": [0.0], "std": "wide"}])
def test_parameters_that_are_no_numbers(arguments):
    with pytest.raises(TypeError, match="must be numbers, in rows of one length"):
        Gaussian(**arguments)


@pytest.mark.parametrize("seed", range(5))
def test_widened_covers_the_floor_and_itself(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 4, 4))
    own, floor = Gaussian(np.ones(4), covariance=a @ a.T), Gaussian(np.zeros(4), covariance=b @ b.T)
    wide = own.widened(floor)
    for narrow in (own, floor):
        assert np.linalg.eigvalsh(wide.covariance - narrow.covariance)[0] > -1e-9
    np.testing.assert_array_equal(wide.mean, own.mean)
    np.testing.assert_allclose(own.widened(own).covariance, own.covariance, rtol=1e-9, atol=1e-12)


def test_widened_without_correlations_is_the_larger_std():
    wide = Gaussian([1.0, 2.0], std=[0.1, 3.0]).widened(Gaussian([0.0, 0.0], std=1.0))
    np.testing.assert_array_equal(wide.std, [1.0, 3.0])
