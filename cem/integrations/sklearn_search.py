"""A search for the parameters of scikit-learn's estimators (extra `sklearn`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cem.core.budget import positive_count
from cem.core.variables import Choice, Integer, Real
from cem.integrations.grids import Grid, Loop, choice

try:
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.utils import check_random_state
except ImportError as error:
    raise ImportError("CrossEntropySearchCV needs scikit-learn: pip install cemkit[sklearn]") from error

MOST_KNOWN = 50  # batches in a row without a new candidate: the distribution has settled


class CrossEntropySearchCV(BaseSearchCV):  # type: ignore[misc]
    """Search the parameters of an estimator by the cross-entropy method, scored by cross-validation.

    Parameters
    ----------
    estimator : estimator
    param_distributions : dict of str to Real, Integer, Choice or list
        The variables, by the names of the estimator's parameters; a list is a choice of any objects.
    n_iter : int
        Different candidates to evaluate.
    population : int, optional
        Candidates that are learned from at once. Default: the update's own.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As in `sklearn.model_selection.RandomizedSearchCV`; with several scores, `refit` names the one that
        is learned from.
    random_state : int, numpy.random.RandomState or None
        Repeats the search.

    Attributes
    ----------
    best_estimator_, best_params_, best_score_, best_index_, cv_results_, n_splits_, …
        As of `RandomizedSearchCV`.

    Examples
    --------
    >>> import cem
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from cem.integrations.sklearn_search import CrossEntropySearchCV
    >>> space = {"C": cem.Real(1e-3, 1e3, log=True), "kernel": ["linear", "rbf"]}
    >>> search = CrossEntropySearchCV(SVC(), space, n_iter=20, random_state=1)
    >>> bool(search.fit(*load_iris(return_X_y=True)).best_score_ > 0.95)
    True
    """

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 100,
        population: int | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.population = population
        self.random_state = random_state
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def _run_search(self, evaluate_candidates: Callable[[list[dict[str, Any]]], Mapping[str, Any]]) -> None:
        """Ask the loop for batches, and tell it the mean scores of those not scored yet."""
        left = positive_count("n_iter", self.n_iter)
        seed = int(check_random_state(self.random_state).randint(2**31))
        loop = Loop.over(_grids(self.param_distributions), self.population, True, seed)
        known: dict[tuple[float, ...], float] = {}
        nothing_new = 0
        while left and nothing_new < MOST_KNOWN:
            rows = np.asarray(loop.method.ask())
            keys = [tuple(row) for row in rows.tolist()]
            new = list(dict.fromkeys(key for key in keys if key not in known))[:left]
            nothing_new = 0 if new else nothing_new + 1
            if new:
                left -= len(new)
                results = evaluate_candidates([loop.values(key) for key in new])
                scores = np.asarray(results[self._learned_from(results)])[-len(new) :]
                known.update(zip(new, scores.tolist(), strict=True))
            if left:
                loop.method.tell(rows, np.array([known[key] for key in keys]))

    def _learned_from(self, results: Mapping[str, Any]) -> str:
        """Return which column of the results is learned from.

        Raises
        ------
        ValueError
            If there are several scores, and `refit` names none of them.
        """
        if "mean_test_score" in results:
            return "mean_test_score"
        if isinstance(self.refit, str):
            return f"mean_test_{self.refit}"
        raise ValueError("with several scores, refit must name the one that is learned from.")


def _grids(variables: Any) -> dict[str, Grid]:
    """Return the variables by name.

    Raises
    ------
    TypeError, ValueError
        If they are none.
    """
    if not isinstance(variables, Mapping) or not variables:
        raise TypeError(f"param_distributions must be a dict of variables by name, got {variables!r}.")
    grids = {}
    for name, variable in variables.items():
        plain = isinstance(variable, Choice) and all(each is None for each in variable.spaces)
        if plain or isinstance(variable, Real | Integer):
            grids[name] = Grid(variable)
        elif isinstance(variable, list | tuple | np.ndarray) and len(variable):
            grids[name] = choice(list(variable))
        else:
            raise TypeError(
                f"{name} must be a cem.Real, cem.Integer, cem.Choice or a list of values, got {variable!r}."
            )
    return grids
