"""Test functions over reals, whole numbers and categories, each with a random optimum of value 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import cem


@dataclass(frozen=True)
class Function:
    """A function of numbers ``z`` and category codes ``c``, and where its variables lie.

    Attributes
    ----------
    name : str
    value : callable
        ``value(z, c)``, at least 0.
    reals, integers : int
        How many numbers of either kind, in this order.
    half : float
        Reals lie in [-half, half], whole numbers in [-10, 10].
    categories : tuple of int
        How many labels each category has.
    """

    name: str
    value: Callable[[Any, Any], float]
    reals: int
    integers: int
    half: float
    categories: tuple[int, ...]

    @property
    def d(self) -> int:
        """Number of variables."""
        return self.reals + self.integers + len(self.categories)

    @property
    def space(self) -> cem.Space:
        """The space, with variables named z0 … and c0 …."""
        numbers: dict[str, Any] = {f"z{i}": cem.Real(-self.half, self.half) for i in range(self.reals)}
        for i in range(self.reals, self.reals + self.integers):
            numbers[f"z{i}"] = cem.Integer(-10, 10)
        return cem.Space(numbers | {f"c{i}": cem.Choice(range(k)) for i, k in enumerate(self.categories)})

    def of_dict(self, p: dict[str, Any]) -> float:
        """Return the value of a dict of the space."""
        z = np.array([p[f"z{i}"] for i in range(self.reals + self.integers)], dtype=float)
        return self.value(z, np.array([p[f"c{i}"] for i in range(len(self.categories))], dtype=int))


def _scales(n: int, rng: np.random.Generator) -> Any:
    return rng.permutation(10 ** (3 * np.arange(n) / max(1, n - 1)))


def sphere(d: int, rng: np.random.Generator) -> Function:
    """Half of the variables are whole numbers; no scales, no interaction."""
    n = d // 2
    best = np.concatenate([rng.uniform(-6, 6, d - n), rng.integers(-6, 7, n)])
    return Function(f"sphere {d}", lambda z, c: float(((z - best) ** 2).sum()), d - n, n, 10.0, ())


def ellipsoid(d: int, rng: np.random.Generator) -> Function:
    """Half of the variables are whole numbers; scales from 1 to 1,000."""
    n = d // 2
    best = np.concatenate([rng.uniform(-6, 6, d - n), rng.integers(-6, 7, n)])
    w = _scales(d, rng)
    return Function(f"ellipsoid {d}", lambda z, c: float((w * (z - best) ** 2).sum()), d - n, n, 10.0, ())


def rosenbrock(d: int, rng: np.random.Generator) -> Function:
    """A curved valley through reals, then whole numbers."""
    n = d // 2
    shift = rng.integers(-4, 5, d)

    def value(z: Any, c: Any) -> float:
        y = z - shift
        return float((100 * (y[1:] - y[:-1] ** 2) ** 2 + (y[:-1] - 1) ** 2).sum())

    return Function(f"rosenbrock {d}", value, d - n, n, 10.0, ())


def separate(d: int, rng: np.random.Generator) -> Function:
    """An ellipsoid of reals, and the number of categories that are wrong."""
    n, k = d // 2, 4
    best, right, w = rng.uniform(-3, 3, d - n), rng.integers(0, k, n), _scales(d - n, rng)

    def value(z: Any, c: Any) -> float:
        return float((w * (z - best) ** 2).sum() + (c != right).sum())

    return Function(f"separate {d}", value, d - n, 0, 5.0, (k,) * n)


def leading(d: int, rng: np.random.Generator) -> Function:
    """A category counts only where all before it are right; the reals only where these are."""
    n, k = d // 2, 3
    best, right, w = rng.uniform(-3, 3, d - n), rng.integers(0, k, n), _scales(d - n, rng)

    def value(z: Any, c: Any) -> float:
        wrong = c != right
        first = int(np.argmax(wrong)) if wrong.any() else n
        return float((w * (z - best) ** 2).sum() + n - first)

    return Function(f"leading {d}", value, d - n, 0, 5.0, (k,) * n)


def pairs(d: int, rng: np.random.Generator) -> Function:
    """Neighbouring categories share random costs; the reals are a rotated ellipsoid."""
    n, k = d // 2, 4
    best, right, w = rng.uniform(-3, 3, d - n), rng.integers(0, k, n), _scales(d - n, rng) ** (2 / 3)
    rotation = np.linalg.qr(rng.standard_normal((d - n, d - n)))[0]
    cost = rng.random((n, k, k)) + 0.1
    cost[np.arange(n), right, np.roll(right, -1)] = 0

    def value(z: Any, c: Any) -> float:
        bowl = (w * (rotation @ (z - best)) ** 2).sum()
        return float(bowl + cost[np.arange(n), c, np.roll(c, -1)].sum())

    return Function(f"pairs {d}", value, d - n, 0, 5.0, (k,) * n)


def moving(d: int, rng: np.random.Generator) -> Function:
    """Each real's optimum lies elsewhere for each label of a category of its own."""
    n, k = d // 2, 4
    places, cost, right = rng.uniform(-3, 3, (n, k)), rng.random((n, k)), rng.integers(0, k, n)
    cost[np.arange(n), right] = 0

    def value(z: Any, c: Any) -> float:
        return float(
            ((z[:n] - places[np.arange(n), c]) ** 2).sum() + (z[n:] ** 2).sum() + cost[np.arange(n), c].sum()
        )

    return Function(f"moving {d}", value, d - n, 0, 5.0, (k,) * n)


def switched(d: int, rng: np.random.Generator) -> Function:
    """One category chooses another rotated ellipsoid; the others may be wrong or right."""
    n, k = max(1, d // 3), 4
    r = d - n
    places, rises = rng.uniform(-3, 3, (k, r)), rng.permutation(k) * 0.5
    rotations = [np.linalg.qr(rng.standard_normal((r, r)))[0] for _ in range(k)]
    right, w = rng.integers(0, k, n), _scales(r, rng) ** (2 / 3)

    def value(z: Any, c: Any) -> float:
        bowl = (w * (rotations[c[0]] @ (z - places[c[0]])) ** 2).sum()
        return float(bowl + rises[c[0]] + (c[1:] != right[1:]).sum())

    return Function(f"switched {d}", value, r, 0, 5.0, (k,) * n)


def thirds(d: int, rng: np.random.Generator) -> Function:
    """Reals, whole numbers and categories, a third each."""
    n = d // 3
    numbers = d - n
    best = np.concatenate([rng.uniform(-3, 3, numbers - n), rng.integers(-4, 5, n)])
    right, w = rng.integers(0, 3, n), _scales(numbers, rng)

    def value(z: Any, c: Any) -> float:
        return float((w * (z - best) ** 2).sum() + 3 * (c != right).sum())

    return Function(f"thirds {d}", value, numbers - n, n, 5.0, (3,) * n)


INTEGERS = (sphere, ellipsoid, rosenbrock)
CATEGORIES = (separate, leading, pairs, thirds)
DEPENDENT = (moving, switched)
GROUPS = {"integers": INTEGERS, "categories": CATEGORIES, "dependent": DEPENDENT}
