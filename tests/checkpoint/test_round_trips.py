"""What is saved comes back to the last bit: every family, at random parameters, and what follows."""

import numpy as np
import pytest

import cem
from cem import families

SEEDS = range(15)


def shares(rng, n):
    return rng.dirichlet(np.full(n, 0.7)) + 1e-9


def positive(rng, *shape):
    """Return numbers over many magnitudes."""
    return np.exp(rng.normal(scale=3, size=shape))


def covariance(rng, d):
    a = rng.normal(size=(d, d + 1))
    return a @ a.T


def gaussian(rng, d):
    mean = rng.normal(scale=5, size=d)
    return (
        cem.Gaussian(mean, covariance=covariance(rng, d))
        if d % 2
        else cem.Gaussian(mean, std=positive(rng, d))
    )


def gaussian_mixture(rng, d):
    k, r = int(rng.integers(1, 6)), int(rng.integers(0, d + 1))
    axes = np.stack([np.linalg.qr(rng.normal(size=(d, d)))[0][:, :r] for _ in range(k)])
    shape = (shares(rng, k), rng.normal(size=(k, d)), positive(rng, k, d))
    return (
        families.GaussianMixture(*shape, axes, positive(rng, k, r)) if r else families.GaussianMixture(*shape)
    )


def bernoulli_tree(rng, d):
    parents = np.array([-1, *(int(rng.integers(-1, i)) for i in range(1, d))])
    conditionals = rng.random((d, 2))
    conditionals[parents == -1, 1] = conditionals[parents == -1, 0]
    return families.BernoulliTree(parents, conditionals)


def low_rank(rng, d):
    vectors = rng.normal(size=(2, d))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return families.LowRankGaussian(rng.normal(size=d), positive(rng, d), vectors, rng.uniform(-0.9, 3, 2))


def tables(rng, d):
    return [rng.dirichlet(np.ones(int(rng.integers(2, 5)))) for _ in range(d)]


def categorical_mixture(rng, d):
    k = int(rng.integers(1, 5))
    return families.CategoricalMixture(shares(rng, k), [rng.dirichlet(np.ones(3), size=d) for _ in range(k)])


def direction(rng, d):
    number = positive(rng, 3)
    return cem.VonMisesFisherNakagami(rng.normal(size=d), number[0], 0.5 + number[1], number[2])


MAKERS = {
    "Gaussian": gaussian,
    "FactoredGaussian": lambda rng, d: families.FactoredGaussian(
        rng.normal(size=d), np.tril(rng.normal(size=(d, d)), -1) + np.diag(positive(rng, d))
    ),
    "LowRankGaussian": low_rank,
    "GaussianMixture": gaussian_mixture,
    "Bernoulli": lambda rng, d: cem.Bernoulli(rng.random(d)),
    "BernoulliMixture": lambda rng, d: families.BernoulliMixture(shares(rng, 3), rng.random((3, d))),
    "BernoulliTree": bernoulli_tree,
    "Categorical": lambda rng, d: cem.Categorical(tables(rng, d)),
    "CategoricalMixture": categorical_mixture,
    "LinkageTree": lambda rng, d: families.LinkageTree(rng.integers(0, 3, size=(7, d)), positive(rng, 7)),
    "Permutation": lambda rng, d: cem.Permutation(
        d, "position" if d % 2 else "transition", positive(rng, d + 1 - d % 2, d)
    ),
    "Product": lambda rng, d: cem.Product(numbers=gaussian(rng, d), labels=cem.Categorical(tables(rng, d))),
    "Exponential": lambda rng, d: cem.Exponential(positive(rng, d)),
    "Gamma": lambda rng, d: cem.Gamma(positive(rng, d), positive(rng, d)),
    "VonMisesFisherNakagami": direction,
}
UNSAVED = {"MarkovPath"}  # which is made of the user's functions


def test_every_family_is_tried():
    offered = {name for name in families.__all__ if name != "Family"}
    assert offered == MAKERS.keys() | UNSAVED


def bits(arrays):
    return {name: (each.shape, each.dtype.str, each.tobytes()) for name, each in arrays.items()}


