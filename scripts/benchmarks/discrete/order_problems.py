"""Black boxes on orders, minimised: assignments, tours, linear orderings and flow shops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from string_problems import Instance


def assignment(n: int, rng: np.random.Generator) -> Instance:
    """A quadratic assignment of random flows to places in the plane."""
    place = rng.random((n, 2))
    distance = np.hypot(*(place[:, None] - place).T)
    flow = np.triu(rng.integers(0, 10, (n, n)) * (rng.random((n, n)) < 0.5), 1)
    flow = flow + flow.T
    return Instance(
        "QAP", np.full(n, n), lambda x: (flow * distance[x[:, :, None], x[:, None, :]]).sum(axis=(1, 2))
    )


def tour(n: int, rng: np.random.Generator) -> Instance:
    place = rng.random((n, 2))
    distance = np.hypot(*(place[:, None] - place).T)
    return Instance("TSP", np.full(n, n), lambda x: distance[x, np.roll(x, -1, axis=1)].sum(axis=1))


def linear_ordering(n: int, rng: np.random.Generator) -> Instance:
    worth = rng.integers(0, 100, (n, n))
    return Instance(
        "linear ordering",
        np.full(n, n),
        lambda x: np.tril(worth[x[:, :, None], x[:, None, :]], -1).sum(axis=(1, 2)) * 1.0,
    )


def flow_shop(n: int, rng: np.random.Generator) -> Instance:
    """The makespan of n jobs on ten machines."""
    times = rng.integers(1, 100, (n, 10))

    def f(x: np.ndarray) -> np.ndarray:
        done = np.zeros((len(x), times.shape[1]))
        for column in x.T:
            before = np.zeros(len(x))
            for m in range(times.shape[1]):
                before = np.maximum(before, done[:, m]) + times[column, m]
                done[:, m] = before
        return done[:, -1]

    return Instance("flow shop", np.full(n, n), f)


ORDERS: dict[str, tuple[Callable[[int, np.random.Generator], Instance], tuple[int, ...]]] = {
    "QAP": (assignment, (20, 40)),
    "linear ordering": (linear_ordering, (20, 40)),
    "TSP": (tour, (20, 40, 60)),
    "flow shop": (flow_shop, (20, 40)),
}


def order_instances(
    names: list[str], seeds: list[int], small: bool = False, lengths: Sequence[int] = ()
) -> list[Instance]:
    """Return an instance of each seed and size (or only the smallest, or `lengths`) of the classes named."""
    return [
        ORDERS[name][0](n, np.random.default_rng([seed, n, i]))
        for i, name in enumerate(ORDERS)
        if name in names
        for n in lengths or ORDERS[name][1][: 1 if small else None]
        for seed in seeds
    ]
