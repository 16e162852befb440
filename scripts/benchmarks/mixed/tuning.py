"""Four tuning tasks of scikit-learn with 30, 60 and 100 evaluations: mean ranks of ours and peers.

    python scripts/benchmarks/mixed/tuning.py --runs 5 --keep /tmp/tuning.txt
    python scripts/benchmarks/mixed/tuning.py ours tpe --tasks machine neighbours

Needs scikit-learn; peers: ``pip install cmaes optuna``. A peer that is not installed is named and counts for
nothing. The value is one minus the cross-validated accuracy, so there are plateaus. Each budget is a run of
its own for ours; the peers do the same first evaluations whatever they may spend, so theirs are read off one
run. `gp` is scikit-learn's Gaussian process with expected improvement over 500 random candidates. Cells are
mean ranks over tasks and seeds, ties shared, ± their standard error; lower is better. With ``--keep``, what a
file holds already is not run again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from kept import Kept
from scipy.stats import norm, rankdata

import cem
from problems.command import carry_out_benchmark, keep_installed, make_benchmark_parser

BUDGETS = (30, 60, 100)
FIRST = 10  # random evaluations of the Gaussian process
CANDIDATES = 500


def machine(p: dict[str, Any]) -> Any:
    from sklearn.svm import SVC

    return SVC(C=p["C"], gamma=p["gamma"], kernel=p["kernel"], degree=p["degree"], max_iter=2000)


def forest(p: dict[str, Any]) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    own = {
        key: p[key] for key in ("n_estimators", "max_depth", "max_features", "min_samples_leaf", "criterion")
    }
    return RandomForestClassifier(random_state=0, **own)


def descent(p: dict[str, Any]) -> Any:
    from sklearn.linear_model import SGDClassifier

    own = {key: p[key] for key in ("alpha", "l1_ratio", "loss", "penalty", "learning_rate", "eta0")}
    return SGDClassifier(random_state=0, max_iter=50, **own)


def neighbours(p: dict[str, Any]) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    own = {key: p[key] for key in ("n_neighbors", "weights", "p")}
    return KNeighborsClassifier(**own)


def data(name: str) -> tuple[Any, Any]:
    """Return a data set that comes with scikit-learn."""
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return x, y


SCALING = cem.Choice(["none", "standard", "range"])
TASKS: dict[str, tuple[str, Callable[[dict[str, Any]], Any], dict[str, Any]]] = {
    "machine": (
        "wine",
        machine,
        {
            "C": cem.Real(1e-3, 1e3, log=True),
            "gamma": cem.Real(1e-5, 1e1, log=True),
            "degree": cem.Integer(2, 5),
            "kernel": cem.Choice(["linear", "poly", "rbf", "sigmoid"]),
            "scaling": SCALING,
        },
    ),
    "forest": (
        "breast_cancer",
        forest,
        {
            "n_estimators": cem.Integer(2, 32, log=True),
            "max_depth": cem.Integer(1, 12),
            "max_features": cem.Real(0.05, 1.0),
            "min_samples_leaf": cem.Integer(1, 32, log=True),
            "criterion": cem.Choice(["gini", "entropy"]),
        },
    ),
    "descent": (
        "breast_cancer",
        descent,
        {
            "alpha": cem.Real(1e-7, 1e0, log=True),
            "l1_ratio": cem.Real(0.0, 1.0),
            "eta0": cem.Real(1e-4, 1e1, log=True),
            "loss": cem.Choice(["hinge", "log_loss", "modified_huber", "perceptron"]),
            "penalty": cem.Choice(["l1", "l2", "elasticnet"]),
            "learning_rate": cem.Choice(["optimal", "constant", "invscaling", "adaptive"]),
            "scaling": SCALING,
        },
    ),
    "neighbours": (
        "wine",
        neighbours,
        {
            "n_neighbors": cem.Integer(1, 60, log=True),
            "p": cem.Real(1.0, 4.0),
            "weights": cem.Choice(["uniform", "distance"]),
            "scaling": SCALING,
        },
    ),
}


class Counted:
    """A task whose values so far are kept."""

    def __init__(self, name: str) -> None:
        kind, self.model, self.variables = TASKS[name]
        self.x, self.y = data(kind)
        self.values: list[float] = []

    def __call__(self, p: dict[str, Any]) -> float:
        """Return one minus the cross-validated accuracy."""
        from sklearn.model_selection import StratifiedKFold, cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

        before = {"standard": StandardScaler, "range": MinMaxScaler}.get(
            p.get("scaling", ""), FunctionTransformer
        )
        folds = StratifiedKFold(4, shuffle=True, random_state=0)
        scores = cross_val_score(make_pipeline(before(), self.model(p)), self.x, self.y, cv=folds)
        self.values.append(1 - float(scores.mean()))
        return self.values[-1]


def ours(f: Counted, seed: int, most: int) -> None:
    cem.optimize(f, cem.Space(f.variables), max_evaluations=most, rng=seed)


def random(f: Counted, seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(most):
        f(_named(f, rng.random(len(f.variables))))


def tpe(f: Counted, seed: int, most: int) -> None:
    """Optuna's TPE, multivariate."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Any) -> float:
        p: dict[str, Any] = {}
        for name, variable in f.variables.items():
            if isinstance(variable, cem.Choice):
                p[name] = trial.suggest_categorical(name, list(variable.options))
            else:
                suggest = trial.suggest_int if isinstance(variable, cem.Integer) else trial.suggest_float
                p[name] = suggest(name, variable.low, variable.high, log=variable.log)
        return f(p)

    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
    optuna.create_study(sampler=sampler).optimize(objective, n_trials=most)


