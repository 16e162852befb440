"""A local search under constraints: sequential quadratic programming, with differences inside the box."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

import numpy as np

from cem.core.constraints import Constraints
from cem.core.domain import Domain
from cem.core.loop import Batch, Request, Rows
from cem.families.base import Array, Floats
from cem.local_search.requests import as_values

FORWARD, CENTRAL = 1e-8, 1e-5  # steps of differences, in units of a variable's scale
ACCURACY = 1e-12  # of the scaled objective: what differences with central steps resolve
MOST_ITERATIONS = 100  # scipy's default
_FLAT = 1e-8  # of the value: a slope below it is none
INSIDE = 1e-10  # inequalities are met with this much to spare


class Local(NamedTuple):
    """Where a local search ended: the best point, its score (maximised) and its excess (0: feasible)."""

    x: Floats
    score: float
    excess: float

    @property
    def rank(self) -> tuple[float, float]:
        """What is larger for a better point: feasibility first."""
        return -self.excess, self.score


Known = Callable[[Floats, float, Callable[[Array], Batch]], Local | None]


class _KnownError(Exception):
    """Raised where a search comes to what is known."""

    def __init__(self, local: Local) -> None:
        super().__init__()
        self.local = local


def sequential_quadratic(
    constraints: Constraints,
    domain: Domain,
    x: Array,
    scale: Array,
    known: Known | None = None,
) -> Generator[Request, Batch, Local]:
    """Minimise from `x`, first with forward differences, then, if that ended feasible, with central ones.

    Parameters
    ----------
    constraints : Constraints
    domain : Domain
        Nothing is evaluated outside; integer and fixed variables stay as they are.
    x : array_like, shape (d,)
    scale : array_like, shape (d,)
        A typical step of each variable.
    known : callable, optional
        From an iterate, shape ``(d,)``, what is minimised there and what scores rows to where a search from
        it will end, if that is known.

    Returns
    -------
    Local
        The best point among all that were evaluated, or what is known of an iterate.

    References
    ----------
    Kraft (1988), "A software package for sequential quadratic programming", DFVLR-FB 88-28 (SLSQP);
    steps of differences: Nocedal & Wright (2006), "Numerical Optimization", Section 8.1.
    """
    x = np.array(domain.present(np.atleast_2d(x))[0])
    search = _Search(constraints, domain, x, np.asarray(scale), known)
    try:
        first = yield from inverted(partial(search.run, central=False))
        if first.excess > 0:
            return first
        search = _Search(constraints, domain, first.x, search.scale, known)
        second = yield from inverted(partial(search.run, central=True))
    except _KnownError as reached:
        return reached.local
    return max(first, second, key=lambda local: local.rank)


@dataclass(eq=False)
class _Search:
    """One search by scipy's SLSQP in scaled variables, in which a step of 1 is a typical one."""

    constraints: Constraints
    domain: Domain
    start: Floats
    scale: Floats
    known: Known | None

    def __post_init__(self) -> None:
        self.free = np.flatnonzero(~(self.domain.fixed | self.domain.integer))
        self.best = Local(self.start, -np.inf, np.inf)
        self._known: dict[bytes, tuple[float, Floats]] = {}
        self._slopes: dict[bytes, tuple[Floats, Floats]] = {}

    def run(self, ask: Callable[[Array], Batch], central: bool) -> Local:
        """Search; `ask` scores rows."""
        from scipy.optimize import minimize

        self._ask, self._central = ask, central
        if self.free.size == 0:
            self._values(np.zeros(0))
            return self.best
        low = (self.domain.low - self.start)[self.free] / self.scale[self.free]
        high = (self.domain.high - self.start)[self.free] / self.scale[self.free]
        origin = np.zeros(self.free.size)
        value, residuals = self._values(origin)
        slope, slopes = self._differences(origin)
        if not (np.isfinite(value) and np.all(np.isfinite(residuals)) and np.all(np.isfinite(slope))):
            return self.best
        size = max(float(np.abs(slope).max()), _FLAT * abs(value)) or 1.0
        sizes = np.maximum(1e-8, np.abs(slopes).max(axis=1))
        equal = self.constraints.equality
        kinds = [("eq", equal, 1.0, 0.0), ("ineq", ~equal, -1.0, INSIDE)]

        def side(u: Floats, rows: Array, sign: float, room: float) -> Floats:
            values = self._values(u)[1]
            return np.asarray((sign * values[rows] - room) / sizes[rows])

        def side_slopes(u: Floats, rows: Array, sign: float, room: float) -> Floats:
            return np.asarray(sign * self._differences(u)[1][rows] / sizes[rows, None])

        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Values in x were outside bounds", RuntimeWarning)
            minimize(  # type: ignore[call-overload]
                lambda u: self._values(u)[0] / size,
                origin,
                jac=lambda u: self._differences(u)[0] / size,
                method="SLSQP",
                bounds=np.column_stack([low, high]),
                constraints=[
                    {"type": kind, "fun": side, "jac": side_slopes, "args": (rows, sign, room)}
                    for kind, rows, sign, room in kinds
                    if rows.any()
                ],
                options={"ftol": ACCURACY, "maxiter": MOST_ITERATIONS},
            )
        return self.best

    def _rows(self, u: Array) -> Array:
        x = np.repeat(self.start[None], len(u), axis=0)
        x[:, self.free] += u * self.scale[self.free]
        x = self.domain.project(x)
        x.flags.writeable = False
        return x

    def _values(self, u: Floats) -> tuple[float, Floats]:
        """Return what is minimised, and the residuals, at a point."""
        u = np.asarray(u, dtype=np.float64)
        key = u.tobytes()
        if key not in self._known:
            values, residuals = self._scored(u[None])
            self._known[key] = float(values[0]), residuals[0]
        return self._known[key]

    @np.errstate(over="ignore", invalid="ignore")  # of infinite scores, or nearly so
    def _differences(self, u: Floats) -> tuple[Floats, Floats]:
        """Return the gradient, shape ``(k,)``, and the residuals' Jacobian, shape ``(m, k)``."""
        u = np.asarray(u, dtype=np.float64)
        key = u.tobytes()
        if self.known is not None:
            local = self.known(self._rows(u[None])[0], self._values(u)[0], self._ask)
            if local is not None:
                raise _KnownError(local)
        if key not in self._slopes:
            size = CENTRAL if self._central else FORWARD
            step = size * np.maximum(1.0, np.abs(u))
            ends = [u + np.diag(step), u - np.diag(step)]
            rows = [self._rows(each) for each in ends]
            moved = [(each - self._rows(u[None]))[:, self.free].diagonal() for each in rows]
            if self._central:
                values, residuals = self._scored(np.concatenate(ends))
                k = u.size
                width = (moved[0] - moved[1]) / self.scale[self.free]
                slope = (values[:k] - values[k:]) / width
                slopes = (residuals[:k] - residuals[k:]) / width[:, None]
            else:
                forward = np.abs(moved[0]) >= np.abs(moved[1])  # a bound may be in the way
                values, residuals = self._scored(np.where(forward[:, None], ends[0], ends[1]))
                value, residual = self._values(u)
                width = np.where(forward, moved[0], moved[1]) / self.scale[self.free]
                slope = (values - value) / width
                slopes = (residuals - residual) / width[:, None]
            self._slopes[key] = slope, slopes.T
        return self._slopes[key]

    def _scored(self, u: Array) -> tuple[Floats, Floats]:
        batch = self._ask(self._rows(u))
        if batch.residuals is None or batch.excess is None:
            raise ValueError("a search under constraints takes batches with residuals.")
        for x, score, excess in zip(batch.x, batch.scores, batch.excess, strict=True):
            local = Local(x, float(score), float(excess))
            if local.rank > self.best.rank and score > -np.inf:
                self.best = local
        return as_values(batch.scores), batch.residuals


