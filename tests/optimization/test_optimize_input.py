"""`optimize`: problem objects, and what is refused."""

import numpy as np
import pytest
from helpers import Greedy, Recorder, assert_same_run, sphere, sphere_rows, textbook
from scipy.optimize import Bounds

import cem
from cem import Status
from problems.maxcut import MaxCut

# --- arguments that are off -------------------------------------------------------------------------


OFF = {
    "noisy": [False],
    "constraints": [(), []],
    "integrality": [None, False, np.zeros(5)],
    "polish": [None, False],
    "restarts": [None, 0],
    "improve": [None, False],
    "evaluation_timeout": [None],
    "progress": [False],
    "checkpoint": [None],
    "resume": [False],
}


def cases(values):
    return [(name, value) for name, options in values.items() for value in options]


@pytest.mark.parametrize(("name", "value"), cases(OFF))
def test_an_argument_that_is_off_changes_nothing(name, value):
    assert_same_run(textbook(max_iterations=2, **{name: value}), textbook(max_iterations=2))


# --- problem objects --------------------------------------------------------------------------------


class Ones:
    """As many ones as possible."""

    start = cem.Bernoulli([0.5] * 10)
    maximize = True

    def __init__(self):
        self.shapes = set()

    def __call__(self, X):
        self.shapes.add(X.shape)
        return X.sum(axis=1)


class Improved(Ones):
    """With a local search that sets the first two entries, for five evaluations."""

    def __init__(self):
        super().__init__()
        self.improvements = []

    def improve(self, X, scores, rng, effort):
        assert X.flags.writeable
        np.testing.assert_array_equal(scores, X.sum(axis=1), err_msg="not in the user's sign")
        assert isinstance(rng, np.random.Generator)
        self.improvements.append((len(X), effort, rng.random()))
        X[:, :2] = 1
        return X, X.sum(axis=1).astype(float), 5


def test_a_problem_brings_what_is_needed():
    problem = Ones()
    r = cem.optimize(problem, rng=1)
    assert r.fun == 10
    assert r.x.tolist() == [1] * 10
    assert {width for _, width in problem.shapes} == {10}


def test_a_problem_brings_its_bounds():
    class Shifted:
        start = None
        maximize = False
        bounds = ((-1.0, 2.0), (0.0, 1.0))

        def __call__(self, X):
            assert np.all((X >= [-1, 0]) & (X <= [2, 1]))
            return np.sum((X - 0.5) ** 2, axis=1)

    np.testing.assert_allclose(cem.optimize(Shifted(), rng=1).x, 0.5, atol=1e-3)


@pytest.mark.slow
def test_the_problems_sense_may_be_repeated():
    assert_same_run(cem.optimize(Ones(), maximize=True, rng=1), cem.optimize(Ones(), rng=1))


def test_a_sense_against_the_problems_own_is_an_error():
    problem = Ones()
    with pytest.raises(ValueError, match=r"Ones is to be maximised.*maximize=False contradicts"):
        cem.optimize(problem, maximize=False)
    assert problem.shapes == set()


def test_a_start_of_ones_own_for_a_problem():
    start = cem.Bernoulli([0.0] * 5 + [0.5] * 5)
    assert cem.optimize(Ones(), start, rng=1).fun == 5


def test_improvement_is_used_and_counted():
    problem = Improved()
    r = cem.optimize(problem, rng=1, max_iterations=4)
    assert [n for n, _, _ in problem.improvements] == [100] * 4
    assert {effort for _, effort, _ in problem.improvements} == {1}
    assert len({draw for _, _, draw in problem.improvements}) == 4, "a stream of its own for each batch"
    assert r.nfev == 4 * 105
    assert r.history.nfev.tolist() == [105, 210, 315, 420]
    np.testing.assert_array_equal(r.family.p[:2] > 0.98, True)


def test_what_is_improved_teaches_and_is_returned():
    r = cem.optimize(Improved(), rng=1, max_evaluations=3)
    assert r.x[:2].tolist() == [1, 1]
    assert r.fun == r.x.sum()
    assert r.nfev >= 3


@pytest.mark.slow
def test_improvement_can_be_left_out():
    problem = Improved()
    assert_same_run(cem.optimize(problem, improve=False, rng=1), cem.optimize(Ones(), rng=1))
    assert problem.improvements == []


def test_improvement_of_a_plain_function():
    def improve(X, scores, rng, effort):
        assert np.all(scores >= 0)
        X = X / 2
        return X, sphere_rows(X), len(X)

    r = textbook(improve=improve, max_iterations=3)
    assert r.nfev == 600
    assert r.fun < textbook(max_iterations=3).fun
    assert sphere(r.x) == pytest.approx(r.fun)


