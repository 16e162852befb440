"""Searches of strings and orders to compare: ours, textbook local searches, and packages where installed.

Each takes an objective that counts (`Counted`) and returns when that raises `Spent`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import cem


class Spent(Exception):  # noqa: N818 - an end, not an error
    """The budget of evaluations is spent, or the best known value reached."""


@dataclass
class Counted:
    """An objective on rows that notes each improvement and ends a search when its budget is spent."""

    fun: Callable[[Any], Any]
    budget: int
    stop_at: float = -np.inf
    evaluations: int = 0
    best: float = np.inf
    gains: list[tuple[int, float]] = field(default_factory=list)

    def __call__(self, rows: Any) -> Any:
        """Return the scores of rows, shape ``(n, d)``, as far as the budget goes."""
        rows = np.atleast_2d(rows)[: self.budget - self.evaluations]
        if not len(rows):
            raise Spent
        values = np.asarray(self.fun(rows), dtype=float)
        for value in values:
            self.evaluations += 1
            if value < self.best:
                self.best = float(value)
                self.gains.append((self.evaluations, self.best))
        if self.best <= self.stop_at or self.evaluations >= self.budget:
            raise Spent
        return values

    def one(self, row: Any) -> float:
        """Return the score of one row."""
        return float(self(row[None])[0])


@dataclass(frozen=True)
class StringMoves:
    """Random strings and their single changes."""

    categories: Any

    def draw(self, rng: np.random.Generator) -> Any:
        """Return a random candidate."""
        return rng.integers(0, self.categories)

    def near(self, x: Any, rng: np.random.Generator) -> Any:
        """Return `x` after a random move."""
        i = int(rng.integers(len(x)))
        y = x.copy()
        y[i] = (x[i] + rng.integers(1, self.categories[i])) % self.categories[i]
        return y

    def everything_near(self, x: Any, rng: np.random.Generator) -> Any:
        """Yield all candidates one move from `x`, in random order."""
        positions = np.repeat(np.arange(len(x)), self.categories - 1)
        shifts = np.concatenate([np.arange(1, k) for k in self.categories])
        for c in rng.permutation(len(positions)):
            i, y = positions[c], x.copy()
            y[i] = (x[i] + shifts[c]) % self.categories[i]
            yield y

    def kick(self, x: Any, rng: np.random.Generator) -> Any:
        """Return `x` after a few random moves."""
        for _ in range(max(2, len(x) // 20)):
            x = self.near(x, rng)
        return x


@dataclass(frozen=True)
class OrderMoves:
    """Random orders, and exchanges, insertions and reversals of them."""

    n: int

    def draw(self, rng: np.random.Generator) -> Any:
        """Return a random candidate."""
        return rng.permutation(self.n)

    def _apply(self, x: Any, kind: int, i: int, j: int) -> Any:
        y = x.copy()
        if kind == 0:
            y[i], y[j] = x[j], x[i]
        elif kind == 1:
            y = np.insert(np.delete(x, i), j, x[i])
        else:
            i, j = min(i, j), max(i, j)
            y[i : j + 1] = x[i : j + 1][::-1]
        return y

    def near(self, x: Any, rng: np.random.Generator) -> Any:
        """Return `x` after a random move."""
        i, j = rng.choice(self.n, 2, replace=False)
        return self._apply(x, int(rng.integers(3)), int(i), int(j))

    def everything_near(self, x: Any, rng: np.random.Generator) -> Any:
        """Yield all candidates one move from `x`, in random order."""
        for c in rng.permutation(3 * self.n * self.n):
            kind, pair = divmod(int(c), self.n * self.n)
            i, j = divmod(pair, self.n)
            if i != j and (kind == 1 or i < j):
                yield self._apply(x, kind, i, j)

    def kick(self, x: Any, rng: np.random.Generator) -> Any:
        """Return `x` after a few random moves."""
        for _ in range(3):
            x = self.near(x, rng)
        return x


Moves = StringMoves | OrderMoves
Search = Callable[[Counted, Moves, np.random.Generator], None]


def _climb(f: Counted, moves: Moves, x: Any, value: float, rng: np.random.Generator) -> tuple[Any, float]:
    while True:
        for y in moves.everything_near(x, rng):
            found = f.one(y)
            if found < value:
                x, value = y, found
                break
        else:
            return x, value


def hill_climbing(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Restart first-improvement climbing at random."""
    while True:
        x = moves.draw(rng)
        _climb(f, moves, x, f.one(x), rng)


