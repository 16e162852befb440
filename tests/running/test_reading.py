"""What users write and how it is read: flags, numbers, bounds, keywords, masks, numbers beyond floats."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import Bounds, NonlinearConstraint

import cem


def sphere(x):
    return float((x**2).sum())


BOX = {"bounds": [(-1, 1)] * 2, "max_evaluations": 60, "rng": 1}
NORMAL = cem.Gaussian([0.0, 0.0], std=1)

# --- keywords ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("seed", "rng=…"),
        ("random_state", "rng=…"),
        ("maxiter", "max_iterations=…"),
        ("maxfev", "max_evaluations=…"),
        ("popsize", "population=…"),
        ("direction", "maximize=True or False"),
        ("verbose", "progress=…"),
        ("workers", "n_jobs=…"),
        ("max_evaluation", "max_evaluations=…"),
    ],
)
def test_names_from_elsewhere_are_answered_with_ours(theirs, ours):
    with pytest.raises(TypeError, match=rf"^optimize\(\).*'{theirs}' \(here it is {ours}\)$"):
        cem.optimize(sphere, **BOX, **{theirs: 1})


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda **k: cem.estimate_probability(np.sum, NORMAL, 3, **k), "estimate_probability"),
        (lambda **k: cem.estimate_quantile(np.sum, NORMAL, 1e-3, **k), "estimate_quantile"),
        (lambda **k: cem.CrossEntropyMethod(NORMAL, **k), "CrossEntropyMethod"),
    ],
)
def test_every_front_door_answers(call, named):
    with pytest.raises(TypeError, match=rf"^{named}\(\) got.*'seed' \(here it is rng=…\)$"):
        call(seed=1)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("maxiter", "here it is max_evaluations=…"),
        ("direction", "here it is tail='upper' or 'lower'"),
        ("tol", "here it is target_cv=…"),
        ("func", "here it is performance=…"),
        ("popsize", "batches are as large as the method needs; max_evaluations=… limits them all"),
        ("confidence_level", r"the result has confidence_interval\(confidence_level\)"),
    ],
)
def test_an_estimate_answers_with_what_it_has_instead(theirs, ours):
    with pytest.raises(TypeError, match=rf"'{theirs}' \({ours}\)$"):
        cem.estimate_probability(np.sum, NORMAL, 3, **{theirs: 1})


@pytest.mark.parametrize("theirs", ["maxiter", "n_jobs", "callback", "tol", "timeout"])
def test_who_asks_and_tells_has_the_loop(theirs):
    with pytest.raises(TypeError, match=rf"'{theirs}' \(the loop is yours"):
        cem.CrossEntropyMethod(NORMAL, **{theirs: 1})


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("sigma0", "here it is start=…"),
        ("options", "what it holds are keywords"),
        ("alpha", "here it is update=…"),
    ],
)
def test_an_optimisation_answers_in_words_too(theirs, ours):
    with pytest.raises(TypeError, match=rf"'{theirs}' \({ours}"):
        cem.optimize(sphere, **BOX, **{theirs: 1})


def test_a_name_that_means_nothing_is_refused_without_advice():
    with pytest.raises(TypeError, match=r"keyword argument 'colour'$"):
        cem.optimize(sphere, colour="red")


# --- flags and numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["maximize", "vectorized", "noisy", "pass_rng"])
@pytest.mark.parametrize("value", ["yes", "False", 2, 0.0])
def test_flags_are_true_or_false(name, value):
    with pytest.raises(TypeError, match=rf"{name} must be True or False, got"):
        cem.optimize(sphere, **BOX, **{name: value})


@pytest.mark.parametrize("value", ["yes", 1])
def test_flags_of_the_others(value):
    with pytest.raises(TypeError, match="maximize must be True or False"):
        cem.CrossEntropyMethod(NORMAL, maximize=value)
    with pytest.raises(TypeError, match="vectorized must be True or False"):
        cem.estimate_probability(np.sum, NORMAL, 3, vectorized=value)
    with pytest.raises(TypeError, match="pass_rng must be True or False"):
        cem.estimate_quantile(np.sum, NORMAL, 1e-3, pass_rng=value)


def test_numpys_flags_are_flags():
    a, b = (cem.optimize(sphere, **BOX, maximize=flag) for flag in (True, np.True_))
    assert a.fun == b.fun


@pytest.mark.parametrize("level", ["5", b"5", True, None, [5]])
def test_a_level_is_a_number(level):
    with pytest.raises((TypeError, ValueError), match="level"):
        cem.estimate_probability(np.sum, NORMAL, level)


@pytest.mark.parametrize("name", ["max_evaluations", "max_iterations"])
def test_limits_beyond_floats_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be a positive whole number"):
        cem.optimize(sphere, bounds=[(-1, 1)], **{name: 10**400})


def rows_seen(**options):
    """Return what `fun` was called with."""
    seen = []
    cem.optimize(lambda x: seen.append(x) or sphere(x), rng=1, **options)
    return np.array(seen)


# --- bounds -----------------------------------------------------------------------------------------


def test_bounds_of_one_variable_hold_for_all_of_a_start():
    for start in ([0.5, 0.5, 0.5], cem.Gaussian([0.5] * 3, std=1)):
        rows = rows_seen(start=start, bounds=Bounds(-1, 2), max_evaluations=50)
        assert rows.shape == (50, 3)
        assert rows.min() >= -1
        assert rows.max() <= 2


def test_bounds_of_several_variables_do_not_stretch():
    with pytest.raises(ValueError, match="the start has 3 variables, the bounds 2"):
        cem.optimize(sphere, [0, 0, 0], bounds=Bounds([-1, -1], [1, 1]))


@pytest.mark.parametrize("start", [[0.1 + 0.2, 0], [1.5e-17 - 3e-17, 0]])
def test_a_start_outside_by_rounding_is_taken(start):
    rows = rows_seen(start=start, bounds=[(0, 0.3), (-1, 1)], max_evaluations=40)
    assert rows.shape == (40, 2)
    assert rows[:, 0].max() <= 0.3
    assert rows[:, 0].min() >= 0


def test_a_start_outside_by_more_is_refused():
    with pytest.raises(ValueError, match="lies outside the bounds"):
        cem.optimize(sphere, [0.3 + 1e-6, 0], bounds=[(0, 0.3), (-1, 1)])


@pytest.mark.parametrize("bounds", [[[0, 0], [1, 2]], np.array([[-5.0, -5.0], [5.0, 5.0]])])
def test_what_looks_like_lows_and_highs_is_said(bounds):
    with pytest.warns(UserWarning, match=r"\(low, high\) pair for each variable: x\[0\] in \[.*Bounds\("):
        cem.optimize(sphere, bounds=bounds, rng=1, max_evaluations=10)


@pytest.mark.parametrize(
    ("bounds", "start"),
    [([(0, 0), (1, 2)], None), ([[0, 0], [1, 2]], [0, 1.5]), ([[-1, 1], [-1, 1]], None), ([[3, 3]], None)],
)
def test_what_is_clear_is_not_remarked_upon(bounds, start):
    cem.optimize(sphere, start, bounds=bounds, rng=1, max_evaluations=10)


# --- scores -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [10**400, Fraction(10**400), Decimal("1e400")])
def test_scores_beyond_floats_are_infinitely_bad(value):
    r = cem.optimize(lambda x: value if x[0] > 0 else sphere(x), **BOX)
    assert r.x[0] <= 0
    assert r.nan_count == 0
    up = cem.optimize(lambda x: -value if x[0] > 0 else -sphere(x), **BOX, maximize=True)
    assert up.fun == -r.fun


def test_exact_numbers_are_scores_of_a_vectorised_objective_too():
    r = cem.optimize(
        lambda X: np.array([Fraction(float(x @ x)) for x in X], dtype=object), vectorized=True, **BOX
    )
    assert r.fun == cem.optimize(lambda X: (X**2).sum(axis=1), vectorized=True, **BOX).fun


def masked_right(x):
    return np.ma.masked_array(sphere(x), mask=bool(x[0] > 0))


def masked_rows(X):
    return np.ma.masked_array((X**2).sum(axis=1), mask=X[:, 0] > 0)


def nan_right(x):
    return np.nan if x[0] > 0 else sphere(x)


MASKED = {
    "masked array": masked_right,
    "the constant": lambda x: np.ma.masked if x[0] > 0 else sphere(x),
    "of one": lambda x: np.ma.masked_array([sphere(x)], mask=[x[0] > 0]),
    "of whole numbers": lambda x: np.ma.masked_array(0 if x[0] > 0 else 1, mask=bool(x[0] > 0)),
}


@pytest.mark.parametrize("name", MASKED)
def test_a_masked_score_is_nan(name):
    whole = name == "of whole numbers"
    r = cem.optimize(MASKED[name], **BOX)
    s = cem.optimize((lambda x: np.nan if x[0] > 0 else 1.0) if whole else nan_right, **BOX)
    assert r.fun == s.fun
    np.testing.assert_array_equal(r.x, s.x)
    assert r.nan_count == s.nan_count > 0


def test_masked_scores_of_a_vectorised_objective():
    r = cem.optimize(masked_rows, vectorized=True, **BOX)
    s = cem.optimize(nan_right, **BOX)
    assert r.nan_count > 0
    assert r.x[0] <= 0
    assert r.fun == pytest.approx(s.fun)


def test_masked_scores_told():
    a, b = (cem.CrossEntropyMethod(bounds=[(-1, 1)] * 2, rng=1) for _ in range(2))
    X = a.ask()
    scores = (X**2).sum(axis=1)
    for masked in (
        np.ma.masked_array(scores, mask=X[:, 0] > 0),
        [np.ma.masked if x[0] > 0 else s for x, s in zip(X, scores, strict=True)],
    ):
        a, b = (cem.CrossEntropyMethod(bounds=[(-1, 1)] * 2, rng=1) for _ in range(2))
        a.tell(X, masked)
        b.tell(X, np.where(X[:, 0] > 0, np.nan, scores))
        np.testing.assert_array_equal(a.family.mean, b.family.mean)
        assert a.history.nan_count.tolist() == [int((X[:, 0] > 0).sum())]


def test_masked_performances():
    def performance(x):
        return np.ma.masked if x[1] > 1 else x[0]

    e = cem.estimate_probability(performance, NORMAL, 2, method="multilevel", rng=1, max_evaluations=3000)
    assert e.history.nan_count.sum() > 100


def test_a_masked_constraint_is_violated():
    masked = NonlinearConstraint(lambda x: np.ma.masked if x[0] > 0 else 1.0, 0, 2)
    r = cem.optimize(lambda x: -x[0], constraints=masked, bounds=[(-1, 1)] * 2, max_evaluations=300, rng=1)
    assert r.x[0] <= 0
    assert r.maxcv == 0


# --- rows told --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "row", "said"),
    [
        (cem.Gaussian([0.0, 0.0], std=1), [np.inf, 0], "finite numbers"),
        (cem.Gaussian([0.0, 0.0], std=1), [np.nan, 0], "finite numbers"),
        (cem.Bernoulli([0.5, 0.5]), [2, 0], "Bernoulli"),
        (cem.Bernoulli([0.5, 0.5]), [0.5, 0], "Bernoulli"),
        (cem.Categorical([[0.5, 0.5], [0.2, 0.8]]), [0, 2], "Categorical"),
        (cem.Exponential([1.0, 1.0]), [1.0, -1e-9], "Exponential"),
        (cem.Gamma([1.0, 1.0], [1.0, 1.0]), [1.0, -1.0], "Gamma"),
    ],
)
def test_rows_outside_the_space_are_refused(start, row, said):
    m = cem.CrossEntropyMethod(start, population=100, rng=1)
    X = np.array(m.ask(), dtype=float)
    before = m.family
    X[3] = row
    with pytest.raises(ValueError, match=f"row 3 of X .* not among .*{said}"):
        m.tell(X, X.sum(axis=1))
    assert m.family is before
    assert len(m.history) == 0


def test_rows_outside_the_bounds_are_refused_and_those_on_them_are_not():
    m = cem.CrossEntropyMethod(bounds=[(0, 0.3)] * 2, rng=1)
    X = np.array(m.ask())
    X[0] = 0.1 + 0.2, 0
    m.tell(X, X.sum(axis=1))
    X[5, 1] = 0.31
    with pytest.raises(ValueError, match=r"row 5 of X .* not among the bounds"):
        m.tell(X, X.sum(axis=1))
