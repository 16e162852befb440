"""Bad input gets an error that says what was wrong."""

import warnings

import joblib
import numpy as np
import pytest
from helpers import PAIR, Counting, estimate, total, totals
from scipy import stats

import cem
from problems.rare_event import bridge

BAD = {
    "no level": ({"level": None}, ValueError, "level= is missing"),
    "level NaN": ({"level": np.nan}, ValueError, "level must be .*finite.*nan"),
    "level infinite": ({"level": np.inf}, ValueError, "level must be .*finite.*inf"),
    "level minus infinite": ({"level": -np.inf}, ValueError, "level must be .*finite.*-inf"),
    "level a word": ({"level": "high"}, TypeError, "level must be a number.*'high'"),
    "level a vector": ({"level": [1.0, 2.0]}, ValueError, "level must be one number.*system="),
    "no inputs": ({"inputs": None}, ValueError, "inputs"),
    "inputs a number": ({"inputs": 3}, TypeError, "inputs must be .*got int"),
    "inputs empty": ({"inputs": []}, TypeError, "non-empty list"),
    "inputs not frozen": ({"inputs": [stats.norm]}, TypeError, r"inputs\[0\] is not a frozen"),
    "inputs a class": ({"inputs": cem.Exponential}, TypeError, "class|call"),
    "tail": ({"tail": "left"}, ValueError, "tail must be .*'left'"),
    "method": ({"method": "magic"}, ValueError, "method must be .*'magic'"),
    "target_cv 0": ({"target_cv": 0}, ValueError, r"target_cv lies in \(0, 1\)"),
    "target_cv 1": ({"target_cv": 1}, ValueError, r"target_cv lies in \(0, 1\)"),
    "target_cv negative": ({"target_cv": -0.1}, ValueError, r"target_cv lies in \(0, 1\)"),
    "target_cv NaN": ({"target_cv": np.nan}, ValueError, r"target_cv lies in \(0, 1\)"),
    "target_cv a word": ({"target_cv": "5 %"}, (ValueError, TypeError), "target_cv"),
    "target_cv None": ({"target_cv": None}, (ValueError, TypeError), "target_cv"),
    "family of another dimension": ({"family": cem.Exponential([1.0] * 3)}, ValueError, r"3 variables.* 2"),
    "no family": ({"family": "auto"}, TypeError, "family must have .*got str"),
    "family a class": ({"family": cem.Exponential}, TypeError, "family"),
    "no evaluations": ({"max_evaluations": 0}, ValueError, "max_evaluations must be a positive"),
    "negative evaluations": ({"max_evaluations": -5}, ValueError, "max_evaluations must be a positive"),
    "half an evaluation": ({"max_evaluations": 0.5}, ValueError, "max_evaluations must be a positive whole"),
    "evaluations a word": ({"max_evaluations": "many"}, TypeError, "max_evaluations must be a number"),
    "no time": ({"max_time": 0}, ValueError, "max_time must be a positive"),
    "negative time": ({"max_time": -1}, ValueError, "max_time must be a positive"),
    "time NaN": ({"max_time": np.nan}, ValueError, "max_time must be a positive"),
    "rng a word": ({"rng": "1"}, TypeError, "rng must be .*got str"),
    "rng a float": ({"rng": 1.5}, TypeError, "rng must be .*got float"),
    "rng a bool": ({"rng": True}, TypeError, "rng must be .*got bool"),
    "rng legacy": ({"rng": np.random.RandomState(1)}, TypeError, "rng must be .*RandomState"),
    "rng negative": ({"rng": -1}, ValueError, "rng must be a non-negative"),
    "callback": ({"callback": 3}, TypeError, "callback must be callable"),
    "no workers": ({"n_jobs": 0}, ValueError, "n_jobs"),
    "no time for an evaluation": ({"evaluation_timeout": 0}, ValueError, "evaluation_timeout must be a pos"),
    "a timeout that is a word": ({"evaluation_timeout": "1"}, TypeError, "evaluation_timeout must be a num"),
    "progress": ({"progress": "yes"}, TypeError, "progress must be True or False"),
    "checkpoint": ({"checkpoint": 3}, TypeError, "path of a file"),
    "resume": ({"resume": True}, ValueError, "checkpoint=path"),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_before_anything_is_evaluated(change, error, message):
    performance = Counting()
    arguments = {"inputs": PAIR, "level": 10.0, "rng": 1} | change
    with pytest.raises(error, match=message):
        estimate(performance, **arguments)
    assert performance.calls == 0


@pytest.mark.parametrize("performance", [None, 3.0, "f", PAIR])
def test_a_performance_that_is_none(performance):
    with pytest.raises(TypeError, match="performance must be callable"):
        estimate(performance, PAIR, 10.0)


@pytest.mark.parametrize(
    "off",
    [
        {"evaluation_timeout": None, "progress": False, "checkpoint": None, "resume": False},
        {"progress": 0, "checkpoint": False, "resume": 0},
        {"evaluation_timeout": None, "progress": None, "checkpoint": None, "resume": None},
    ],
)
def test_off_is_accepted(off):
    assert estimate(totals, PAIR, 5.0, vectorized=True, target_cv=0.2, rng=1, **off).success


RESULTS = {
    "nothing": (lambda x: None, TypeError, "return missing"),
    "a word": (lambda x: "3", TypeError, "real number"),
    "a complex number": (lambda x: 1 + 2j, TypeError, "real number"),
    "a vector": (lambda x: x, ValueError, "vectorized=True"),
}


@pytest.mark.parametrize(("performance", "error", "message"), RESULTS.values(), ids=RESULTS)
def test_a_performance_that_returns_what_is_no_number(performance, error, message):
    with pytest.raises(error, match=message):
        estimate(performance, PAIR, 10.0, rng=1)


VECTORISED_RESULTS = {
    "a scalar": (lambda X: 1.0, ValueError, r"\(n, d\).*transpose"),
    "the transpose": (lambda X: X.sum(axis=0), ValueError, r"\(n, d\).*transpose"),
    "a column": (lambda X: X.sum(axis=1, keepdims=True), ValueError, r"\(n, d\).*transpose"),
    "complex numbers": (lambda X: 1j * X.sum(axis=1), TypeError, "real numbers"),
    "words": (lambda X: np.array(["3"] * len(X)), TypeError, "real numbers"),
}


@pytest.mark.parametrize(
    ("performance", "error", "message"), VECTORISED_RESULTS.values(), ids=VECTORISED_RESULTS
)
def test_a_vectorised_performance_of_the_wrong_shape_or_type(performance, error, message):
    with pytest.raises(error, match=message):
        estimate(performance, PAIR, 10.0, vectorized=True, rng=1)


def test_whole_and_numpy_numbers_are_numbers():
    e = estimate(
        np.max, PAIR, np.float32(5), target_cv=np.float64(0.2), max_evaluations=1e5, max_time=100, rng=1
    )
    assert e.success


def test_an_unpicklable_performance_with_processes():
    with joblib.parallel_config("loky"), pytest.raises(TypeError, match=r"module level.*threads"):
        estimate(Unpicklable(), PAIR, 10.0, n_jobs=2, rng=1)


class Unpicklable:
    def __call__(self, x):
        return total(x)

    def __reduce__(self):
        raise TypeError("cannot pickle this")


def test_estimation_is_quiet(capfd):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimate(bridge(2.0), rng=1)
    assert caught == []
    assert capfd.readouterr() == ("", "")