def iterated_local_search(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Kick the incumbent, climb, keep what is not worse; restart after thirty kicks in vain."""
    while True:
        x = moves.draw(rng)
        x, value = _climb(f, moves, x, f.one(x), rng)
        vain = 0
        while vain < 30:
            y = moves.kick(x, rng)
            y, found = _climb(f, moves, y, f.one(y), rng)
            vain = 0 if found < value else vain + 1
            if found <= value:
                x, value = y, found


def annealing(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Cool geometrically from the spread of random neighbours' differences to a hundredth of it."""
    while True:
        x = moves.draw(rng)
        value = f.one(x)
        steps = [abs(f.one(moves.near(x, rng)) - value) for _ in range(20)]
        hot = float(np.mean(steps)) + 1e-12
        length = max(1000, f.budget // 4)
        for t in range(length):
            y = moves.near(x, rng)
            found = f.one(y)
            if found <= value or rng.random() < np.exp((value - found) / (hot * 0.01 ** (t / length))):
                x, value = y, found


def tabu_search(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Go to the best of forty neighbours that was not visited among the last thousand."""
    while True:
        x = moves.draw(rng)
        recent: dict[bytes, None] = {x.tobytes(): None}
        for _ in range(2000):
            near = [y for y in (moves.near(x, rng) for _ in range(40)) if y.tobytes() not in recent]
            if not near:
                break
            values = f(np.array(near))
            x = near[int(values.argmin())]
            recent[x.tobytes()] = None
            if len(recent) > 1000:
                del recent[next(iter(recent))]


def start_of(moves: Moves) -> Any:
    """Return the distribution that knows nothing."""
    if isinstance(moves, OrderMoves):
        return cem.Permutation(moves.n)
    if (moves.categories == 2).all():
        return cem.Bernoulli([0.5] * len(moves.categories))
    return cem.Categorical([np.full(k, 1 / k) for k in moves.categories])


def ours(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Run `cem.optimize` with its defaults; what is left of the budget after a claim is left."""
    cem.optimize(f, start_of(moves), vectorized=True, max_evaluations=f.budget, rng=int(rng.integers(2**31)))


def textbook(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Run the textbook's method, again and again."""
    start = start_of(moves)
    while True:
        cem.optimize(f, start, vectorized=True, method="textbook", rng=int(rng.integers(2**31)))


def pymoo_ga(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Pymoo's genetic algorithm with the operators that it has for the space."""
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.ox import OrderCrossover
    from pymoo.operators.crossover.pntx import TwoPointCrossover
    from pymoo.operators.mutation.inversion import InversionMutation
    from pymoo.operators.mutation.pm import PolynomialMutation
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling, PermutationRandomSampling
    from pymoo.optimize import minimize

    n = moves.n if isinstance(moves, OrderMoves) else len(moves.categories)
    high = np.full(n, n - 1) if isinstance(moves, OrderMoves) else moves.categories - 1

    class Box(Problem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(n_var=n, n_obj=1, xl=np.zeros(n), xu=high, vtype=int)

        def _evaluate(self, x: Any, out: Any, *args: Any, **kwargs: Any) -> None:
            out["F"] = f(x.astype(np.int64))[:, None]

    if isinstance(moves, OrderMoves):
        algorithm = GA(
            pop_size=100,
            eliminate_duplicates=True,
            sampling=PermutationRandomSampling(),
            crossover=OrderCrossover(),
            mutation=InversionMutation(),
        )
    else:
        algorithm = GA(
            pop_size=100,
            eliminate_duplicates=True,
            sampling=IntegerRandomSampling(),
            crossover=TwoPointCrossover(),
            mutation=PolynomialMutation(repair=RoundingRepair(), vtype=float),
        )
    minimize(Box(), algorithm, ("n_eval", f.budget), seed=int(rng.integers(2**31)), verbose=False)


def optuna_tpe(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Optuna's TPE sampler on categorical parameters."""
    import optuna

    if isinstance(moves, OrderMoves):
        raise ImportError("Optuna has no permutations")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sizes = [list(range(k)) for k in moves.categories]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=int(rng.integers(2**31))))
    study.optimize(
        lambda t: f.one(np.array([t.suggest_categorical(str(i), k) for i, k in enumerate(sizes)])),
        n_trials=f.budget,
    )


def nevergrad_best(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Nevergrad's NGOpt on ordered choices."""
    import nevergrad

    if isinstance(moves, OrderMoves):
        raise ImportError("nevergrad has no permutations")
    space = nevergrad.p.Tuple(*(nevergrad.p.TransitionChoice(range(k)) for k in moves.categories))
    space.random_state.seed(int(rng.integers(2**31)))
    found = nevergrad.optimizers.NGOpt(space, budget=f.budget)
    found.minimize(lambda x: f.one(np.array(x)))


def gomea_tree(f: Counted, moves: Moves, rng: np.random.Generator) -> None:
    """Gomea's LTGOMEA, populations of growing size side by side."""
    import gomea

    if isinstance(moves, OrderMoves):
        raise ImportError("gomea has no permutations")
    sizes = moves.categories

    class Box(gomea.fitness.BBOFitnessFunctionDiscrete):  # type: ignore[misc]
        def objective_function(self, objective_index: int, variables: Any) -> float:
            try:
                return -f.one(np.array(variables) % sizes)
            except Spent:  # the library counts by itself and ends soon after
                return -np.inf

    goal = {} if np.isinf(f.stop_at) else {"value_to_reach": -f.stop_at}
    box = Box(len(sizes), alphabet_size=int(sizes.max()), **goal)
    linkage = gomea.linkage.LinkageTree("MI")  # held here: the library keeps no reference
    search = gomea.DiscreteGOMEA(
        fitness=box,
        linkage_model=linkage,
        max_number_of_evaluations=f.budget,
        random_seed=int(rng.integers(1, 2**31)),
    )
    search.run()


SEARCHES: dict[str, Search] = {
    "ours": ours,
    "hill climbing": hill_climbing,
    "iterated local search": iterated_local_search,
    "annealing": annealing,
    "tabu": tabu_search,
    "textbook": textbook,
    "gomea": gomea_tree,
    "pymoo": pymoo_ga,
    "optuna": optuna_tpe,
    "nevergrad": nevergrad_best,
}
