"""``python -m cem``: versions, extras, and a check of all three uses against exact answers."""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

import numpy as np

import cem

INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended: 128 and the number of the signal
NEEDED = ("numpy", "scipy", "joblib")
EXTRAS = ("numba", "pandas", "tqdm", "matplotlib", "dask", "ray", "networkx", "optuna", "scikit-learn")


def main(arguments: list[str] | None = None) -> int:
    """Print what is installed and whether the answers are right; return 0 where they all are."""
    parser = argparse.ArgumentParser(prog="python -m cem", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of every check (1)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    found = {name: _version(name) for name in (*NEEDED, *EXTRAS)}
    checks, interrupted = _carry_out(given.seed)
    right = not interrupted and all(check["right"] for check in checks)
    report = {
        "cem": cem.__version__,
        "python": platform.python_version(),
        "packages": found,
        "checks": checks,
        "right": right,
        "interrupted": interrupted,
    }
    print(json.dumps(report, indent=2) if given.json else _text(report))  # noqa: T201 - a command's answer
    return INTERRUPTED if interrupted else 0 if right else 1


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _carry_out(seed: int) -> tuple[list[dict[str, Any]], bool]:
    """Carry out the checks; return those done, and whether Ctrl-C ended them."""

    def leave(*_: Any) -> NoReturn:
        raise SystemExit(INTERRUPTED)  # not KeyboardInterrupt, which ends one run only

    checks: list[dict[str, Any]] = []
    before = signal.signal(signal.SIGINT, leave)
    try:
        for name, check in CHECKS.items():
            checks.append(_checked(name, check, seed))
    except SystemExit:
        return checks, True
    finally:
        signal.signal(signal.SIGINT, before)
    return checks, False


def _checked(name: str, check: Callable[[int], tuple[float, float, bool]], seed: int) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        answer, exact, right = check(seed)
    except Exception as error:
        return {"name": name, "right": False, "error": f"{type(error).__name__}: {error}"}
    seconds = round(time.perf_counter() - began, 2)
    return {"name": name, "answer": answer, "exact": exact, "right": right, "seconds": seconds}


def _continuous(seed: int) -> tuple[float, float, bool]:
    r = cem.optimize(_rosenbrock, bounds=[(-5, 10)] * 4, vectorized=True, rng=seed)
    return float(r.fun), 0.0, bool(r.success and r.fun < 1e-8)


def _rosenbrock(x: Any) -> Any:
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(axis=1)


def _bits(seed: int) -> tuple[float, float, bool]:
    weights = np.arange(1, 31)

    def off(x: Any) -> Any:
        return np.abs(x @ weights - 233)

    r = cem.optimize(off, cem.Bernoulli([0.5] * 30), vectorized=True, target=0, rng=seed)
    return float(r.fun), 0.0, bool(r.fun == 0)


def _order(seed: int) -> tuple[float, float, bool]:
    corners = np.exp(2j * np.pi * np.random.default_rng(0).permutation(10) / 10)

    def length(x: Any) -> Any:
        return np.abs(corners[x] - corners[np.roll(x, -1, axis=1)]).sum(axis=1)

    exact = float(20 * np.sin(np.pi / 10))
    r = cem.optimize(length, cem.Permutation(10), vectorized=True, target=exact + 1e-9, rng=seed)
    return float(r.fun), exact, bool(abs(r.fun - exact) < 1e-8)


def _rare(seed: int) -> tuple[float, float, bool]:
    exact = 11 * np.exp(-10)
    e = cem.estimate_probability(
        lambda x: x.sum(axis=1), cem.Exponential([1.0, 1.0]), level=10, vectorized=True, rng=seed
    )
    low, high = e.confidence_interval(0.999)
    return e.probability, float(exact), bool(low < exact < high)


CHECKS = {
    "a valley of four variables": _continuous,
    "thirty bits": _bits,
    "a tour of ten corners": _order,
    "a probability of 5e-4": _rare,
}


def _text(report: dict[str, Any]) -> str:
    packages = report["packages"]
    lines = [f"cem {report['cem']}, Python {report['python']}"]
    lines += [f"  {name} {packages[name]}" for name in NEEDED]
    extras = [f"{name} {packages[name]}" for name in EXTRAS if packages[name]]
    absent = [name for name in EXTRAS if not packages[name]]
    lines.append(f"  extras found: {', '.join(extras) or 'none'}; not found: {', '.join(absent) or 'none'}")
    for check in report["checks"]:
        state = "right" if check["right"] else "WRONG"
        said = (
            check.get("error") or f"{check['answer']:.6g} (exact {check['exact']:.6g}), {check['seconds']} s"
        )
        lines.append(f"  {state}: {check['name']}: {said}")
    if report["interrupted"]:
        lines.append("  interrupted: the other checks were not carried out")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
