"""Whole numbers of few values: searched as labels, shown as the numbers that they are."""

import numpy as np
import pytest
from helpers import assert_same_run

import cem

N = 20
WHOLE = np.ones(N)
BOX = [(3, 4)] * N


def traps(codes):
    """Return the loss of deceptive blocks of four bits, the best at ones."""
    ones = codes.reshape(-1, 4).sum(axis=1)
    return float(np.where(ones == 4, 0, 1 + ones).sum())


def of_box(x):
    assert x.dtype == np.float64
    assert set(np.unique(x)) <= {3.0, 4.0}
    return traps(x - 3)


def test_they_are_searched_as_labels_are():
    r = cem.optimize(of_box, bounds=BOX, integrality=WHOLE, max_evaluations=4000, rng=2)
    labels = cem.optimize(traps, cem.Categorical(np.full((N, 2), 0.5)), max_evaluations=4000, rng=2)
    assert r.fun == labels.fun == 0
    assert r.nfev == labels.nfev
    assert r.x.tolist() == (labels.x + 3).tolist()
    assert r.x.dtype == np.float64
    assert set(r.history.stage) == {"strings"}


def test_the_distribution_is_over_the_numbers_and_a_start():
    r = cem.optimize(lambda x: float(x.sum()), bounds=BOX, integrality=WHOLE, max_evaluations=400, rng=2)
    assert isinstance(r.family, cem.Gaussian)
    assert np.abs(r.family.mean - r.x).max() < 0.5
    again = cem.optimize(of_box, r.family, bounds=BOX, integrality=WHOLE, max_evaluations=100, rng=2)
    assert "strings" not in again.history.stage


def test_bounds_of_any_kind_and_fixed_numbers():
    bounds = [(-2.5, 0.4), (7, 7), (10, 11)] * 4  # -2, -1 and 0; 7; 10 and 11
    seen = set()

    def f(x):
        seen.add(tuple(x[:3]))
        return float(x.sum())

    r = cem.optimize(f, bounds=bounds, integrality=np.ones(12), max_evaluations=600, rng=1)
    assert r.x.tolist() == [-2, 7, 10] * 4
    assert {row[0] for row in seen} <= {-2.0, -1.0, 0.0}
    assert {row[1:] for row in seen} <= {(7.0, 10.0), (7.0, 11.0)}


def test_a_small_box_is_seen_whole():
    r = cem.optimize(lambda x: float(x.sum()), bounds=[(1, 3)] * 4, integrality=np.ones(4), rng=1)
    assert (r.nfev, r.status, r.x.tolist()) == (81, cem.Status.CONVERGED, [1.0] * 4)


@pytest.mark.parametrize(
    "arguments",
    [
        {"bounds": [(0, 9)] * N},
        {"bounds": [(0, 1)] * (N - 1) + [(0, 9)]},
        {"bounds": [(0, 1)] * N, "start": np.zeros(N)},
        {"bounds": [(0, 1)] * N, "polish": False},
        {"bounds": [(0, 1)] * N, "method": "textbook"},
        {"bounds": [(0, 1)] * N, "noisy": True},
        {"bounds": [(0, 1)] * N, "integrality": np.arange(N) > 0},
    ],
)
def test_what_says_more_is_searched_as_numbers(arguments):
    given = {"integrality": WHOLE} | arguments
    r = cem.optimize(lambda x: float(x.sum()), max_evaluations=300, rng=1, **given)
    assert "strings" not in r.history.stage


def test_numbers_and_choices_with_names():
    numbers, choices = [f"n{i}" for i in range(10)], [f"c{i}" for i in range(10)]
    space = cem.Space(
        dict.fromkeys(numbers, cem.Integer(1, 2)) | dict.fromkeys(choices, cem.Choice(["a", "b"]))
    )

    def f(candidate):
        bits = [candidate[name] == 2 for name in numbers] + [candidate[name] == "b" for name in choices]
        return traps(np.array(bits, dtype=float))

    r = cem.optimize(f, space, max_evaluations=4000, rng=1)
    assert r.fun == 0
    assert r.x == dict.fromkeys(numbers, 2) | dict.fromkeys(choices, "b")
    assert set(r.history.stage) == {"strings"}
    assert cem.optimize(f, r.family, bounds=space, max_evaluations=100, rng=1).nfev == 100


def test_workers_a_break_and_a_callback_change_nothing(tmp_path):
    path, seen = tmp_path / "run", []
    given = {"bounds": BOX, "integrality": WHOLE, "rng": 5, "max_evaluations": 300}
    once = cem.optimize(
        of_box, **given, callback=lambda intermediate_result: seen.append(intermediate_result)
    )
    assert_same_run(once, cem.optimize(of_box, **given, n_jobs=2))
    cem.optimize(of_box, **(given | {"max_evaluations": 200}), checkpoint=path)
    assert_same_run(once, cem.optimize(of_box, **given, checkpoint=path, resume=True))
    assert set(np.unique(seen[-1].population)) <= {3.0, 4.0}
    assert all(isinstance(each.family, cem.Gaussian) for each in seen)


def test_noise_that_nobody_spoke_of_is_told():
    noise = np.random.default_rng(0)
    r = cem.optimize(lambda x: x.sum() + 1e-3 * noise.random(), bounds=BOX, integrality=WHOLE, rng=1)
    assert not r.success
    assert "noisy" in r.message