def catcma(f: Counted, seed: int, most: int) -> None:
    """CatCMAwM of the package cmaes, started again where it ends; numbers from 0 to 1."""
    from cmaes import CatCMAwM

    labels = [isinstance(v, cem.Choice) for v in f.variables.values()]
    sizes = [len(v.options) for v in f.variables.values() if isinstance(v, cem.Choice)]
    while True:
        seed += 1
        numbers = np.array([[0.0, 1.0]] * (len(labels) - len(sizes)))
        optimizer = CatCMAwM(x_space=numbers, c_space=sizes, seed=seed)
        while not optimizer.should_stop():
            told = []
            for _ in range(optimizer.population_size):
                s = optimizer.ask()
                u = np.empty(len(labels))
                u[~np.array(labels)] = s.x
                u[np.array(labels)] = (np.argmax(s.c, axis=1) + 0.5) / sizes if sizes else 0.0
                told.append((s, f(_named(f, u))))
                if len(f.values) >= most:
                    return
            optimizer.tell(told)


def gp(f: Counted, seed: int, most: int) -> None:
    """A Gaussian process over numbers from 0 to 1 and a column for each label, with expected improvement."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rng, seen = np.random.default_rng(seed), []
    for k in range(most):
        u = rng.random((1 if k < FIRST else CANDIDATES, len(f.variables)))
        if k >= FIRST:
            kernel = ConstantKernel() * Matern(nu=2.5) + WhiteKernel(1e-3)
            values = np.array(f.values)
            model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
            model.fit(_coded(f, np.array(seen)), values)
            mean, std = model.predict(_coded(f, u), return_std=True)
            z = (values.min() - mean) / std
            u = u[np.argmax((values.min() - mean) * norm.cdf(z) + std * norm.pdf(z))][None]
        seen.append(u[0])
        f(_named(f, u[0]))


def _named(f: Counted, u: Any) -> dict[str, Any]:
    """Return the candidate at a point of the unit cube."""
    p: dict[str, Any] = {}
    for (name, v), at in zip(f.variables.items(), u, strict=True):
        if isinstance(v, cem.Choice):
            p[name] = v.options[min(int(at * len(v.options)), len(v.options) - 1)]
            continue
        room = 0.5 if isinstance(v, cem.Integer) else 0.0
        low, high = v.low - room, v.high + room
        value = np.exp(np.log(low) + at * np.log(high / low)) if v.log else low + at * (high - low)
        value = float(np.clip(value, v.low, v.high))
        p[name] = round(value) if room else value
    return p


def _coded(f: Counted, u: Any) -> Any:
    columns = []
    for v, at in zip(f.variables.values(), u.T, strict=True):
        if isinstance(v, cem.Choice):
            k = len(v.options)
            columns += list(np.eye(k)[np.minimum((at * k).astype(int), k - 1)].T)
        else:
            columns.append(at)
    return np.stack(columns, axis=1)


SOLVERS: dict[str, Callable[[Counted, int, int], None]] = {
    "ours": ours,
    "tpe": tpe,
    "catcma": catcma,
    "gp": gp,
    "random": random,
}
PACKAGES = {"tpe": "optuna", "catcma": "cmaes"}


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=5000, runs=3)
    parser.add_argument("solvers", nargs="*", default=[], metavar="SOLVER", help=", ".join(SOLVERS))
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--keep", metavar="FILE", help="of rows that are not run again")
    given = parser.parse_args()
    kept = Kept(given.keep)
    if unknown := set(given.solvers) - set(SOLVERS):
        parser.error(f"{', '.join(sorted(unknown))}: choose among {', '.join(SOLVERS)}")
    warnings.simplefilter("ignore")
    names = keep_installed(given.solvers or list(SOLVERS), PACKAGES)
    ranks = []
    for task in given.tasks:
        best = np.array(
            [
                [kept.row([name, task, seed], partial(_bests, name, task, seed)) for name in names]
                for seed in range(given.seed, given.seed + given.runs)
            ]
        )
        means = zip(names, best.mean(axis=0), strict=True)
        print(f"{task}: " + "; ".join(f"{n} {b.round(4)}" for n, b in means), flush=True)
        ranks += [rankdata(each.round(12), axis=0) for each in best]
    print(f"\n| solver | {' | '.join(map(str, BUDGETS))} |\n|---|{'---|' * len(BUDGETS)}")
    mean, error = np.mean(ranks, axis=0), np.std(ranks, axis=0, ddof=1) / np.sqrt(len(ranks))
    for name, m, e in zip(names, mean, error, strict=True):
        print(f"| {name} | {' | '.join(f'{a:.2f} ± {b:.2f}' for a, b in zip(m, e, strict=True))} |")


def _bests(name: str, task: str, seed: int) -> list[float]:
    """Return the best values after each budget."""
    found = []
    f = Counted(task)
    for most in BUDGETS:
        if name == "ours" or not f.values:
            f = Counted(task)
            SOLVERS[name](f, seed, most if name == "ours" else BUDGETS[-1])
        found.append(min(f.values[:most]))
    return found


if __name__ == "__main__":
    carry_out_benchmark(main)