@pytest.mark.parametrize("name", MAKERS)
def test_a_familys_arrays_come_back_to_the_last_bit(name):
    """Also of what it was fitted and blended to."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        family = MAKERS[name](rng, int(rng.integers(2, 7)))
        x = family.sample(40, rng)
        fitted = family.fit(x, rng.random(len(x)))
        for each in (family, fitted, family.blend(fitted, 0.7), fitted.blend(family, 0.3)):
            again = type(each).from_arrays(each.to_arrays())
            assert bits(again.to_arrays()) == bits(each.to_arrays()), seed
            twice = type(again).from_arrays(again.to_arrays())
            assert bits(twice.to_arrays()) == bits(each.to_arrays()), seed
            np.testing.assert_array_equal(
                again.sample(20, np.random.default_rng(1)), each.sample(20, np.random.default_rng(1))
            )
            np.testing.assert_array_equal(again.log_prob(x), each.log_prob(x))
            assert again.entropy() == each.entropy() or np.isnan(each.entropy())


def facts(m):
    """Return all that is known of a method, but the times, as text and bytes."""
    history = {name: each.tobytes() for name, each in m.history.to_arrays().items() if name != "seconds"}
    x = None if m.best_x is None else (m.best_x.dtype.str, m.best_x.tobytes())
    return bits(m.family.to_arrays()), history, x, repr(m.best_fun), m.stop_reason()


@pytest.mark.parametrize("name", sorted(MAKERS.keys() - {"Product"}))  # whose names are told to `load` again
def test_a_saved_method_goes_on_as_if_it_had_not_been(tmp_path, name):
    """However often it is saved and loaded on the way."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        start = MAKERS[name](rng, int(rng.integers(2, 7)))
        stays, moves = (
            cem.CrossEntropyMethod(start, population=100, rng=seed, update=cem.updates.SmoothedFit(0.7))
            for _ in range(2)
        )
        for _ in range(4):
            moves.save(tmp_path / "state")
            moves = cem.CrossEntropyMethod.load(tmp_path / "state")
            x = stays.ask()
            np.testing.assert_array_equal(moves.ask(), x)
            for m in (stays, moves):
                m.tell(x, np.cos(x.sum(axis=1)) + 1e-3 * x[:, 0])
            assert facts(moves) == facts(stays), seed


@pytest.mark.parametrize("update", [cem.updates.PathAdaptation(), cem.updates.SmoothedFit(), None])
@pytest.mark.parametrize("d", [2, 12])
def test_a_saved_update_goes_on_as_if_it_had_not_been(tmp_path, update, d):
    stays, moves = (cem.CrossEntropyMethod(bounds=[(-5, 5)] * d, update=update, rng=1) for _ in range(2))
    for _ in range(6):
        moves.save(tmp_path / "state")
        moves = cem.CrossEntropyMethod.load(tmp_path / "state")
        x = stays.ask()
        np.testing.assert_array_equal(moves.ask(), x)
        for m in (stays, moves):
            m.tell(x, (x**2).sum(axis=1))
        assert facts(moves) == facts(stays)


@pytest.mark.parametrize(
    "kinds", [(), (cem.Bernoulli(np.full(12, 0.3)), bernoulli_tree(np.random.default_rng(1), 12))]
)
def test_a_saved_archive_goes_on_as_if_it_had_not_been(tmp_path, kinds):
    start = cem.Bernoulli(np.full(12, 0.5))
    update = cem.updates.EliteArchive(kinds)
    stays, moves = (cem.CrossEntropyMethod(start, population=100, update=update, rng=1) for _ in range(2))
    for _ in range(6):
        moves.save(tmp_path / "state")
        moves = cem.CrossEntropyMethod.load(tmp_path / "state")
        x = stays.ask()
        np.testing.assert_array_equal(moves.ask(), x)
        for m in (stays, moves):
            m.tell(x, x.sum(axis=1) + 0.1 * x[:, 0])
        assert facts(moves) == facts(stays)


@pytest.mark.parametrize("name", MAKERS)
def test_a_familys_arrays_made_by_hand_are_told(tmp_path, name):
    """A missing one, one too many, and a wrong shape."""
    rng = np.random.default_rng(1)
    family = MAKERS[name](rng, 4)
    arrays = family.to_arrays()

    class Edited(type(family)):
        """Writes other arrays than it has."""

        def to_arrays(self):
            return self.edited

    Edited.__name__ = type(family).__name__
    start, update = Edited.from_arrays(arrays), cem.updates.SmoothedFit(0.7)
    m = cem.CrossEntropyMethod(start, population=100, rng=1, update=update)
    unneeded = {
        "edges",
        "symmetric",
        "log_volume",
        "axes",
        "stretches",
        "weights",
        "categories",
        "merges",
        "distances",
    }
    cases = [
        {key: each for key, each in arrays.items() if key != left_out}
        for left_out in arrays.keys() - unneeded
    ]
    cases += [
        arrays | {key: np.full(each.shape, np.nan)}
        for key, each in arrays.items()
        if each.dtype.kind == "f" and each.ndim
    ]
    cases += [arrays | {key: np.zeros((3, *each.shape, 2))} for key, each in arrays.items() if each.ndim]
    for case in cases:
        Edited.edited = case
        m.save(tmp_path / "state")
        with pytest.raises(ValueError, match="damaged or incomplete"):
            cem.CrossEntropyMethod.load(tmp_path / "state")


def test_an_update_that_holds_something_else_is_told(tmp_path):
    m = cem.CrossEntropyMethod(
        cem.Bernoulli(np.full(12, 0.5)), population=50, update=cem.updates.EliteArchive((print,)), rng=1
    )
    with pytest.raises(TypeError, match=r"EliteArchive cannot be saved: kinds.0 is a builtin_function"):
        m.save(tmp_path / "state")
