"""What `pip install .` alone gives: every block of the README, and one run of each use, without extras.

    python tests/base_install.py

It needs no test runner, so that nothing but the package and its dependencies has to be there.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
EXTRAS = ("numba", "pandas", "tqdm", "matplotlib", "dask", "pytest")
MOST_SECONDS = 10.0  # a block of the README, on a machine with nothing else to do; thrice that fails


def readme_blocks() -> dict[str, Callable[[], None]]:
    """Return the README's Python blocks, each as a function that runs it in a namespace of its own."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    if len(blocks) < 3:
        raise SystemExit(f"only {len(blocks)} blocks found in {README}")

    def runner(code: str) -> Callable[[], None]:
        return lambda: exec(compile(code, str(README), "exec"), {"__name__": "readme"})

    return {f"README, block {i}": runner(code) for i, code in enumerate(blocks, 1)}


def nothing_else_is_installed() -> None:
    found = [name for name in EXTRAS if find_spec(name)]
    if found:
        raise SystemExit(f"this is no base install: {', '.join(found)} found")


def every_public_name() -> None:
    import cem

    missing = [name for name in cem.__all__ if getattr(cem, name, None) is None]
    if missing:
        raise AssertionError(f"missing: {missing}")


def a_binary_string() -> None:
    import cem

    r = cem.optimize(lambda x: x.sum(), cem.Bernoulli([0.5] * 20), maximize=True, max_evaluations=5000, rng=1)
    if r.fun != 20:
        raise AssertionError(r)


def two_workers_and_a_checkpoint() -> None:
    import cem

    def bowl(x):
        return float(((x - 1) ** 2).sum())

    ask = {"bounds": [(-5, 5)] * 2, "max_evaluations": 300, "rng": 1}
    one = cem.optimize(bowl, **ask)
    two = cem.optimize(bowl, **ask, n_jobs=2, checkpoint="run.npz")
    again = cem.optimize(bowl, **ask, checkpoint="run.npz", resume=True)
    if not (one.x == two.x).all() or not (one.x == again.x).all():
        raise AssertionError("workers or resuming changed the result")


def a_quantile() -> None:
    from scipy import stats

    import cem

    q = cem.estimate_quantile(lambda x: x[0], [stats.norm()], 1e-3, rng=1)
    low, high = q.confidence_interval()
    if not low < stats.norm.isf(1e-3) < high:
        raise AssertionError(q)


def main() -> int:
    checks = [
        nothing_else_is_installed,
        every_public_name,
        a_binary_string,
        two_workers_and_a_checkpoint,
        a_quantile,
    ]
    named = {check.__name__.replace("_", " "): check for check in checks} | readme_blocks()
    failed = 0
    for name, check in named.items():
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, chdir(folder), warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                check()
            except Exception:
                traceback.print_exc()
                failed += 1
        seconds = time.perf_counter() - began
        print(f"{seconds:6.2f} s  {name}", flush=True)
        if seconds > 3 * MOST_SECONDS:
            print(f"          too slow: {MOST_SECONDS:.0f} s are promised")
            failed += 1
    print(f"{len(named) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