T = TypeVar("T")


class _Abandoned(BaseException):
    """Raised in the routine when nobody waits for it any more."""


def inverted(routine: Callable[[Callable[[Array], Batch]], T]) -> Generator[Request, Batch, T]:
    """Run ``routine(ask)`` as a stage: each ``ask(rows)`` in it becomes a request for those rows.

    The routine runs in a thread of its own and the two take turns, never side by side, so that the order
    of evaluations is that of the routine. If the stage is ended, so is the routine.

    Returns
    -------
    T
        What the routine returns; what it raises is raised here.
    """
    requests: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    answers: SimpleQueue[Batch | None] = SimpleQueue()

    def ask(x: Array) -> Batch:
        requests.put(("rows", x))
        batch = answers.get()
        if batch is None:
            raise _Abandoned
        return batch

    def work() -> None:
        try:
            requests.put(("done", routine(ask)))
        except _Abandoned:
            requests.put(("abandoned", None))
        except BaseException as error:
            requests.put(("raised", error))

    thread = Thread(target=work, daemon=True)
    thread.start()
    kind = "rows"
    try:
        while True:
            kind, content = requests.get()
            if kind != "rows":
                break
            answers.put((yield Rows(content)))
    finally:
        if kind == "rows":
            answers.put(None)
        thread.join()
    if kind == "raised":
        raise content
    result: T = content
    return result
