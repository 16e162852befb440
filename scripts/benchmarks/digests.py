"""Digests of runs over all uses: whether a change of the code changes an answer, to the last bit.

    python scripts/benchmarks/digests.py --write before.json      # on the old code
    python scripts/benchmarks/digests.py --compare before.json    # on the new one, on the same machine

The last bits of an answer depend on the machine and on the versions of numpy and scipy: compare only what the
same environment gave. PYTHONPATH says which code runs; the script uses public names alone.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import digest_estimating  # noqa: F401
import digest_optimizing  # noqa: F401
import numpy as np
from digest_cases import CASES

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser

COLUMNS = ("level", "best", "mean", "elites", "entropy", "nfev", "nan_count")
NUMBERS = (
    *("x", "fun", "success", "status", "nit", "nfev", "maxcv", "fun_standard_error", "best_x", "best_fun"),
    *("probability", "standard_error", "coefficient_of_variation", "effective_sample_size", "hits", "draws"),
    *("pareto_shape", "largest_share", "quantile", "expected_shortfall"),
)
ANSWERS = ("quantile", "probability", "fun", "best_fun")


@dataclass(frozen=True)
class Outcome:
    """What a run came to: the digest of all of it, and what to read."""

    digest: str
    answer: float
    nfev: int
    nit: int
    seconds: float = 0.0


def outcome(result: Any) -> Outcome:
    """Return the digest of a result (or of a list of results and arrays), and its answer."""
    everything = result if isinstance(result, list) else [result]
    sha = hashlib.sha256()
    for each in everything:
        for name, value in numbers(each):
            sha.update(f"{name} {value.shape} ".encode() + value.tobytes())
    first = everything[0]
    answer = next((getattr(first, name) for name in ANSWERS if hasattr(first, name)), np.nan)
    history = getattr(first, "history", ())
    nfev = int(history.nfev[-1]) if len(history) else 0
    return Outcome(sha.hexdigest(), float(answer), int(getattr(first, "nfev", nfev)), len(history))


def numbers(result: Any) -> Iterator[tuple[str, Any]]:
    """Return all that a result says in numbers, but for times; its English may change."""
    if isinstance(result, np.ndarray | float | int):
        yield "value", bits(result)
        return
    for name in NUMBERS:
        if hasattr(result, name):
            yield name, bits(getattr(result, name))
    if hasattr(result, "confidence_interval"):
        yield "interval", bits(result.confidence_interval())
    if hasattr(result, "failure_samples"):
        for part in result.failure_samples():
            yield "samples", bits(part)
    for column in COLUMNS:
        yield column, bits(getattr(result.history, column))
    yield "stages", bits(np.flatnonzero(result.history.stage[1:] != result.history.stage[:-1]))


def bits(value: Any) -> Any:
    """Return float64 with one NaN, whatever type of number holds the value."""
    array = np.array(value, dtype=np.float64)
    array[np.isnan(array)] = np.nan
    return array


def hide_numba() -> None:
    """Make the engines of this process do without numba."""
    sys.modules["numba"] = None  # type: ignore[assignment]


def run(name: str) -> Outcome | str:
    """Run a case; return its outcome, or what went wrong."""
    began = time.perf_counter()
    try:
        found = outcome(CASES[name].run())
    except Exception:
        return traceback.format_exc()
    return Outcome(**(asdict(found) | {"seconds": round(time.perf_counter() - began, 3)}))


def run_all(names: list[str], jobs: int) -> Iterator[tuple[str, Outcome | str]]:
    """Run cases, those that must not find numba in processes of their own, and give them in order."""
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        plain, bare = (
            stack.enter_context(ProcessPoolExecutor(jobs, spawn, initializer=first))
            for first in (None, hide_numba)
        )
        running: dict[str, Future[Outcome | str]] = {
            name: (bare if CASES[name].numba is False else plain).submit(run, name) for name in names
        }
        for name, future in running.items():
            yield name, future.result()


def difference(old: dict[str, Any], new: Outcome) -> str | None:
    """Say what differs, if anything does."""
    if old["digest"] == new.digest:
        return None
    parts = [
        f"{name} {old[name]:.10g} -> {getattr(new, name):.10g}"
        for name in ("answer", "nfev", "nit")
        if not np.array_equal(old[name], getattr(new, name), equal_nan=True)
    ]
    if old["answer"] != new.answer and old["answer"]:
        parts.append(f"relative {new.answer / old['answer'] - 1:+.2e}")
    return ", ".join(parts) or "same answer, nfev and nit; x, interval or history differ"


def selected(only: str | None, short: bool) -> list[str]:
    """Return the names that contain `only`, or match it where it is a pattern."""
    wanted = "*" if only is None else only if any(c in only for c in "*?[") else f"*{only}*"
    return [name for name, each in CASES.items() if fnmatchcase(name, wanted) and (each.short or not short)]


def main() -> int:
    parser = make_benchmark_parser(__doc__, seed=None, jobs=1)
    parser.add_argument("--only", metavar="PATTERN", help='part of a name, or a pattern ("event/*")')
    parser.add_argument("--short", action="store_true", help="the short selection")
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the digests, as JSON")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="exit 1 where a digest is another")
    given = parser.parse_args()
    try:
        before = json.loads(given.compare.read_text()) if given.compare else {}
    except ValueError as error:
        parser.error(f"{given.compare} holds no digests: {error}")
    names, numba = selected(given.only, given.short), find_spec("numba") is not None
    if not names:
        parser.error("no case has such a name.")

    print(f"cem from {Path(cem.__file__).parent}")
    print(f"{'case':<32}{'digest':<14}{'seconds':>8}{'nfev':>9}  answer")
    outcomes: dict[str, Outcome] = {}
    differ, failed = {}, {}
    for name in [each for each in names if CASES[each].numba and not numba]:
        print(f"{name:<32}numba is not installed")
    for name, found in run_all([each for each in names if numba or not CASES[each].numba], given.jobs):
        if isinstance(found, str):
            failed[name] = found
            print(f"{name:<32}failed: {found.splitlines()[-1]}", flush=True)
            continue
        outcomes[name] = found
        what = difference(before[name], found) if name in before else None
        if what is not None:
            differ[name] = what
        print(
            f"{name:<32}{found.digest[:12]:<14}{found.seconds:>8.2f}{found.nfev:>9}  {found.answer:.10g}"
            f"{'' if what is None else '  DIFFERS'}",
            flush=True,
        )
    print(f"{len(outcomes)} runs in {sum(each.seconds for each in outcomes.values()):.0f} s")
    if given.write:
        kept = {name: asdict(each) for name, each in outcomes.items()}
        given.write.write_text(json.dumps(kept, indent=1) + "\n")
    if given.compare:
        known = [name for name in outcomes if name in before]
        print(f"{len(known) - len(differ)} of {len(known)} digests are the same")
        for name in [each for each in outcomes if each not in before]:
            print(f"  {name}: not in {given.compare}")
    for name, what in differ.items():
        print(f"  {name}: {what}")
    for name, what in failed.items():
        print(f"\n{name}\n{what}", file=sys.stderr)
    return 1 if differ or failed else 0


if __name__ == "__main__":
    carry_out_benchmark(main)
