"""Improving an order of jobs: insertion to a local optimum, then a few jobs taken out and put back, greedily.

The same functions are compiled where numba is there, and run on lists where it is not.

References
----------
Taillard (1990), "Some efficient heuristic methods for the flow shop sequencing problem", European Journal of
Operational Research 47(1) (all places of a job in the time of one makespan); Ruiz & Stützle (2007), "A simple
and effective iterated greedy algorithm for the permutation flowshop scheduling problem", European Journal of
Operational Research 177(3) (the search, the number of jobs and the temperature).
"""

from __future__ import annotations

import math
from typing import Any

from problems.compilation import COMPILED, compiled

__all__ = ["COMPILED", "HEAT", "best_place", "descend", "improve_order", "random_below"]

TAKEN_OUT = 4  # jobs
HEAT = 0.04  # of a mean time: the temperature at which a worse order is gone on from
MULTIPLIER, MODULUS = 48271, 2**31 - 1  # Park & Miller's minimal generator, as revised in 1993


@compiled
def random_below(n: int, seed: Any) -> int:
    """Return a random number of 0 … n-1; `seed`, of one entry from 1 to MODULUS - 1, moves on."""
    seed[0] = seed[0] * MULTIPLIER % MODULUS
    return int(seed[0] * n // MODULUS)


@compiled
def best_place(
    order: Any, count: int, job: int, times: Any, head: Any, tail: Any, first: int
) -> tuple[float, int]:
    """Return the least makespan with `job` put in among the first `count` of `order`, and its place.

    Of places that are equally good it is the one that comes first from `first` on, cyclically. `times` has a
    row a job; `head` and `tail`, of shape (n + 1, machines + 1), are to work with: their first column and the
    last, and the first row of `head`, must be 0.
    """
    m = len(times[0])
    for i in range(count):  # when each machine is done with the job
        own, before, now = times[order[i]], head[i], head[i + 1]
        done = 0.0
        for k in range(m):
            if before[k + 1] > done:
                done = before[k + 1]
            done += own[k]
            now[k + 1] = done
    for k in range(m):
        tail[count][k] = 0.0
    for i in range(count - 1, -1, -1):  # from when each machine begins with the job to the end
        own, after, now = times[order[i]], tail[i + 1], tail[i]
        left = 0.0
        for k in range(m - 1, -1, -1):
            if after[k] > left:
                left = after[k]
            left += own[k]
            now[k] = left
    own = times[job]
    least, place = math.inf, 0
    for i in range(first, first + count + 1):
        at = i if i <= count else i - count - 1
        before, after = head[at], tail[at]
        done, longest = 0.0, 0.0
        for k in range(m):
            if before[k + 1] > done:
                done = before[k + 1]
            done += own[k]
            if done + after[k] > longest:
                longest = done + after[k]
        if longest < least:
            least, place = longest, at
    return least, place


@compiled
def put_in(order: Any, count: int, job: int, place: int) -> None:
    """Put `job` in at a place of the first `count` of `order`."""
    for i in range(count, place, -1):
        order[i] = order[i - 1]
    order[place] = job


@compiled
def take_out(order: Any, count: int, place: int) -> int:
    """Take the job at a place out of the first `count` of `order`; return it."""
    job = order[place]
    for i in range(place, count - 1):
        order[i] = order[i + 1]
    return int(job)


@compiled
def descend(order: Any, times: Any, head: Any, tail: Any, jobs: Any, eps: float, seed: Any) -> float:
    """Move one job at a time to its best place until none gains; return the makespan."""
    n = len(order)
    for k in range(n - 1, 0, -1):
        other = random_below(k + 1, seed)
        jobs[k], jobs[other] = jobs[other], jobs[k]
    value, k, since = math.inf, 0, 0
    while since < n:
        job = jobs[k]
        k = k + 1 if k + 1 < n else 0
        place = 0
        while order[place] != job:
            place += 1
        take_out(order, n, place)
        found, place = best_place(order, n - 1, job, times, head, tail, random_below(n, seed))
        put_in(order, n - 1, job, place)
        since += 1
        if found < value - eps:
            value, since = found, 0
    return value


@compiled
def improve_order(
    order: Any, best: Any, kept: Any, times: Any, head: Any, tail: Any, jobs: Any, taken: Any,
    kicks: int, temperature: float, eps: float, seed: Any,
) -> None:  # fmt: skip
    """Improve an order to a local optimum, then by as many kicks; the best of all is put into `best`.

    A kick takes a few jobs out and puts each back where it is best. Where the local optimum that it leads to
    is longer than before, it is gone on from with the probability of annealing. `seed` has one entry, from 1
    to MODULUS - 1; the other arrays are to work with.
    """
    n = len(order)
    for k in range(n):
        jobs[k] = order[k]
    value = descend(order, times, head, tail, jobs, eps, seed)
    least = value
    for k in range(n):
        best[k] = order[k]
    out = min(TAKEN_OUT, n - 1)
    for _ in range(kicks):
        for k in range(n):
            kept[k] = order[k]
        for k in range(out):
            taken[k] = take_out(order, n - k, random_below(n - k, seed))
        for k in range(out):
            count = n - out + k
            _, place = best_place(order, count, taken[k], times, head, tail, random_below(count + 1, seed))
            put_in(order, count, taken[k], place)
        found = descend(order, times, head, tail, jobs, eps, seed)
        worse = found - value
        if worse <= eps or random_below(MODULUS, seed) < MODULUS * math.exp(-worse / temperature):
            value = found
        else:
            for k in range(n):
                order[k] = kept[k]
        if found < least - eps:
            least = found
            for k in range(n):
                best[k] = order[k]
