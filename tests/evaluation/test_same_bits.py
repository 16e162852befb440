"""Evaluation: the same bits everywhere, and what can be sent to processes."""

import threading
import time

import joblib
import numpy as np
import pytest
from helpers import BACKENDS, assert_same_run, few_iterations, rosenbrock, scaled

import cem
from cem.evaluation import VECTORISED_NUMBERS


def rosenbrock_rows(X):
    return np.sum(100 * (X[:, 1:] - X[:, :-1] ** 2) ** 2 + (1 - X[:, :-1]) ** 2, axis=1)


def noisy(x, rng):
    return float(x @ x + rng.normal())


def noisy_rows(X, rng):
    return (X**2).sum(axis=1) + rng.normal(size=len(X))


def writes(x):
    x[0] = 0.0
    return 1.0


def writes_through_a_view(x):
    x.reshape(2, 2)[...] = 0.0
    return 1.0


def sorts_in_place(x):
    x.sort()
    return 1.0


def writes_rows(X):
    X *= 2
    return X.sum(axis=1)


def wraps_around(x):
    """2x - 1 in a small unsigned type would be 255 for 0."""
    assert x.dtype == np.int64
    return float((2 * x - 1).sum())


def wraps_around_rows(X):
    assert X.dtype == np.int64
    return (2 * X - 1).sum(axis=1)


# --- the same bits everywhere -----------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
@pytest.mark.parametrize("pass_rng", [False, True], ids=["plain", "pass_rng"])
def test_the_number_of_workers_does_not_matter(backend, n_jobs, pass_rng):
    fun = noisy if pass_rng else rosenbrock
    serial = few_iterations(fun, pass_rng=pass_rng)
    with joblib.parallel_config(backend):
        assert_same_run(few_iterations(fun, pass_rng=pass_rng, n_jobs=n_jobs), serial)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "n_jobs"), [("loky", 1), ("loky", 2), ("threading", 2), ("threading", 3)]
)
@pytest.mark.parametrize("pass_rng", [False, True], ids=["plain", "pass_rng"])
def test_the_number_of_workers_does_not_matter_to_vectorised_calls(backend, n_jobs, pass_rng):
    """A population of several calls: 2,000 rows of 300 numbers are more than one call takes."""
    fun = noisy_rows if pass_rng else rosenbrock_rows
    options = {"bounds": [(-2, 3)] * 300, "population": 2000, "max_iterations": 2, "vectorized": True}
    assert options["population"] * 300 > 2 * VECTORISED_NUMBERS
    serial = few_iterations(fun, pass_rng=pass_rng, **options)
    with joblib.parallel_config(backend):
        assert_same_run(few_iterations(fun, pass_rng=pass_rng, n_jobs=n_jobs, **options), serial)


def test_a_whole_run_with_its_confirmation_is_the_same_in_parallel():
    options = {"args": (2.0,), "max_iterations": None}
    serial = few_iterations(scaled, **options)
    assert serial.status is cem.Status.CONVERGED
    with joblib.parallel_config("threading"):
        assert_same_run(few_iterations(scaled, n_jobs=3, **options), serial)


def test_vectorised_scores_are_those_of_single_rows():
    serial, together = few_iterations(rosenbrock), few_iterations(rosenbrock_rows, vectorized=True)
    np.testing.assert_allclose(serial.history.level, together.history.level, rtol=1e-12)
    np.testing.assert_allclose(serial.x, together.x, rtol=1e-9)


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_estimates_do_not_depend_on_the_number_of_workers(n_jobs):
    def estimate(**options):
        return cem.estimate_probability(np.sum, cem.Exponential([1.0, 1.0]), level=12, rng=1, **options)

    serial = estimate()
    with joblib.parallel_config("threading"):
        shared = estimate(n_jobs=n_jobs)
    assert serial.probability == shared.probability
    assert serial.nfev == shared.nfev
    np.testing.assert_array_equal(serial.failure_samples().x, shared.failure_samples().x)


def test_each_candidate_has_a_stream_of_its_own():
    draws = []
    few_iterations(
        lambda x, rng: draws.append(rng.random()) or float(x @ x),
        pass_rng=True,
        max_iterations=3,
        method="textbook",
    )
    assert len(draws) == 300
    assert len(set(draws)) == 300


def test_the_objectives_stream_does_not_move_the_samplers():
    """However much an objective draws, the candidates stay the same."""

    def greedy(x, rng):
        rng.random(17)
        return rosenbrock(x)

    assert_same_run(few_iterations(greedy, pass_rng=True), few_iterations(rosenbrock))


# --- joblib's configuration -------------------------------------------------------------------------


def threads_used(**options):
    names = set()

    def sees(x):
        names.add(threading.current_thread().name)
        time.sleep(1e-4)
        return float(x @ x)

    few_iterations(sees, max_iterations=2, **options)
    return names


def test_serial_is_the_default():
    assert threads_used() == {threading.current_thread().name}


def test_the_configuration_of_joblib_is_inherited():
    with joblib.parallel_config("threading", n_jobs=2):
        names = threads_used()
    assert threading.current_thread().name not in names
    assert len(names) == 2


