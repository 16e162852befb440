"""The same bits in processes that draw for themselves, on a real Dask cluster and on real Ray."""

import os
import warnings

import joblib
import numpy as np
import pytest

import cem
from cem.core.sampling import Recipe
from cem.core.streams import Streams
from cem.evaluation import Evaluator, Objective
from cem.evaluation.transport import MAPPED_BYTES

BOX = [(-2.0, 3.0)] * 3


def rosenbrock(x):
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def shaky(x, rng):
    return float(x @ x) + 0.1 * rng.standard_normal()


def total(x):
    return float(x.sum())


def totals(X):
    return X.sum(axis=1).astype(float)


class Ones:
    """As many ones as possible, with a local search that sets the first two."""

    start = cem.Bernoulli([0.5] * 10)
    maximize = True

    def __call__(self, X):
        return X.sum(axis=1)

    def improve(self, X, scores, rng, effort):
        X[:, :2] = 1
        return X, X.sum(axis=1).astype(float), 5


RUNS = {
    "the default plan": lambda: cem.optimize(rosenbrock, bounds=BOX, max_evaluations=300, rng=1),
    "SmoothedFit": lambda: cem.optimize(
        rosenbrock, bounds=BOX, update=cem.updates.SmoothedFit(0.7), max_iterations=3, rng=1
    ),
    "restarts": lambda: cem.optimize(
        rosenbrock, bounds=BOX, restarts=1, polish=False, max_evaluations=300, rng=1
    ),
    "a local stage": lambda: cem.optimize(rosenbrock, bounds=BOX, polish=True, max_evaluations=150, rng=1),
    "noisy": lambda: cem.optimize(shaky, bounds=BOX, noisy=True, pass_rng=True, max_evaluations=200, rng=1),
    "improve": lambda: cem.optimize(Ones(), max_evaluations=500, rng=1),
    "a probability": lambda: cem.estimate_probability(
        total, cem.Gaussian([0.0, 0.0], std=1), 4.0, target_cv=0.2, rng=1
    ),
}
PLAIN = ("x", "fun", "nit", "nfev", "status", "message", "probability", "standard_error")


def content(result):
    """What must be the same, as bytes and numbers."""
    values = {name: getattr(result, name) for name in PLAIN if hasattr(result, name)}
    values["x"] = np.asarray(values.get("x", 0.0)).tobytes()
    for column in set(result.history.columns) - {"seconds"}:
        values[column] = getattr(result.history, column).tolist()
    return {name: repr(value) for name, value in values.items()}


@pytest.fixture(scope="module")
def serial():
    return {name: content(run()) for name, run in RUNS.items()}


@pytest.fixture(scope="module")
def dask():
    """A cluster of two processes; its own warnings are not ours."""
    distributed = pytest.importorskip("distributed", reason="needs dask[distributed]: cemkit[dask]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster),
        ):
            yield lambda: joblib.parallel_config("dask")


@pytest.fixture(scope="module")
def ray():
    """Ray with two workers on this machine."""
    ray = pytest.importorskip("ray", reason="needs ray: cemkit[ray]")
    from ray.util.joblib import register_ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        register_ray()
        path = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONPATH": path}},
        )
        yield lambda: joblib.parallel_config("ray", n_jobs=2)
        ray.shutdown()


OVER_DASK = ("the default plan", "a probability")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "name", [each if each in OVER_DASK else pytest.param(each, marks=pytest.mark.slow) for each in RUNS]
)
def test_dask_gives_the_same_bits(name, dask, serial):
    with dask():
        assert joblib.effective_n_jobs() == 2
        assert content(RUNS[name]()) == serial[name]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", RUNS)
def test_ray_gives_the_same_bits(name, ray, serial):
    with ray():
        assert content(RUNS[name]()) == serial[name]


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("name", RUNS)
def test_processes_and_threads_give_the_same_bits(name, backend, serial):
    with joblib.parallel_config(backend, n_jobs=2):
        assert content(RUNS[name]()) == serial[name]


@pytest.mark.parametrize("name", ["SmoothedFit", "improve"])
def test_a_backend_that_answers_all_at_once_gives_the_same_bits(name, serial):
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        assert content(RUNS[name]()) == serial[name]


# --- rows that workers draw for themselves ----------------------------------------------------------


def uneven(x):
    return float(x[::7].sum())


@pytest.mark.parametrize("vectorized", [False, True])
@pytest.mark.parametrize(
    "family",
    [
        cem.Gaussian(np.zeros(3000), std=np.linspace(0.5, 2, 3000)),
        cem.Bernoulli(np.linspace(0, 1, 30_000)),
        cem.Categorical(np.full((3000, 3), 1 / 3)),
        cem.Exponential(np.linspace(0.5, 2, 3000)),
    ],
    ids=lambda family: type(family).__name__,
)
def test_large_candidates_are_drawn_where_they_are_scored(family, vectorized):
    """Through the pipes go the parameters, where they are small; the scores are the serial ones."""
    recipe = Recipe(family, 200, None, Streams(5), 1)
    x = recipe.population()
    objective = Objective(totals if vectorized else uneven, Streams(5), vectorized=vectorized)
    scores = []
    for n_jobs in (1, 2):
        out, done = np.empty(200), np.zeros(200, dtype=bool)
        with Evaluator(objective, n_jobs) as evaluator:
            assert set(evaluator.score(x, 1, out, done, recipe=recipe)) == {None}
        assert done.all()
        scores.append(out)
    np.testing.assert_array_equal(*scores)
    assert evaluator.processes is not None
    assert evaluator.processes.sent + evaluator.processes.received < 2 * MAPPED_BYTES + 20_000
    assert evaluator.processes.mapped < 0.2 * x.nbytes


@pytest.mark.slow
def test_a_whole_run_of_large_candidates_is_the_same():
    options = {"bounds": [(-1, 1)] * 3000, "population": 200, "max_iterations": 2}
    options |= {"method": "textbook", "rng": 1}
    one, two = (cem.optimize(uneven, n_jobs=n, **options) for n in (1, 2))
    assert content(one) == content(two)
