"""The search for parameters of scikit-learn's estimators."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.datasets import make_classification
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import cem
from cem.integrations.sklearn_search import CrossEntropySearchCV

SPACE = {"C": cem.Real(1e-3, 1e3, log=True), "kernel": ["linear", "rbf"]}


def expected_failures(search):
    """Scikit-learn expects this one of its own searches over a ridge regression too."""
    regression = isinstance(search.estimator, Ridge)
    return {"check_supervised_y_2d": "DataConversionWarning not caught"} if regression else {}


OPTIONS = {"cv": 2, "random_state": 0, "error_score": "raise"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        CrossEntropySearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, **OPTIONS),
        CrossEntropySearchCV(Ridge(), {"alpha": cem.Real(0.1, 1)}, n_iter=4, **OPTIONS),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    return make_classification(120, n_informative=3, n_redundant=0, random_state=1)


def search(data, space=SPACE, **options):
    return CrossEntropySearchCV(SVC(), space, **({"n_iter": 30, "cv": 3, "random_state": 1} | options)).fit(
        *data
    )


def test_it_finds_parameters(data):
    found = search(data)
    assert set(found.best_params_) == {"C", "kernel"}
    assert len(found.cv_results_["params"]) == 30
    assert found.best_score_ == max(found.cv_results_["mean_test_score"])
    assert found.best_estimator_.get_params()["C"] == found.best_params_["C"]
    assert found.predict(data[0]).shape == (120,)
    assert min(found.cv_results_["param_C"]) >= 1e-3


@pytest.mark.slow
def test_a_seed_repeats_it(data):
    assert search(data).cv_results_["params"] == search(data).cv_results_["params"]
    assert search(data).cv_results_["params"] != search(data, random_state=2).cv_results_["params"]
    states = [search(data, random_state=np.random.RandomState(4)).best_params_ for _ in range(2)]
    assert states[0] == states[1]


def test_a_finite_space_is_not_evaluated_twice(data):
    found = search(data, {"C": [0.1, 1.0, 10.0], "kernel": ["linear", "rbf"]}, n_iter=100)
    params = [tuple(sorted(each.items())) for each in found.cv_results_["params"]]
    assert len(params) == len(set(params)) <= 6


@pytest.mark.slow
def test_it_learns():
    """A ridge's penalty: the last candidates are nearer to the best than the first."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 20))
    y = X @ rng.normal(size=20) + 5 * rng.normal(size=40)
    space = {"alpha": cem.Real(1e-6, 1e6, log=True)}
    found = CrossEntropySearchCV(Ridge(), space, n_iter=80, random_state=0).fit(X, y)
    off = abs(np.log10(np.array(found.cv_results_["param_alpha"], float) / found.best_params_["alpha"]))
    assert off[-10:].mean() < off[:10].mean() / 5


@pytest.mark.slow
def test_several_scores(data):
    found = search(data, scoring=["accuracy", "f1"], refit="f1")
    assert found.best_score_ == max(found.cv_results_["mean_test_f1"])
    with pytest.raises(ValueError, match="refit must name"):
        search(data, scoring=["accuracy", "f1"], refit=False)


def test_failures_rank_last(data):
    with pytest.warns(match="fits failed"), pytest.warns(match="non-finite"):
        found = search(data, {"C": [-1.0, 1.0, 2.0]}, n_iter=20)
    assert found.best_params_["C"] > 0


@pytest.mark.parametrize(
    "space", [{}, None, {"C": 3}, {"C": []}, {"C": cem.Choice({"a": cem.Space(b=cem.Real(0, 1))})}]
)
def test_what_is_no_space(space, data):
    with pytest.raises(TypeError, match="must be"):
        search(data, space)


def test_a_bad_number_of_candidates(data):
    with pytest.raises(ValueError, match="n_iter"):
        CrossEntropySearchCV(LinearRegression(), {"positive": [True]}, n_iter=0).fit(*data)