def test_an_explicit_one_does_not_inherit():
    with joblib.parallel_config("threading", n_jobs=2):
        assert threads_used(n_jobs=1) == {threading.current_thread().name}


def test_an_explicit_number_of_workers_takes_the_backend_that_is_configured():
    with joblib.parallel_config("threading"):
        assert threading.current_thread().name not in threads_used(n_jobs=2)


# --- what can be sent to processes ------------------------------------------------------------------


def test_lambdas_and_closures_go_to_processes():
    centre = np.array([1.0, 0.0, -1.0, 0.5])
    assert_same_run(
        few_iterations(lambda x: float(((x - centre) ** 2).sum()), n_jobs=2),
        few_iterations(lambda x: float(((x - centre) ** 2).sum())),
    )


def with_a_lock():
    lock = threading.Lock()

    def locked(x):
        with lock:
            return float(x @ x)

    return locked


def test_a_lock_cannot_go_to_processes_and_the_message_says_what_can_be_done():
    with pytest.raises(TypeError, match=r"(?s)another process.*module level.*thread"):
        few_iterations(with_a_lock(), n_jobs=2)


def test_a_lock_in_the_arguments_is_told_too():
    with pytest.raises(TypeError, match=r"(?s)another process.*thread"):
        few_iterations(scaled, args=(threading.Lock(),), n_jobs=2)


def test_a_lock_works_with_threads():
    with joblib.parallel_config("threading"):
        assert_same_run(few_iterations(with_a_lock(), n_jobs=2), few_iterations(with_a_lock()))


class Picky:
    """Raises a TypeError that speaks of pickles: the objective's own trouble, not the package's."""

    def __call__(self, x):
        raise TypeError("cannot pickle the cucumber")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_objective_may_speak_of_pickles(n_jobs):
    with joblib.parallel_config("threading"), pytest.raises(cem.ObjectiveError, match="cucumber"):
        few_iterations(Picky(), n_jobs=n_jobs)


# --- rows are read-only and int64 -------------------------------------------------------------------


def assert_refuses_to_be_written(fun, **options):
    with pytest.raises(cem.ObjectiveError, match="read-only") as caught:
        few_iterations(fun, **options)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("fun", [writes, writes_through_a_view, sorts_in_place])
def test_rows_are_read_only(fun):
    assert_refuses_to_be_written(fun)


@pytest.mark.parametrize("fun", [writes, writes_through_a_view, sorts_in_place])
def test_rows_are_read_only_in_threads(fun):
    with joblib.parallel_config("threading"):
        assert_refuses_to_be_written(fun, n_jobs=2)


def test_rows_are_read_only_in_processes():
    assert_refuses_to_be_written(writes, n_jobs=2)


def test_rows_are_read_only_when_vectorised():
    assert_refuses_to_be_written(writes_rows, vectorized=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_are_read_only_when_vectorised_in_parallel(backend):
    with joblib.parallel_config(backend):
        assert_refuses_to_be_written(
            writes_rows, vectorized=True, n_jobs=2, bounds=[(0, 1)] * 300, population=2000
        )


@pytest.mark.parametrize(
    "family", [cem.Bernoulli([0.5] * 4), cem.Categorical([[0.5, 0.5]] * 4)], ids=["Bernoulli", "Categorical"]
)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_discrete_candidates_come_as_int64(family, n_jobs):
    r = few_iterations(wraps_around, start=family, bounds=None, n_jobs=n_jobs)
    assert r.fun == -4
    assert r.x.dtype == np.int64


def test_discrete_candidates_are_read_only():
    """Also the copy in int64 that is made of small types."""
    assert_refuses_to_be_written(writes, start=cem.Bernoulli([0.5] * 4), bounds=None)


def test_discrete_candidates_come_as_int64_when_vectorised():
    family = cem.Bernoulli([0.5] * 4)
    assert few_iterations(wraps_around_rows, start=family, bounds=None, vectorized=True).fun == -4
    assert_refuses_to_be_written(writes_rows, start=family, bounds=None, vectorized=True)


def test_a_callback_sees_int64():
    seen = []
    few_iterations(
        wraps_around,
        start=cem.Bernoulli([0.5] * 4),
        bounds=None,
        callback=lambda intermediate_result: seen.append(intermediate_result.population.dtype),
    )
    assert set(seen) == {np.dtype(np.int64)}


class Compact:
    """A problem object that knows how to handle one byte a position."""

    start = cem.Bernoulli([0.5] * 4)
    maximize = True
    compact = True

    def __init__(self):
        self.dtypes = set()

    def __call__(self, X):
        self.dtypes.add(X.dtype)
        return X.sum(axis=1, dtype=np.int64)


def test_a_problem_may_ask_for_compact_candidates():
    problem = Compact()
    r = cem.optimize(problem, rng=1)
    assert problem.dtypes == {np.dtype(np.uint8)}
    assert r.fun == 4
    assert r.x.dtype == np.int64


def test_an_objective_that_keeps_its_rows_keeps_what_it_saw():
    kept, copies = [], []

    def keeps(x):
        kept.append(x)
        copies.append(x.copy())
        return float(x @ x)

    few_iterations(keeps)
    np.testing.assert_array_equal(kept, copies)
