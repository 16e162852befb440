"""The permutation flow shop problem with makespan."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cem.families.base import Floats, Index
from problems.frozen import Seed
from problems.numbers import check_finite_sum, check_whole_sum, read_numbers
from problems.orders import OrderProblem, check_orders
from problems.reading import Words, read_lines, stem

MOST_TIMES = 2**24  # of a random instance


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

    def __post_init__(self) -> None:
        shape = np.shape(self.times)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"times must be a matrix, one row per machine, got shape {shape}")
        times, whole = read_numbers("times", self.times)
        if not (good := np.isfinite(times) & (times >= 0)).all():
            i, j = np.argwhere(~good)[0]
            raise ValueError(f"times[{i}, {j}] = {times[i, j]} must be finite and not negative")
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
        try:
            return cls(times, optimum, name or f"{stem(Path(path))}-{number}")
        except ValueError as fault:
            raise ValueError(f"{path}: {fault}") from None

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

    def plot(self, x: ArrayLike, *, ax: Any = None) -> Any:
        """Draw a schedule as a Gantt chart: a row a machine, a bar a job.

        Parameters
        ----------
        x : array_like of int, shape (n,)
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        TypeError, ValueError
            If `x` is no order.
        ImportError
            If matplotlib is not installed.
        """
        from problems.pictures import draw_schedule

        starts, (order,) = self.schedule(x), check_orders(np.asarray(x)[None], self.n)
        title = f"{self.name}: makespan {float((starts + self.times).max()):,.10g}"
        return draw_schedule(starts[:, order], self.times[:, order], order, title, ax)

    def _evaluate(self, rows: Index) -> Floats:
        done = np.zeros((len(self.times), len(rows)))  # when each machine is free again
        for jobs in rows.T:
            before: Floats = np.zeros(len(rows))
            for machine, times in enumerate(self.times):
                before = np.maximum(before, done[machine]) + times[jobs]
                done[machine] = before
        return np.asarray(done[-1])


def _is_of_numbers(line: str) -> bool:
    """Whether a line is meant to be one of numbers: its first word begins like one."""
    return line.strip()[:1] in tuple("0123456789+-.")
