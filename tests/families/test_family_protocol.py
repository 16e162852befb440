"""What every family promises, built-in or a user's own; and a user's own, put to all three uses."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from helpers import assert_same_arrays
from scipy import special, stats

import cem

BUILT_IN = {
    "independent Gaussian": cem.Gaussian([1.0, -2.0], std=[0.5, 2.0]),
    "correlated Gaussian": cem.Gaussian([1.0, -2.0], covariance=[[1.0, 0.6], [0.6, 2.0]]),
    "Bernoulli": cem.Bernoulli([0.1, 0.5, 0.85]),
    "Categorical": cem.Categorical([[0.2, 0.3, 0.5], [0.9, 0.1]]),
    "Exponential": cem.Exponential([0.25, 3.0]),
    "Gamma": cem.Gamma([0.5, 3.0], [2.0, 0.1]),
    "VonMisesFisherNakagami": cem.VonMisesFisherNakagami([1.0, 2.0, -2.0], 4.0, 2.0, 3.0),
}
OTHERS = {
    "independent Gaussian": cem.Gaussian([0.0, 0.0], std=[1.0, 2.5]),
    "correlated Gaussian": cem.Gaussian([0.0, 0.0], covariance=[[2.0, -0.5], [-0.5, 3.0]]),
    "Bernoulli": cem.Bernoulli([0.2, 0.4, 0.6]),
    "Categorical": cem.Categorical([[0.4, 0.4, 0.2], [0.5, 0.5]]),
    "Exponential": cem.Exponential([0.5, 2.0]),
    "Gamma": cem.Gamma([0.8, 2.0], [1.0, 0.2]),
    "VonMisesFisherNakagami": cem.VonMisesFisherNakagami([1.0, 1.0, 0.0], 1.0, 1.0, 2.0),
}
NAMES = sorted(BUILT_IN)
SMALL = 200_000


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def family(name):
    return BUILT_IN[name]


@pytest.fixture
def other(name):
    return OTHERS[name]


def assert_close(a, b, rtol=1e-10):
    arrays, others = a.to_arrays(), b.to_arrays()
    for key in arrays:
        np.testing.assert_allclose(arrays[key], others[key], rtol=rtol, atol=1e-12, err_msg=key)


# --- the protocol -----------------------------------------------------------------------------------


def test_it_is_a_family(family):
    assert isinstance(family, cem.Family)


def test_sample_gives_one_candidate_a_row(family):
    for n in (1, 2, 17):
        x = family.sample(n, np.random.default_rng(0))
        assert x.shape == (n, family.dimension)
        assert family.log_prob(x).shape == (n,)
        assert np.all(np.isfinite(family.log_prob(x)))


def test_sample_repeats_with_the_same_stream_and_differs_with_another(family):
    first = family.sample(50, np.random.default_rng(1))
    np.testing.assert_array_equal(first, family.sample(50, np.random.default_rng(1)))
    assert not np.array_equal(first, family.sample(50, np.random.default_rng(2)))


def test_sample_leaves_numpys_global_stream_alone(family):
    np.random.seed(1)  # noqa: NPY002 - the very thing that must not be touched
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    family.fit(family.sample(50, np.random.default_rng(1)))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("n", [1, 5, 1000])
@pytest.mark.parametrize(
    "family", [f for f in BUILT_IN.values() if hasattr(f, "fill")], ids=lambda f: type(f).__name__
)
def test_fill_gives_what_sample_gives(family, n):
    out = np.empty((n, family.dimension), dtype=family.dtype)
    family.fill(out, np.random.default_rng(7))
    x = family.sample(n, np.random.default_rng(7))
    assert out.dtype == x.dtype
    np.testing.assert_array_equal(out, x)


# --- immutability -----------------------------------------------------------------------------------


def test_parameters_cannot_be_replaced(family):
    for field in dataclasses.fields(family):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(family, field.name, None)


def test_parameters_cannot_be_written_to(family):
    for array in family.to_arrays().values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_parameters_do_not_follow_the_users_array():
    mean, matrix, p, table = np.ones(2), np.eye(2), np.full(2, 0.5), np.array([[0.5, 0.5]])
    built = [
        cem.Gaussian(mean, std=mean),
        cem.Gaussian(mean, covariance=matrix),
        cem.Bernoulli(p),
        cem.Categorical(table),
        cem.Exponential(mean),
    ]
    before = [copy.deepcopy(each.to_arrays()) for each in built]
    for array in (mean, matrix, p, table):
        array[...] = 0.125
    for each, arrays in zip(built, before, strict=True):
        for key, value in each.to_arrays().items():
            np.testing.assert_array_equal(value, arrays[key])


def test_fit_and_blend_leave_the_family_and_the_rows_as_they_are(family, other):
    before = copy.deepcopy(family.to_arrays())
    x = family.sample(20, np.random.default_rng(0))
    rows, w = x.copy(), np.linspace(0.1, 1, 20)
    x.flags.writeable = False
    family.fit(x, w)
    family.blend(other, 0.3)
    np.testing.assert_array_equal(x, rows)
    np.testing.assert_array_equal(w, np.linspace(0.1, 1, 20))
    for key, value in family.to_arrays().items():
        np.testing.assert_array_equal(value, before[key])


def test_pickle_keeps_the_family(family):
    again = pickle.loads(pickle.dumps(family))
    assert_same_arrays(again, family)
    assert not any(each.flags.writeable for each in vars(again).values() if isinstance(each, np.ndarray))


# --- writing and reading ----------------------------------------------------------------------------


def test_arrays_rebuild_the_family(family, other):
    for each in (family, family.blend(other, 0.3), family.fit(family.sample(9, np.random.default_rng(1)))):
        assert_same_arrays(type(each).from_arrays(each.to_arrays()), each)


def test_arrays_rebuild_a_moved_table_bit_for_bit():
    """Dividing a table by its sum again changes the last bit; a run that was saved would go another way."""
    rng = np.random.default_rng(0)
    family = cem.Categorical(rng.dirichlet(np.ones(7), size=50))
    for _ in range(20):
        family = family.blend(family.fit(family.sample(13, rng), rng.random(13)), 0.7)
        assert_same_arrays(cem.Categorical.from_arrays(family.to_arrays()), family)


def test_arrays_are_plain(family):
    """They go into an npz file that is read with allow_pickle=False."""
    for array in family.to_arrays().values():
        assert isinstance(array, np.ndarray)
        assert array.dtype != object


# --- fit --------------------------------------------------------------------------------------------


def test_fit_comes_back_to_a_known_family(family):
    """The estimate is consistent: many samples lead back to where they came from."""
    x = family.sample(SMALL, np.random.default_rng(11))
    assert family.kl_divergence(family.fit(x)) < 1e-4


def test_fit_does_not_depend_on_the_scale_of_the_weights(family):
    rng = np.random.default_rng(2)
    x, w = family.sample(30, rng), rng.random(30)
    for scale in (1e-300, 1e-5, 1e5, 1e300):
        assert_close(family.fit(x, w * scale), family.fit(x, w))


def test_whole_weights_are_repetitions(family):
    rng = np.random.default_rng(3)
    x, counts = family.sample(30, rng), rng.integers(1, 4, size=30)
    assert_close(family.fit(x, counts), family.fit(np.repeat(x, counts, axis=0)))


def test_rows_of_weight_zero_do_not_teach(family, other):
    rng = np.random.default_rng(4)
    x = family.sample(30, rng)
    w = np.where(np.arange(30) < 20, rng.random(30), 0.0)
    assert_close(family.fit(x, w), family.fit(x[:20], w[:20]))


def test_no_weights_are_equal_weights(family):
    x = family.sample(30, np.random.default_rng(5))
    assert_close(family.fit(x), family.fit(x, np.full(30, 3.0)))


def test_fit_from_another_start_is_the_same(family, other):
    """The maximum-likelihood fit knows nothing of the distribution that it replaces."""
    x = family.sample(30, np.random.default_rng(6))
    assert_same_arrays(family.fit(x), other.fit(x))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 1.0], r"weights must have shape \(3,\)"),
        ([[1.0], [1.0], [1.0]], r"weights must have shape \(3,\)"),
        ([1.0, -1.0, 1.0], "non-negative"),
        ([0.0, 0.0, 0.0], "not all zero"),
        ([1.0, np.nan, 1.0], "finite"),
        ([1.0, np.inf, 1.0], "finite"),
    ],
)
def test_fit_refuses_weights_that_are_none(family, weights, message):
    x = family.sample(3, np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        family.fit(x, np.array(weights))


def test_fit_refuses_no_rows_and_rows_of_another_length(family):
    with pytest.raises(ValueError, match="at least one row"):
        family.fit(np.empty((0, family.dimension)))
    with pytest.raises(ValueError, match="one a row"):
        family.fit(np.zeros((4, family.dimension + 1)))


# --- blend ------------------------------------------------------------------------------------------


def test_blend_goes_from_one_family_to_the_other(family, other):
    assert_close(family.blend(other, 0.0), family)
    assert_close(family.blend(other, 1.0), other)


@pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan])
def test_blend_refuses_what_is_no_rate(family, other, rate):
    with pytest.raises(ValueError, match=r"lies in \[0, 1\]"):
        family.blend(other, rate)


# --- information ------------------------------------------------------------------------------------


def test_entropy_is_the_mean_surprise(family):
    surprise = -family.log_prob(family.sample(SMALL, np.random.default_rng(8)))
    standard_error = surprise.std() / np.sqrt(SMALL)
    assert 0 < standard_error < 0.01
    assert abs(surprise.mean() - family.entropy()) < 4.5 * standard_error


def test_divergence_is_the_mean_log_ratio(family, other):
    x = family.sample(SMALL, np.random.default_rng(9))
    ratio = family.log_prob(x) - other.log_prob(x)
    standard_error = ratio.std() / np.sqrt(SMALL)
    assert 0 < standard_error < 0.01
    divergence = family.kl_divergence(other)
    assert divergence > 10 * standard_error, "too close to tell the direction"
    assert abs(ratio.mean() - divergence) < 4.5 * standard_error
    assert divergence != pytest.approx(other.kl_divergence(family), rel=1e-3)


def test_divergence_from_itself_is_zero(family):
    assert family.kl_divergence(family) == pytest.approx(0, abs=1e-12)


def test_divergence_needs_two_of_a_kind(family):
    with pytest.raises(TypeError, match="closed form"):
        family.kl_divergence(object())


def test_divergence_needs_one_dimension():
    for small, large in [
        (cem.Gaussian([0], std=1.0), cem.Gaussian([0, 0], std=1.0)),
        (cem.Bernoulli([0.5]), cem.Bernoulli([0.5, 0.5])),
        (cem.Exponential([1.0]), cem.Exponential([1.0, 1.0])),
        (cem.Categorical([[0.5, 0.5]]), cem.Categorical([[0.25, 0.25, 0.5]])),
    ]:
        with pytest.raises(TypeError, match="closed form"):
            small.kl_divergence(large)


def test_the_fit_minimises_the_divergence_from_the_weighted_rows():
    """Gibbs: for the empirical distribution of 0/1 rows, moving away from the fit adds exactly a KL."""
    rng = np.random.default_rng(0)
    x, w = (rng.random((50, 1)) < 0.3).astype(int), rng.random(50)
    fitted, away = cem.Bernoulli([0.5]).fit(x, w), cem.Bernoulli([0.6])
    loss = (w @ fitted.log_prob(x) - w @ away.log_prob(x)) / w.sum()
    assert loss == pytest.approx(fitted.kl_divergence(away), rel=1e-10)


# --- a user's own family ----------------------------------------------------------------------------


class Poisson:
    """Independent Poisson counts, written as a user would: a plain class with the five methods."""

    def __init__(self, rates):
        self.rates = np.maximum(np.asarray(rates, dtype=float), 1e-9)

    def sample(self, size, generator):
        return generator.poisson(self.rates, size=(size, len(self.rates)))

    def log_prob(self, counts):
        terms = special.xlogy(counts, self.rates) - self.rates - special.gammaln(counts + 1.0)
        return terms.sum(axis=1)

    def fit(self, counts, w=None):
        return Poisson(np.average(counts, axis=0, weights=w))

    def blend(self, fitted, share):
        return Poisson((1 - share) * self.rates + share * fitted.rates)

    def entropy(self):
        return float(np.sum(stats.poisson(self.rates).entropy()))


def test_five_methods_make_a_family():
    assert isinstance(Poisson([1.0]), cem.Family)


def test_optimize_takes_a_users_own_family():
    wanted = np.array([3, 0, 12])
    seen = []

    def distance(x):
        seen.append(x)
        return np.abs(x - wanted).sum()

    r = cem.optimize(distance, Poisson([5.0, 5.0, 5.0]), rng=1)
    np.testing.assert_array_equal(r.x, wanted)
    assert r.fun == 0
    assert isinstance(r.family, Poisson)
    assert r.nit == len(r.history) > 1
    assert all(x.dtype == np.int64 and not x.flags.writeable for x in seen)


def test_optimize_takes_a_users_own_family_to_worker_processes():
    """Only the candidates travel; a family defined in a script or a notebook must do."""
    serial = cem.optimize(lambda x: (x - 7.0) @ (x - 7.0), Poisson([4.0, 4.0]), rng=2, max_iterations=5)
    shared = cem.optimize(
        lambda x: (x - 7.0) @ (x - 7.0), Poisson([4.0, 4.0]), rng=2, max_iterations=5, n_jobs=2
    )
    np.testing.assert_array_equal(serial.family.rates, shared.family.rates)


@pytest.mark.parametrize("seed", range(5))
def test_estimate_probability_takes_a_users_own_family(seed):
    """P(X1 + X2 + X3 >= 30) for a sum of rate 8: about 2e-9, exactly scipy's tail."""
    exact = stats.poisson(8.0).sf(29)
    assert 1e-9 < exact < 1e-8
    e = cem.estimate_probability(
        lambda X: X.sum(axis=1), Poisson([1.0, 2.0, 5.0]), level=30, vectorized=True, rng=seed
    )
    assert e.success, e.message
    low, high = e.confidence_interval(0.9999)
    assert low < exact < high
    assert e.coefficient_of_variation <= 0.05
    assert isinstance(e.family, Poisson)


