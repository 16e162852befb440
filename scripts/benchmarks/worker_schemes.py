"""Which scheme reaches a target first with thousands of workers and heavy-tailed evaluation times.

The clocks are simulated; the method is real (`cem.updates.SmoothedFit` on a Gaussian). Three schemes:

- synchronous: every worker serves one batch; the next is drawn when the last score of it has come;
- asynchronous: who is free gets a candidate from the distribution of the moment, which is refitted after
  every batchful of scores, in the order in which they come (`CrossEntropyMethod.ask` and `tell`);
- islands: ten synchronous runs side by side, each with a tenth of the workers and of the batch.

Times are in mean evaluation times; an evaluation's time does not depend on the candidate.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import cem
from cem.core.loop import Batch, State
from problems.command import carry_out_benchmark, make_benchmark_parser, positive
from problems.continuous import rastrigin

Times = Callable[[np.random.Generator, int], NDArray[np.float64]]
ISLANDS = 10


class Outcome(NamedTuple):
    """When the target was reached (infinite: never), the evaluations till then, the share of time worked."""

    time: float
    evaluations: float
    utilisation: float


def lognormal(sigma: float) -> Times:
    return lambda rng, n: rng.lognormal(-(sigma**2) / 2, sigma, n)


def pareto(index: float) -> Times:
    return lambda rng, n: (1 + rng.pareto(index, n)) * (index - 1) / index


TAILS = {
    "lognormal .5": lognormal(0.5),
    "lognormal 1.5": lognormal(1.5),
    "Pareto 2.5": pareto(2.5),
    "Pareto 1.5": pareto(1.5),
}


class Search:
    """The method: a distribution that learns from batches."""

    def __init__(self, d: int, target: float, rng: np.random.Generator) -> None:
        self.rng, self.target = rng, target
        self.update = cem.updates.SmoothedFit(0.7)
        # about a point of its own, so that the optimum is not the first mean
        self.state: State = self.update.init(cem.Gaussian(rng.uniform(-2, 2, d), std=2.5))

    def draw(self, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw candidates; give them and their scores."""
        x = self.state.family.sample(n, self.rng)
        return x, rastrigin(x)

    def learn(self, x: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        """Refit."""
        self.state = self.update.step(self.state, Batch(x, -scores, lambda: self.rng))

    @property
    def collapsed(self) -> bool:
        """Whether nothing can change any more."""
        return bool(self.state.family.std.max() < 1e-6)  # type: ignore[attr-defined]


def served(free: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when each job ends if it goes, in order, to the worker that is free first; `free` is updated."""
    if len(seconds) <= len(free):
        ends = free[: len(seconds)] + seconds
        free[: len(seconds)] = ends
        return ends
    heap = free.tolist()
    heapq.heapify(heap)
    ends = np.empty(len(seconds))
    for i, each in enumerate(seconds.tolist()):
        ends[i] = heap[0] + each
        heapq.heapreplace(heap, ends[i])
    free[:] = heap
    return ends


def synchronous(
    search: Search, workers: int, batch: int, times: Times, clocks: np.random.Generator, limit: int
) -> Outcome:
    now, evaluations, worked = 0.0, 0, 0.0
    while evaluations < limit and not search.collapsed:
        x, scores = search.draw(batch)
        seconds = times(clocks, batch)
        ends = served(np.full(workers, now), seconds)
        evaluations += batch
        worked += float(seconds.sum())
        hits = scores <= search.target
        if hits.any():
            end = float(ends[hits].min())
            return Outcome(end, evaluations, worked / workers / float(ends.max()))
        now = float(ends.max())
        search.learn(x, scores)
    return Outcome(np.inf, evaluations, worked / workers / now)


def asynchronous(
    search: Search, workers: int, batch: int, times: Times, clocks: np.random.Generator, limit: int
) -> Outcome:
    """Every worker always works, so that nothing of its time is lost; what is lost is up-to-dateness."""
    x, scores = search.draw(workers)
    heap = [(end, i) for i, end in enumerate(times(clocks, workers).tolist())]
    heapq.heapify(heap)
    evaluations = 0
    while evaluations < limit and not search.collapsed:
        fresh, fresh_scores = search.draw(batch)
        seconds = times(clocks, batch).tolist()
        came = np.empty(batch, dtype=np.int64)
        whole = np.concatenate([x, fresh])
        whole_scores = np.concatenate([scores, fresh_scores])
        for i in range(batch):
            end, which = heap[0]
            came[i] = which
            if whole_scores[which] <= search.target:
                return Outcome(end, evaluations + i + 1, 1.0)
            heapq.heapreplace(heap, (end + seconds[i], workers + i))
        evaluations += batch
        search.learn(whole[came], whole_scores[came])
        out = np.array([which for _, which in heap])
        x, scores = whole[out], whole_scores[out]
        heap = [(end, i) for i, (end, _) in enumerate(heap)]
    return Outcome(np.inf, evaluations, 1.0)


def islands(
    searches: list[Search], workers: int, batch: int, times: Times, clocks: np.random.Generator, limit: int
) -> Outcome:
    share = len(searches)
    runs = [
        synchronous(each, workers // share, batch // share, times, clocks, limit // share)
        for each in searches
    ]
    best = min(runs, key=lambda run: run.time)
    return Outcome(best.time, best.evaluations * share, float(np.mean([run.utilisation for run in runs])))


def run(scheme: str, workers: int, batch: int, tail: str, seed: int, d: int, limit: int) -> Outcome:
    streams = [np.random.default_rng([seed, i]) for i in range(ISLANDS + 1)]
    target = 1e-2
    clocks = streams[-1]
    if scheme == "islands":
        searches = [Search(d, target, rng) for rng in streams[:-1]]
        return islands(searches, workers, batch, TAILS[tail], clocks, limit)
    search = Search(d, target, streams[0])
    serve = synchronous if scheme == "synchronous" else asynchronous
    return serve(search, workers, batch, TAILS[tail], clocks, limit)


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0, runs=3)
    parser.add_argument("--workers", type=positive(int), default=10_000)
    parser.add_argument("--batches", type=positive(int), nargs="+", default=[1_000, 10_000, 40_000])
    parser.add_argument("--tails", nargs="+", choices=list(TAILS), default=list(TAILS))
    parser.add_argument("--dimension", type=positive(int), default=20)
    parser.add_argument("--max-evaluations", type=positive(int), default=4_000_000)
    given = parser.parse_args()
    print(
        f"{given.workers:,} workers, Rastrigin in {given.dimension} variables to 0.01; medians of "
        f"{given.runs} seeds ('never' counts as infinite); time in mean evaluation times\n"
    )
    print(
        f"{'tail':<15}{'batch':>8}  {'scheme':<14}{'reached':>8}{'time':>10}{'evaluations':>13}{'worked':>8}"
    )
    for tail in given.tails:
        for batch in given.batches:
            for scheme in ("synchronous", "asynchronous", "islands"):
                outcomes = [
                    run(scheme, given.workers, batch, tail, seed, given.dimension, given.max_evaluations)
                    for seed in range(given.seed, given.seed + given.runs)
                ]
                reached = sum(np.isfinite(each.time) for each in outcomes)
                time, evaluations, worked = np.median(outcomes, axis=0)
                print(
                    f"{tail:<15}{batch:>8,}  {scheme:<14}{reached:>5}/{given.runs}{time:>11.1f}"
                    f"{evaluations:>13,.0f}{worked:>8.0%}",
                    flush=True,
                )


if __name__ == "__main__":
    carry_out_benchmark(main)
