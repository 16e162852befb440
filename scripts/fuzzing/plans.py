"""Optimisation of every kind of space by every plan, and by ask and tell."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

import cem
from fuzzing.runner import demand
from fuzzing.scores import Seen, make_score, read

Space = tuple[str, dict[str, Any], Callable[[Any], bool]]
"""Its name, arguments of `optimize` that make it, and whether a candidate belongs to it."""


def _box(rng: np.random.Generator) -> Space:
    d = int(rng.integers(1, 6))
    size = 10.0 ** rng.integers(-12, 13, d) if rng.random() < 0.3 else np.ones(d)
    low = size * rng.uniform(-3, 1, d)
    high = low + size * rng.uniform(0, 4, d)
    if rng.random() < 0.2:
        high[0] = low[0]
    bounds: Any = (
        [tuple(side) for side in zip(low, high, strict=True)] if rng.random() < 0.7 else Bounds(low, high)
    )
    given: dict[str, Any] = {"bounds": bounds}
    if rng.random() < 0.2:
        shape = (d,) if rng.random() < 0.6 else (int(rng.integers(1, 4)), d)
        given["start"] = low + (high - low) * rng.random(shape)
    return f"box {low} {high}", given, lambda x: bool(np.all((x >= low) & (x <= high)))


def _integers(rng: np.random.Generator) -> Space:
    d = int(rng.integers(1, 5))
    low = rng.integers(-9, 3, d).astype(float)
    high = low + 10.0 ** rng.integers(0, 8, d) * rng.integers(0, 4, d)
    whole = np.ones(d, dtype=bool) if rng.random() < 0.5 else rng.random(d) < 0.5

    def belongs(x: Any) -> bool:
        return bool(np.all((x >= low) & (x <= high)) and np.all(x[whole] == np.round(x[whole])))

    given = {"bounds": list(zip(low, high, strict=True)), "integrality": whole.astype(int)}
    return f"whole {whole} in {low} {high}", given, belongs


def _named(rng: np.random.Generator) -> Space:
    variables: dict[str, Any] = {
        "a": cem.Real(-1, 2),
        "b": cem.Real(1e-6, 10, log=True),
        "n": cem.Integer(-2, 5),
        "m": cem.Integer(1, 100_000, log=True),
        "c": cem.Choice(["one", "two", "three"]),
        "o": cem.Choice([1, 2, 4, 8]),
        "k": cem.Choice(
            {"x": cem.Space(u=cem.Real(0, 1)), "y": cem.Space(v=cem.Integer(0, 3)), "z": cem.Space()}
        ),
    }
    names = list(rng.permutation(list(variables))[: rng.integers(1, 6)])
    kept = {name: variables[name] for name in names}

    def belongs(x: Any) -> bool:
        right = {
            "a": lambda v: -1 <= v <= 2,
            "b": lambda v: 1e-6 <= v <= 10,
            "n": lambda v: isinstance(v, int) and -2 <= v <= 5,
            "m": lambda v: isinstance(v, int) and 1 <= v <= 100_000,
            "c": lambda v: v in ("one", "two", "three"),
            "o": lambda v: v in (1, 2, 4, 8),
            "k": lambda v: v in ("x", "y", "z"),
            "u": lambda v: 0 <= v <= 1,
            "v": lambda v: isinstance(v, int) and 0 <= v <= 3,
        }
        inner = {"x": {"u"}, "y": {"v"}, "z": set()}[x["k"]] if "k" in names else set()
        return set(x) == set(names) | inner and all(right[name](value) for name, value in x.items())

    return f"space of {names}", {"start": cem.Space(kept)}, belongs


def _bits(rng: np.random.Generator) -> Space:
    p = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0], rng.integers(1, 14))
    start: Any = cem.Bernoulli(p) if rng.random() < 0.5 else cem.BernoulliTree.independent(p)
    return f"{type(start).__name__} {p}", {"start": start}, lambda x: bool(np.all((x == 0) | (x == 1)))


def _labels(rng: np.random.Generator) -> Space:
    rows = [rng.dirichlet(np.ones(rng.integers(1, 6))) for _ in range(rng.integers(1, 8))]
    sizes = np.array([len(row) for row in rows])
    return f"labels {sizes}", {"start": cem.Categorical(rows)}, lambda x: bool(np.all((x >= 0) & (x < sizes)))


def _orders(rng: np.random.Generator) -> Space:
    n, kind = int(rng.integers(1, 9)), ("transition", "position")[rng.integers(2)]
    return f"{kind} orders of {n}", {"start": cem.Permutation(n, kind)}, lambda x: sorted(x) == list(range(n))


def _families(rng: np.random.Generator) -> Space:
    d = int(rng.integers(1, 4))
    ones = np.ones(d)
    makers: list[tuple[Callable[[], Any], Callable[[Any], bool]]] = [
        (lambda: cem.Exponential(ones), lambda x: bool(np.all(x >= 0))),
        (lambda: cem.Gamma(2 * ones, ones), lambda x: bool(np.all(x >= 0))),
        (lambda: cem.Gaussian(0 * ones, std=ones), lambda x: bool(np.isfinite(x).all())),
        (lambda: cem.Gaussian(0 * ones, covariance=np.eye(d) + 0.5), lambda x: bool(np.isfinite(x).all())),
        (
            lambda: cem.GaussianMixture([1, 2], [0 * ones, ones], [ones, ones]),
            lambda x: bool(np.isfinite(x).all()),
        ),
        (lambda: cem.VonMisesFisherNakagami(np.ones(d + 1), 1, 2, 3), lambda x: bool(np.isfinite(x).all())),
        (
            lambda: cem.LinkageTree(rng.integers(0, 2, (9, d + 2))),
            lambda x: bool(np.all((x == 0) | (x == 1))),
        ),
        (
            lambda: cem.Product(a=cem.Gaussian([0.0], std=1.0), b=cem.Categorical([[0.5, 0.5]] * 2)),
            lambda x: set(x) == {"a", "b"},
        ),
    ]
    make, belongs = makers[rng.integers(len(makers))]
    start = make()
    return f"{type(start).__name__} of {d}", {"start": start}, belongs


SPACES = (_box, _integers, _named, _bits, _labels, _orders, _families)
UPDATES = (cem.updates.EliteArchive, cem.updates.PathAdaptation, cem.updates.SmoothedFit)


def _options(rng: np.random.Generator) -> dict[str, Any]:
    """Return options, a few at a time."""
    made: dict[str, Any] = {
        "max_evaluations": int(rng.choice([1, 2, 3, 7, 20, 60, 150, 400])),
        "maximize": rng.random() < 0.5,
    }
    choices: list[tuple[str, Callable[[], Any]]] = [
        ("method", lambda: "textbook"),
        ("population", lambda: int(rng.integers(1, 40))),
        ("elite_fraction", lambda: float(rng.choice([1e-9, 0.1, 0.5, 0.999]))),
        ("update", lambda: UPDATES[rng.integers(len(UPDATES))]()),
        ("polish", lambda: bool(rng.random() < 0.5)),
        ("restarts", lambda: int(rng.integers(0, 3))),
        ("tol", lambda: float(rng.choice([0.0, 1e-12, 1e-3, 10.0]))),
        ("target", lambda: float(rng.choice([-np.inf, -1.0, 0.0, 5e-324, 1.0, 1e308, np.inf]))),
        ("max_iterations", lambda: int(rng.integers(1, 20))),
        ("noisy", lambda: True),
        ("pass_rng", lambda: True),
        ("vectorized", lambda: True),
        ("callback", lambda: lambda intermediate_result: None),
    ]
    for name, choose in choices:
        if rng.random() < 0.13:
            made[name] = choose()
    return made


def _constraints(rng: np.random.Generator) -> Any:
    if rng.random() < 0.5:
        return LinearConstraint(
            rng.standard_normal((1, 2)), *np.sort(rng.choice([-np.inf, -1.0, 0.0, 1.0, np.inf], 2))
        )
    return NonlinearConstraint(lambda x: float(x[0] * x[-1]), -1, float(rng.choice([0.5, np.inf])))


def optimizing(rng: np.random.Generator) -> tuple[str, Callable[[], str]]:
    """Optimise something somehow, and look at all that is promised."""
    name, given, belongs = SPACES[rng.integers(len(SPACES))](rng)
    said, score = make_score(rng)
    options = _options(rng) | given
    if name.startswith(("box", "whole")) and rng.random() < 0.25:
        options |= {"constraints": _constraints(rng), "bounds": [(-2.0, 2.0)] * 2}
        options.pop("start", None)
        options |= {"integrality": [1, 0]} if "integrality" in options else {}
        belongs = lambda x: bool(np.all(np.abs(x) <= 2))  # noqa: E731
    if options.get("vectorized") and name.startswith(("space", "Product")):
        del options["vectorized"]
    noise = float(rng.choice([0.0, 1e-3, 1.0])) if options.get("noisy") or rng.random() < 0.1 else 0.0
    seed = int(rng.integers(2**31))
    again, whole = rng.random() < 0.3 and not noise, rng.random() < 0.2

    def act() -> str:
        seen = Seen(score, bool(options.get("vectorized")), noise)
        try:
            r = cem.optimize(seen, rng=seed, **options)
        finally:
            wrong = [x for x in seen.x if not belongs(x)]
            demand(not wrong, f"called outside the space, at {wrong[:1]}")
        check(r, seen, belongs, options, noise)
        if again:
            other = cem.optimize(Seen(score, bool(options.get("vectorized")), noise), rng=seed, **options)
            same = str(other.x) == str(r.x) and str(other.fun) == str(r.fun)
            demand(
                same and (other.nfev, other.message) == (r.nfev, r.message), "the same seed gave another run"
            )
        if whole:
            demand(str(pickle.loads(pickle.dumps(r)).x) == str(r.x), "the result does not pickle")
            json.dumps(r.to_dict())
            repr(r)
        return r.status.name.lower()

    shown = {k: v for k, v in options.items() if k not in ("start", "bounds", "callback", "integrality")}
    return f"{name}; scores: {said}; noise {noise:g}; {shown}; rng={seed}", act


def check(r: Any, seen: Seen, belongs: Callable[[Any], bool], options: dict[str, Any], noise: float) -> None:
    """Hold a result against the calls that were made for it."""
    sign = -1.0 if options["maximize"] else 1.0
    demand(r.nfev <= options["max_evaluations"], f"{r.nfev} evaluations")
    demand(r.nfev == len(seen.x), f"nfev is {r.nfev}, after {len(seen.x)} calls")
    demand(r.message, "no message")
    demand(r.success == r.status.success, "success contradicts the status")
    if r.x is None:
        demand(not r.success, "a success without a candidate")
        return
    demand(belongs(r.x), f"x is outside the space: {r.x}")
    target = options.get("target")
    if r.success and target is not None:
        demand(sign * r.fun <= sign * target, f"a success with {r.fun}, the target missed")
    if options.get("noisy") or "noisy" in r.message:
        demand(noise or options.get("noisy"), "called noisy, which it is not")
        return
    if noise:  # a space seen whole, each candidate once, is as far as a few evaluations show none
        whole = "evaluated" in r.message or len(seen.x) < 4 or r.nfev == options["max_evaluations"]
        demand(whole or not r.success, f"a success on noise that nobody spoke of: {r.message}")
        return
    if "constraints" in options:
        demand(r.maxcv >= 0, "maxcv is negative")
        demand(not r.success or r.maxcv <= 1e-6, "a success that violates the constraints")
    demand(str(read(seen.score(r.x)) + 0.0) == str(r.fun + 0.0), f"fun is {r.fun}, the score of x another")
    ranked = [sign * v for v in seen.values if not math.isnan(v)]
    if ranked and "constraints" not in options:
        demand(sign * r.fun == min(ranked), f"fun is {r.fun}, but {sign * min(ranked)} was seen")


def asking(rng: np.random.Generator) -> tuple[str, Callable[[], str]]:
    """Ask and tell with scores of all kinds."""
    name, given, belongs = SPACES[rng.integers(len(SPACES))](rng)
    given.pop("integrality", None)
    said, score = make_score(rng)
    more = {
        k: v for k, v in _options(rng).items() if k in ("population", "elite_fraction", "update", "maximize")
    }
    seed, rounds = int(rng.integers(2**31)), int(rng.integers(1, 12))
    part = rng.random() < 0.3

    def act() -> str:
        m = cem.CrossEntropyMethod(**given, **more, rng=seed)
        space = given.get("start") if isinstance(given.get("start"), cem.Space | cem.Product) else None
        for _ in range(rounds):
            X = m.ask()
            if space is None and not name.startswith("whole"):
                demand(all(belongs(x) for x in X), "asked outside the space")
            shown = X[: max(1, len(X) // 2)] if part else X
            m.tell(shown, [read(score(x)) for x in shown])
            demand(m.stop_reason() is None or m.stop_reason(), "an empty reason to stop")
        demand(not math.isnan(m.family.entropy()), "the entropy is NaN")
        demand(
            np.isfinite(np.asarray(m.family.sample(3, np.random.default_rng(1)), dtype=float)).all(),
            "draws are not finite",
        )
        return "stopped" if m.stop_reason() else "goes on"

    return f"{name}; scores: {said}; {more}; {rounds} rounds; rng={seed}", act
