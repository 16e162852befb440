"""The permutation flow shop problem with makespan."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cem.families.base import Array, Floats, Index
from problems.flowshop import insertion
from problems.frozen import Seed
from problems.numbers import check_finite, check_finite_sum, check_whole_sum, read_numbers, shape_of
from problems.orders import OrderProblem, check_orders
from problems.reading import Words, naming, read_lines, stem

MOST_TIMES = 2**24  # of a random instance
_KICKS = {True: 5.0, False: 0.25}  # per job and effort; compiled, they take a fiftieth of the time


@dataclass(frozen=True, eq=False, repr=False)
class FlowShop(OrderProblem):
    """Find the order of jobs in which all are done soonest, each passing all machines in the same order.

    A candidate lists the jobs in the order in which every machine takes them. Its value is the makespan: the
    time at which the last job leaves the last machine.

    Parameters
    ----------
    times : array_like, shape (machines, n)
        How long each machine takes for each job, finite, 0 or more. Kept as float64.
    optimum : float, optional
        The least makespan, where it is known.
    name : str, optional
        What to call the problem in reports.

    Raises
    ------
    TypeError
        If a number is not real.
    ValueError
        If the shape does not fit, or a time is negative, not finite, or whole and too large for exact sums.

    Notes
    -----
    The search improves each candidate by insertion and by kicks, as `problems.flowshop.insertion` says: 5 per
    job for each effort where numba is there, one per 4 jobs where it is not. Each kick counts as an
    evaluation.

    Examples
    --------
    >>> problem = FlowShop([[3, 1], [1, 3]])
    >>> problem([[0, 1], [1, 0]]).tolist()
    [7.0, 5.0]
    """

    times: Any
    optimum: float | None = None
    name: str = "flowshop"
    n: int = field(init=False)

    kind: ClassVar[str] = "position"
    fewest: ClassVar[int] = 2

    def __post_init__(self) -> None:
        shape = shape_of("times", self.times)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"times must be a matrix, one row per machine, got shape {shape}")
        times, whole = read_numbers("times", self.times)
        check_finite("times", times, least=0)
        check_finite_sum("the times", times)
        if whole:
            check_whole_sum("the times", times)
        self._keep(times=times.copy(), n=shape[1])

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        number: int = 1,
        *,
        optimum: float | None = None,
        name: str | None = None,
    ) -> FlowShop:
        """Read an instance in Taillard's format.

        Each instance of a file is a line of words that name numbers, a line of these numbers (jobs,
        machines, the seed, an upper and a lower bound), a line of words again, and a row of times for each
        machine. The lines of words may be missing, and so may the seed and the bounds.

        Parameters
        ----------
        path : path-like
            The file.
        number : int
            Which of its instances, counting from 1.
        optimum : float, optional
            As for the class. (The file's bounds are not taken for it.)
        name : str, optional
            As for the class; the file's name without its suffix, and the number, by default.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it holds no such instance; the message names the file and the line.

        References
        ----------
        Taillard (1993), "Benchmarks for basic scheduling problems", European Journal of Operational Research
        64(2).
        """
        lines = [line if _is_of_numbers(line) else "" for line in read_lines(path)]
        rows = [k for k, line in enumerate(lines) if line.strip()]
        place = 0
        for k in range(1, max(number, 1) + 1):
            if place >= len(rows) or number < 1:
                last = max(1, len(lines))
                raise ValueError(f"{path}, line {last}: the file has {k - 1} instances; there is no {number}")
            head = Words(path, [lines[rows[place]]], rows[place] + 1)
            n, machines = head.count("the number of jobs"), head.count("the number of machines")
            begin = rows[place] + 1
            end = rows[place + machines] + 1 if place + machines < len(rows) else len(lines)
            words = Words(path, lines[begin:end], begin + 1)
            if k == number:
                values = words.numbers(n * machines, "a time", least=0)
                words.finish(f"{machines} rows of {n} times")
            place += machines + 1
        times = [values[i * n : (i + 1) * n] for i in range(machines)]
        with naming(path):
            return cls(times, optimum, name or f"{stem(Path(path))}-{number}")

    @classmethod
    def random(cls, n: int, machines: int, *, rng: Seed = None) -> FlowShop:
        """Draw times of 1 … 99 for `n` jobs on some machines, as Taillard's instances have them.

        Parameters
        ----------
        n, machines : int
            How many, 1 or more each.
        rng : None, int, SeedSequence or Generator
            The randomness.

        Raises
        ------
        ValueError
            If there are too few or too many.
        """
        if n < 1 or machines < 1 or n * machines > MOST_TIMES:
            raise ValueError(
                f"n and machines must be 1 or more, and n * machines at most 2**24; got {n}, {machines}"
            )
        times = np.random.default_rng(rng).integers(1, 99, size=(machines, n), endpoint=True)
        return cls(times, name=f"random-{n}x{machines}")

    def schedule(self, x: ArrayLike) -> Floats:
        """Return when each machine begins each job, shape ``(machines, n)``, if jobs run in the order `x`.

        Parameters
        ----------
        x : array_like of int, shape (n,)
            The numbers ``0 … n-1``, each once.

        Returns
        -------
        ndarray of float64, shape (machines, n)
            Column `j` belongs to job `j`; all as early as they can be.

        Raises
        ------
        TypeError, ValueError
            If `x` is no order.
        """
        (order,) = check_orders(np.asarray(x)[None], self.n)
        starts, free = np.empty_like(self.times, dtype=np.float64), np.zeros(len(self.times))
        for job in order.tolist():
            ready = 0.0
            for machine in range(len(self.times)):
                starts[machine, job] = max(ready, free[machine])
                ready = free[machine] = starts[machine, job] + self.times[machine, job]
        return starts

    def _draw(self, order: Index, value: str, ax: Any) -> Any:
        """Draw a schedule as a Gantt chart: a row a machine, a bar a job."""
        from problems.pictures import draw_schedule

        starts = self.schedule(order)[:, order]
        return draw_schedule(starts, self.times[:, order], order, f"{self.name}: makespan {value}", ax)

    def _evaluate(self, rows: Index) -> Floats:
        done = np.zeros((len(self.times), len(rows)))  # when each machine is free again
        for jobs in rows.T:
            before: Floats = np.zeros(len(rows))
            for machine, times in enumerate(self.times):
                before = np.maximum(before, done[machine]) + times[jobs]
                done[machine] = before
        return np.asarray(done[-1])

    # --- the search ---------------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        """What the search is called in histories, with what runs it."""
        return "insertion (numba)" if insertion.COMPILED else "insertion (Python)"

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[Index, int]:
        machines, n = self.times.shape
        kicks = max(1, round(_KICKS[insertion.COMPILED] * n * effort))
        whole = bool((self.times == np.floor(self.times)).all())
        eps = 0.0 if whole else 1e-12 * float(self.times.sum())
        temperature = insertion.HEAT * float(self.times.mean())
        better = X.astype(np.int64)
        for row in better:
            given: list[Any] = [row.copy(), self.times.T.copy(), rng.integers(1, insertion.MODULUS, 1)]
            work: list[Any] = [np.zeros(size, np.int64) for size in (n, n, n, insertion.TAKEN_OUT)]
            work += [np.zeros((n + 1, machines + 1)) for _ in range(2)]
            if not insertion.COMPILED:
                given, work = ([each.tolist() for each in arrays] for arrays in (given, work))
            order, times, seed = given
            best, kept, jobs, taken, head, tail = work
            insertion.improve_order(
                order, best, kept, times, head, tail, jobs, taken, kicks, temperature, eps, seed
            )
            row[:] = best
        return better, len(X) * kicks


def _is_of_numbers(line: str) -> bool:
    """Whether a line is meant to be one of numbers: its first word begins like one."""
    return line.strip()[:1] in tuple("0123456789+-.")
