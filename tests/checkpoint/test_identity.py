"""A run goes on with the function it was of, and with no other: told by its content, or by asking again."""

import functools

import numpy as np
import pytest
from checkpoint_helpers import SQUARE, Weighted, at_least, optimize_square
from helpers import sphere, total
from scipy import stats

import cem


class Slotted:
    __slots__ = ("weight",)

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, x):
        return float(self.weight * (x**2).sum())

    def score(self, x):
        return self(x)


def scaled(weight):
    def function(x):
        return float(weight * (x**2).sum())

    return function


def shifted(x, by):
    return float(((x - by) ** 2).sum())


def calling(x, function):
    return function(x)


def improve_by(factor):
    def improve(X, scores, rng, effort):
        return X * factor, (factor**2) * scores, 0

    return improve


def own_update(rate):
    class Own:
        def init(self, start):
            return cem.updates.SmoothedFit(rate).init(start)

        def step(self, state, batch):
            return cem.updates.SmoothedFit(rate).step(state, batch)

    return Own()


OTHERS = {
    "a float attribute": lambda k: {"fun": Weighted(k)},
    "slots": lambda k: {"fun": Slotted(k)},
    "a bound method": lambda k: {"fun": Slotted(k).score},
    "a closure": lambda k: {"fun": scaled(k)},
    "a lambda": lambda k: {
        "fun": (lambda x: float((x**2).sum())) if k == 1 else (lambda x: float(abs(x).sum()))
    },
    "a default": lambda k: {"fun": lambda x, k=k: float(k * (x**2).sum())},
    "a partial": lambda k: {"fun": functools.partial(shifted, by=k)},
    "args": lambda k: {"fun": shifted, "args": (k,)},
    "a function in args": lambda k: {"fun": calling, "args": (scaled(k),)},
    "an object in args": lambda k: {"fun": calling, "args": (Slotted(k),)},
    "an improvement": lambda k: {"fun": sphere, "improve": improve_by(1 / k)},
    "constraints": lambda k: {"fun": sphere, "constraints": at_least(k - 1.5)},
    "an update": lambda k: {"fun": sphere, "method": "textbook", "update": own_update(k / 2)},
    "a wrapped one": lambda k: {"fun": functools.wraps(sphere)(scaled(k))},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_another_function_is_refused_and_the_same_goes_on(path, kind):
    def stop(intermediate_result):
        raise KeyboardInterrupt

    make = OTHERS[kind]
    first, other, again = make(1.0), make(2.0), make(1.0)
    optimize_square(path=path, callback=stop, **first)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"other arguments: .*(was|changed).*Nothing is lost"):
        optimize_square(path=path, resume=True, **other)
    assert path.read_bytes() == before
    result = optimize_square(path=path, resume=True, **again)
    assert result.fun == cem.optimize(**make(1.0), bounds=SQUARE, max_evaluations=300, rng=3).fun


class Ramp(stats.rv_continuous):
    def _cdf(self, x):
        return x**2

    def _ppf(self, p):
        return p ** (1 / 2)


class Steep(stats.rv_continuous):
    def _cdf(self, x):
        return x**6

    def _ppf(self, p):
        return p ** (1 / 6)


def histogram(k):
    return stats.rv_histogram((np.array([1, 2, k]), np.array([0.0, 1.0, 2.0, 3.0])))()


INPUTS = {
    "rv_discrete": lambda k: [stats.rv_discrete(values=([0, 1, 5], [0.9 - 0.1 * k, 0.1 * k, 0.1]))()] * 2,
    "rv_histogram": lambda k: [histogram(k)] * 2,
    "an own one": lambda k: [(Ramp if k == 1 else Steep)(a=0, b=1, name="own")()] * 2,
    "its parameters": lambda k: [stats.gamma(k)] * 2,
    "joined ones": lambda k: cem.JointInputs([histogram(k)] * 2, [[1, 0.3], [0.3, 1]]),
    "their correlation": lambda k: cem.JointInputs([stats.norm()] * 2, [[1, 0.3 * k], [0.3 * k, 1]]),
    "a family": lambda k: cem.Gaussian([0.0, 0.0], std=k),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_other_inputs_are_refused(path, kind):
    def estimate(k, **kept):
        options = {"method": "multilevel", "max_evaluations": 1000, "rng": 1}
        return cem.estimate_probability(total, INPUTS[kind](k), 1.5, **options, **kept)

    first = estimate(1, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"other arguments: inputs.*(was|changed).*Nothing is lost"):
        estimate(2, checkpoint=path, resume=True)
    assert path.read_bytes() == before
    assert estimate(1, checkpoint=path, resume=True).probability == first.probability


def test_counters_and_logs_are_no_difference(path):
    """In another process they begin anew, in this one where they stopped."""
    expected = cem.optimize(Weighted(1.0), bounds=SQUARE, max_evaluations=300, rng=3)
    fun = Weighted(1.0)
    optimize_square(fun, path, max_evaluations=100)
    for later in (Weighted(1.0), fun):
        result = optimize_square(later, path, resume=True)
        assert (result.fun, result.nfev) == (expected.fun, expected.nfev)
    fun.weight = 2.0
    with pytest.raises(ValueError, match=r"function.weight was 1.0 and is now 2.0"):
        optimize_square(fun, path, resume=True)


def test_a_function_that_was_called_before_the_run_goes_on_in_another_process(path):
    fun = Weighted(1.0)
    fun(np.zeros(2))
    first = optimize_square(fun, path)
    assert optimize_square(Weighted(1.0), path, resume=True).fun == first.fun


def test_where_counters_differ_a_candidate_is_asked_again(path):
    fun = Weighted(1.0)
    optimize_square(fun, path)
    calls = fun.calls
    optimize_square(fun, path, resume=True)
    assert fun.calls == calls + 3  # the first batch has one row, which cannot tell, the next is asked too
    fresh = Weighted(1.0)
    optimize_square(fresh, path, resume=True, max_evaluations=300)
    assert fresh.calls == 3  # those of the run before it began where that had stopped


class Worn(Weighted):
    """Becomes another function as it is called."""

    def __call__(self, x):
        self.weight *= 1.5 if self.calls < 5 else 1.0
        return super().__call__(x)


def test_what_changes_as_it_is_called_and_answers_otherwise_is_refused(path):
    fun = Worn(1.0)
    optimize_square(fun, path)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=r"run of another function: kept candidates were scored .* and are now"
    ):
        optimize_square(fun, path, resume=True)
    assert path.read_bytes() == before