def test_improvement_repeats_with_the_seed():
    def improve(X, scores, rng, effort):
        Y = X + rng.normal(scale=0.1, size=X.shape)
        better = sphere_rows(Y) < scores
        X[better] = Y[better]
        return X, sphere_rows(X), len(X)

    assert_same_run(textbook(improve=improve), textbook(improve=improve))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda X, scores, rng, effort: (X[:, :2], scores, 0),
        lambda X, scores, rng, effort: (X, scores[:-1], 0),
        lambda X, scores, rng, effort: (X[:-1], scores, 0),
    ],
)
def test_an_improvement_of_the_wrong_shape_is_told(wrong):
    with pytest.raises(ValueError, match="improve must return"):
        textbook(improve=wrong)


@pytest.mark.parametrize("improve", [True, 3, "hard"])
def test_what_cannot_improve_is_told(improve):
    with pytest.raises(TypeError, match="improve must be callable"):
        textbook(improve=improve)


@pytest.mark.parametrize("seed", range(5))
def test_the_planted_cut_is_found(seed):
    problem = MaxCut.planted(200, rng=seed)
    r = cem.optimize(problem, population=1000, elite_fraction=0.1, improve=False, rng=seed)
    assert r.fun == problem.optimum
    assert r.status is Status.CONVERGED
    assert problem.cut_value(r.x) == r.fun
    side = r.x[:100]
    assert np.all(side == side[0])
    assert np.all(r.x[100:] == 1 - side[0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_large_planted_cut_is_found(seed):
    problem = MaxCut.planted(400, rng=seed)
    r = cem.optimize(problem, population=4000, elite_fraction=0.05, improve=False, rng=seed)
    assert r.fun == problem.optimum


# --- bad input --------------------------------------------------------------------------------------


GAUSSIAN = cem.Gaussian([0.0, 0.0], std=1.0)


CORRELATED = cem.Gaussian(np.zeros(5), covariance=np.eye(5))


BAD = {
    "inverted bounds": ({"bounds": [(0, 1), (1, 0)]}, ValueError, "variable 1 are inverted"),
    "NaN bounds": ({"bounds": [(0, 1), (np.nan, 1)]}, ValueError, "variable 1 hold a NaN"),
    "a flat pair": ({"bounds": (0, 1)}, ValueError, "sequence of .low, high. pairs"),
    "rows of bounds": ({"bounds": np.zeros((2, 5))}, ValueError, "sequence of .low, high. pairs"),
    "no bounds": ({"bounds": []}, ValueError, "sequence of .low, high. pairs"),
    "words as bounds": ({"bounds": [("a", "b")]}, TypeError, "bounds must be numbers"),
    "open bounds alone": (
        {"bounds": [(0, 1), (0, np.inf)]},
        ValueError,
        "variable 1 has an infinite bound.*start",
    ),
    "half-open bounds alone": (
        {"bounds": [(None, 1)]},
        ValueError,
        "variable 0 has an infinite bound.*start",
    ),
    "open scipy bounds": ({"bounds": Bounds(0, [1, np.inf])}, ValueError, "variable 1 has an infinite bound"),
    "bounds for a start": (
        {"start": [(-5, 5)] * 5, "bounds": None},
        ValueError,
        "looks like bounds; write bounds=",
    ),
    "one pair for a start": ({"start": [(-5, 5)], "bounds": None}, ValueError, "looks like bounds"),
    "scipy bounds for a start": (
        {"start": Bounds([-5.0], [5.0]), "bounds": None},
        ValueError,
        "looks like bounds; write bounds=",
    ),
    "neither": ({"bounds": None}, ValueError, "say where to search.*bounds=.*start"),
    "start of another size": ({"start": [0.0, 0.0]}, ValueError, "the start has 2 variables, the bounds 5"),
    "family of another size": ({"start": GAUSSIAN}, ValueError, "has 2 variables, the bounds 5"),
    "point outside": ({"start": [0.0] * 4 + [6.0]}, ValueError, "outside the bounds"),
    "family outside": (
        {"start": cem.Gaussian([50.0, 0.0], std=1.0), "bounds": [(-5, 5)] * 2},
        ValueError,
        "contradict each other",
    ),
    "binary family in bounds": (
        {"start": cem.Bernoulli([0.5] * 5)},
        ValueError,
        "Bernoulli are discrete.*leave bounds out",
    ),
    "a NaN point": ({"start": [0.0, np.nan], "bounds": None}, ValueError, "finite numbers"),
    "a word for a start": ({"start": "here", "bounds": None}, TypeError, "start must be a family"),
    "a class for a start": ({"start": cem.Gaussian, "bounds": None}, TypeError, "not the class Gaussian"),
    "elite fraction 0": ({"elite_fraction": 0.0}, ValueError, r"elite_fraction lies in \(0, 1\)"),
    "elite fraction 1": ({"elite_fraction": 1.0}, ValueError, r"elite_fraction lies in \(0, 1\)"),
    "elite fraction 10": ({"elite_fraction": 10}, ValueError, r"elite_fraction lies in \(0, 1\)"),
    "elite fraction NaN": ({"elite_fraction": np.nan}, ValueError, r"elite_fraction lies in \(0, 1\)"),
    "population 0": ({"population": 0}, ValueError, "population must be a positive whole number"),
    "population -1": ({"population": -1}, ValueError, "population must be a positive whole number"),
    "population 10.5": ({"population": 10.5}, ValueError, "population must be a positive whole number"),
    "population True": ({"population": True}, TypeError, "population must be a number"),
    "population of one elite": ({"population": 10}, ValueError, "population of 10 has 1 elites.*at least 2"),
    "population for a covariance": (
        {"start": CORRELATED, "population": 40},
        ValueError,
        "population of 40 has 4 elites.*at least 5.*raise population or elite_fraction",
    ),
    "no evaluations": ({"max_evaluations": 0}, ValueError, "max_evaluations must be a positive whole number"),
    "minus one evaluation": ({"max_evaluations": -1}, ValueError, "max_evaluations"),
    "half an evaluation": ({"max_evaluations": 0.5}, ValueError, "max_evaluations"),
    "NaN evaluations": ({"max_evaluations": np.nan}, ValueError, "max_evaluations"),
    "words of evaluations": ({"max_evaluations": "many"}, TypeError, "max_evaluations must be a number"),
    "no iterations": ({"max_iterations": 0}, ValueError, "max_iterations must be a positive whole number"),
    "minus one iteration": ({"max_iterations": -1}, ValueError, "max_iterations"),
    "no time": ({"max_time": 0}, ValueError, "max_time must be a positive number"),
    "minus one second": ({"max_time": -1.0}, ValueError, "max_time must be a positive number"),
    "NaN seconds": ({"max_time": np.nan}, ValueError, "max_time must be a positive number"),
    "words of time": ({"max_time": "1"}, TypeError, "max_time must be a number"),
    "a NaN target": ({"target": np.nan}, ValueError, "target must be a number, got NaN"),
    "a word for a target": ({"target": "best"}, TypeError, "target must be a number"),
    "a negative tolerance": ({"tol": -1e-9}, ValueError, "tol must be a non-negative number"),
    "a NaN tolerance": ({"tol": np.nan}, ValueError, "tol must be a non-negative number"),
    "an unknown method": ({"method": "best"}, ValueError, "auto.*textbook.*best"),
    "a word for a stream": ({"rng": "1"}, TypeError, "rng must be None"),
    "a float for a stream": ({"rng": 1.0}, TypeError, "rng must be None"),
    "an old stream": ({"rng": np.random.RandomState(1)}, TypeError, "rng must be None.*RandomState"),
    "a negative seed": ({"rng": -1}, ValueError, "rng must be a non-negative int"),
    "a callback that is none": ({"callback": 3}, TypeError, "callback must be callable"),
    "an update that is none": ({"update": 0.7}, TypeError, "update must have init and step"),
    "a fraction for an update without": (
        {"update": Greedy(), "elite_fraction": 0.1},
        ValueError,
        "Greedy takes no",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_before_anything_is_evaluated(case):
    options, error, message = BAD[case]
    fun = Recorder()
    with pytest.raises(error, match=message):
        textbook(fun, **options)
    assert fun.calls == []


@pytest.mark.parametrize("fun", [None, 3, "f"])
def test_an_objective_that_cannot_be_called_is_told(fun):
    with pytest.raises(TypeError, match="fun is the class MaxCut, which describes problems"):
        cem.optimize(MaxCut)
    with pytest.raises(TypeError, match="fun must be callable"):
        textbook(fun)


def test_an_improvement_that_spoils_loses_nothing():
    def spoil(X, scores, rng, effort):
        return np.ones_like(X), np.full(len(X), 99.0), 0

    r = cem.optimize(lambda x: x @ x, bounds=[(-1, 1)] * 2, improve=spoil, max_iterations=2, rng=1)
    assert r.fun < 1
    assert r.fun == r.x @ r.x


def test_a_population_that_no_memory_holds_is_refused():
    for options in ({"elite_fraction": 1e-10}, {"population": 10**11, "method": "textbook"}):
        with pytest.raises(ValueError, match="memory"):
            cem.optimize(lambda x: 0.0, bounds=[(-1, 1)] * 3, max_evaluations=9, **options)
        options.pop("method", None)
        with pytest.raises(ValueError, match="memory"):
            cem.CrossEntropyMethod(bounds=[(-1, 1)] * 3, **options)