def test_estimate_probability_of_a_lower_tail_by_a_users_own_family():
    exact = stats.poisson(40.0).cdf(12)
    e = cem.estimate_probability(
        lambda x: float(x.sum()), Poisson([20.0, 20.0]), level=12, tail="lower", rng=3
    )
    low, high = e.confidence_interval(0.9999)
    assert low < exact < high
    assert e.probability < 1e-5


def without(method):
    """A Poisson family that lacks one method."""
    namespace = {key: value for key, value in vars(Poisson).items() if key != method and key[0] != "_"}
    return type("Incomplete", (), namespace | {"__init__": Poisson.__init__})


@pytest.mark.parametrize("method", ["sample", "log_prob", "fit", "blend", "entropy"])
def test_a_missing_method_is_told(method):
    incomplete = without(method)([1.0])
    with pytest.raises(TypeError, match=r"sample, log_prob, fit, blend.*entropy"):
        cem.optimize(lambda x: 0.0, incomplete)
    with pytest.raises(TypeError, match=r"sample, log_prob, fit, blend.*entropy"):
        cem.estimate_probability(lambda x: 0.0, incomplete, level=1)


def test_a_class_instead_of_a_family_is_told():
    with pytest.raises(TypeError, match=r"not the class Poisson"):
        cem.optimize(lambda x: 0.0, Poisson)


class Transposed(Poisson):
    def sample(self, n, rng):
        return super().sample(n, rng).T


def test_a_sample_of_the_wrong_shape_is_told():
    with pytest.raises(ValueError, match=r"Transposed\.sample.*one candidate a row"):
        cem.optimize(lambda x: float(x.sum()), Transposed([1.0, 2.0]))
