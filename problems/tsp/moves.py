"""Improving a tour: 2-opt and Or-opt on neighbour lists, then kicks that are undone unless they pay.

The same functions are compiled where numba is there, and run on lists where it is not.

References
----------
Bentley (1992), "Fast algorithms for geometric traveling salesman problems", ORSA Journal on Computing 4(4)
(neighbour lists and don't-look bits); Or (1976), PhD thesis, Northwestern University (moves of up to three
cities); Martin, Otto & Felten (1991), "Large-step Markov chains for the traveling salesman problem", Complex
Systems 5 (the double bridge).
"""

from __future__ import annotations

from typing import Any

from problems.compilation import COMPILED, compiled

__all__ = ["COMPILED", "LONGEST_MOVED", "LONGEST_SWAPPED", "descend", "improve_tour", "reverse", "shift"]

LONGEST_MOVED = 3  # cities that Or-opt moves at once
LONGEST_SWAPPED = 50  # cities of either part that a kick swaps


@compiled
def reverse(tour: Any, place: Any, i: int, count: int) -> None:
    """Reverse `count` cities from place `i` on, or the rest of the tour, which is the same cycle."""
    n = len(tour)
    if 2 * count > n:
        i, count = i + count, n - count
    for k in range(count // 2):
        a, b = (i + k) % n, (i + count - 1 - k) % n
        tour[a], tour[b] = tour[b], tour[a]
        place[tour[a]] = a
        place[tour[b]] = b


@compiled
def shift(tour: Any, place: Any, i: int, count: int, u: int, turned: bool, spare: Any) -> None:
    """Move `count` cities from place `i` on between city `u` and its successor, turned round or not."""
    n = len(tour)
    for k in range(count):
        spare[k] = tour[(i + k) % n]
    ahead = (place[u] - (i + count - 1)) % n
    behind = n - count - ahead
    if ahead <= behind:
        for k in range(ahead):
            moved = tour[(i + count + k) % n]
            tour[(i + k) % n] = moved
            place[moved] = (i + k) % n
        first = i + ahead
    else:
        for k in range(behind):
            moved = tour[(i - 1 - k) % n]
            tour[(i + count - 1 - k) % n] = moved
            place[moved] = (i + count - 1 - k) % n
        first = i - behind
    for k in range(count):
        city = spare[count - 1 - k] if turned else spare[k]
        at = (first + k) % n
        tour[at] = city
        place[city] = at


@compiled
def try_two_opt(tour: Any, place: Any, d: Any, near: Any, a: int, eps: float, touched: Any) -> float:
    """Make the first 2-opt move at city `a` that pays; return its gain, 0 for none."""
    n = len(tour)
    for step in (1, -1):
        b = tour[(place[a] + step) % n]
        there = d[a][b]
        for c in near[a]:
            saved = there - d[a][c]
            if saved <= eps:
                break
            e = tour[(place[c] + step) % n]
            gain = saved + d[c][e] - d[b][e]
            if gain > eps:
                if step == 1:
                    reverse(tour, place, place[b], (place[c] - place[b]) % n + 1)
                else:
                    reverse(tour, place, place[c], (place[b] - place[c]) % n + 1)
                touched[0], touched[1], touched[2], touched[3] = a, b, c, e
                return float(gain)
    return 0.0


@compiled
def try_or_opt(
    tour: Any, place: Any, d: Any, near_to: Any, near_from: Any, symmetric: bool, a: int, eps: float,
    touched: Any, spare: Any,
) -> float:  # fmt: skip
    """Make the first move of one to three cities that end at `a` that pays; return its gain, 0 for none."""
    n = len(tour)
    for count in range(1, min(LONGEST_MOVED, n - 3) + 1):
        for last in (True, False):
            i = (place[a] - count + 1) % n if last else place[a]
            s, e = tour[i], tour[(i + count - 1) % n]
            p, q = tour[(i - 1) % n], tour[(i + count) % n]
            freed = d[p][s] + d[e][q] - d[p][q]
            for c in near_to[a] if last else near_from[a]:
                joined = d[a][c] if last else d[c][a]
                if freed - joined <= eps:
                    break
                if (place[c] - i) % n < count:
                    continue
                for turned in (False, True):
                    if turned and not symmetric:
                        break
                    before = last != turned  # c follows a: the cities go before it
                    u = tour[(place[c] - 1) % n] if before else c
                    v = c if before else tour[(place[c] + 1) % n]
                    if (place[u] - i) % n < count or (place[v] - i) % n < count:
                        continue
                    head, tail = (e, s) if turned else (s, e)
                    gain = freed - (d[u][head] + d[tail][v] - d[u][v])
                    if gain > eps:
                        shift(tour, place, i, count, u, turned, spare)
                        touched[0], touched[1], touched[2], touched[3] = p, q, u, v
                        touched[4], touched[5] = s, e
                        return float(gain)
    return 0.0


@compiled
def descend(
    tour: Any, place: Any, d: Any, near_to: Any, near_from: Any, symmetric: bool, eps: float,
    queue: Any, queued: Any, waiting: int, touched: Any, spare: Any,
) -> float:  # fmt: skip
    """Move until no queued city has a move that pays; return what that gained."""
    n = len(tour)
    gained, first = 0.0, 0
    while waiting > 0:
        a = queue[first]
        first = (first + 1) % n
        waiting -= 1
        queued[a] = 0
        while True:
            for k in range(6):
                touched[k] = a
            gain = 0.0
            if symmetric:
                gain = try_two_opt(tour, place, d, near_to, a, eps, touched)
            if gain == 0.0:
                gain = try_or_opt(tour, place, d, near_to, near_from, symmetric, a, eps, touched, spare)
            if gain == 0.0:
                break
            gained += gain
            for k in range(6):
                c = touched[k]
                if queued[c] == 0 and c != a:
                    queue[(first + waiting) % n] = c
                    queued[c] = 1
                    waiting += 1
    return gained


@compiled
def improve_tour(
    tour: Any, best: Any, place: Any, d: Any, near_to: Any, near_from: Any, symmetric: bool, eps: float,
    chances: Any, queue: Any, queued: Any, touched: Any, spare: Any,
) -> None:  # fmt: skip
    """Improve a tour of 8 cities or more to a local optimum, then kick it once for each row of `chances`.

    A kick swaps two neighbouring parts of the tour. It is undone unless the local optimum that it leads to
    is no longer than before. The outcome is in `tour`; the other arrays are to work with.
    """
    n = len(tour)
    for k in range(n):
        place[tour[k]] = k
        queue[k] = tour[k]
        queued[tour[k]] = 1
    descend(tour, place, d, near_to, near_from, symmetric, eps, queue, queued, n, touched, spare)
    for k in range(n):
        best[k] = tour[k]
    longest = min(LONGEST_SWAPPED, (n - 2) // 2)
    for kick in range(len(chances)):
        i = int(chances[kick][0] * n)
        one = 1 + int(chances[kick][1] * longest)
        two = 1 + int(chances[kick][2] * longest)
        p, s, e = tour[i], tour[(i + 1) % n], tour[(i + one) % n]
        t, f, q = tour[(i + one + 1) % n], tour[(i + one + two) % n], tour[(i + one + two + 1) % n]
        gain = d[p][s] + d[e][t] + d[f][q] - d[p][t] - d[f][s] - d[e][q]
        shift(tour, place, (i + 1) % n, one, f, False, spare)
        waiting = 0
        for c in (p, s, e, t, f, q):
            if queued[c] == 0:
                queue[waiting] = c
                queued[c] = 1
                waiting += 1
        gain += descend(
            tour, place, d, near_to, near_from, symmetric, eps, queue, queued, waiting, touched, spare
        )
        if gain < -eps:
            for k in range(n):
                tour[k] = best[k]
                place[tour[k]] = k
        else:
            for k in range(n):
                best[k] = tour[k]
